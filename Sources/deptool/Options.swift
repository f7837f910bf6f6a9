import ArgumentParser
import CSystem
import Deployment
import Display
import Planning

struct ClusterArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The cluster's directory.", discussion: "Default: the one that was named last."),
        completion: .directory)
    var dir: String?

    func workspace() throws -> Workspace { try Workspace(directory: dir) }
}

/// For commands that also take a plan that was made before.
struct PlanArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "The cluster's directory, or a file that `deptool plan --out` wrote.",
            discussion: "Default: the cluster that was named last."),
        completion: .file())
    var dir: String?

    func workspace() throws -> Workspace { try Workspace(directory: dir) }
}

struct LimitOption: ParsableArguments {
    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp("Only these hosts: names, lists with commas, patterns such as 'web*'.", valueName: "hosts"),
        completion: Complete.hosts)
    var limit: [String] = []

    var filter: HostFilter { HostFilter(limit) }
}

struct SafetyOptions: ParsableArguments {
    @Option(
        name: .customLong("guard"),
        help: ArgumentHelp(
            "When a host keeps its new state only after a new login to it has worked: 'auto' when the plan touches what "
                + "the login depends on, 'always', or 'never'.", valueName: "when"))
    var `guard` = Safety.Guard.auto
    @Flag(help: "All hosts keep their new state, or all roll back.")
    var atomic = false

    var safety: Safety { Safety(guard: `guard`, isAtomic: atomic) }
}

extension Safety.Guard: ExpressibleByArgument {}

struct OutputOption: ParsableArguments {
    @Flag(help: "Print JSON, as the manual describes it.")
    var json = false

    /// Writes one or the other.
    func write(_ value: @autoclosure () throws -> JSONValue, or text: @autoclosure () throws -> String) rethrows {
        if json { JSONOutput.write(try value()) } else { Terminal.write(try text()) }
    }
}

/// Objects of JSON on standard output, one a line, from whatever thread.
enum JSONOutput {
    static func write(_ value: JSONValue) { Terminal.write(value.text + "\n") }
}

struct RenderOption: ParsableArguments {
    @Flag(help: "Do not run the render hook of the store's configuration first.")
    var noRender = false

    /// Runs the hook that makes the config tree, if there is one.
    func render(_ workspace: Workspace) throws {
        if !noRender { try workspace.render() }
    }
}

struct ExitCodeOption: ParsableArguments {
    @Flag(help: "Exit with 2 when there is something to do.")
    var exitCode = false

    func leave(_ hasChanges: Bool) throws {
        if exitCode && hasChanges { throw ExitCode(2) }
    }
}
