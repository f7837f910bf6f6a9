import ArgumentParser
import Planning

/// For commands that also accept a plan file.
struct PlanArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "The cluster's directory, or a file that `deptool plan --out` wrote.",
            discussion: "If omitted, the last cluster you used."),
        completion: .file())
    var dir: String?

    func workspace() throws -> Workspace { try Workspace(directory: dir) }
}
