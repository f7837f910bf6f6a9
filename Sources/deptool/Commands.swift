import ArgumentParser
import CSystem
import Deployment
import Display
import Git
import Model
import Planning

struct ClusterArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The cluster's directory.", discussion: "Default: the one named with `deptool init`."))
    var dir: String?

    func workspace() throws -> Workspace { try Workspace(directory: dir) }
}

struct LimitOption: ParsableArguments {
    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp("Only these hosts: names, lists with commas, patterns such as 'web*'.", valueName: "hosts"))
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

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create the store '.deptool', and make a cluster the default.",
        discussion: "Example: `deptool init prod` beside or above the directory `prod`.")

    @Argument(help: "The cluster's directory, which holds a directory per host; created if missing.")
    var dir: String?

    func run() throws {
        let here = workingDirectory()
        let path = environment("DEPTOOL_STORE").map { absolute($0, in: here) } ?? here + "/" + Store.directoryName
        do {
            let store = try Store.create(at: path)
            Terminal.write("The store is \(path).\n")
            guard let dir else { return }
            let workspace = Workspace(store: store, directory: absolute(dir, in: here))
            try workspace.checkPlace()
            let made = csys_make_directory_plain(workspace.directory)
            guard made >= 0 || made == -Int32(csys_eexist) else {
                throw Complaint("cannot create \(workspace.directory): \(String(cString: csys_strerror(-made)))")
            }
            try workspace.remember()
            Terminal.write("The default cluster is \(workspace.directory).\n")
        } catch let error as StoreError {
            throw Complaint(error.phrase, error.explanation)
        }
    }
}

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show exactly what a deploy would do, without connecting to anything.",
        discussion: "Example: `deptool plan --limit 'web*'`")

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: LimitOption
    @OptionGroup var safety: SafetyOptions

    func run() throws {
        let workspace = try cluster.workspace()
        let plan = try workspace.plan(try workspace.importTree(), limit.filter, safety: safety.safety)
        Terminal.write(plan.isEmpty ? nothingToDo(workspace, plan) : PlanText(style: Terminal.style).render(plan))
    }
}

/// What is said when every host runs what the config tree says.
func nothingToDo(_ workspace: Workspace, _ plan: Plan) -> String {
    "Nothing to do: every host of cluster '\(workspace.cluster)' runs what the config tree says.\n"
}

extension Plan {
    var isEmpty: Bool { hosts.isEmpty && orphans.isEmpty }
}

struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show every line that a deploy would change.",
        discussion: "Goes through $PAGER or less on a terminal. Example: `deptool diff --stat`")

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: LimitOption
    @Flag(help: "Only count the changed lines of each file.")
    var stat = false

    func run() throws {
        let workspace = try cluster.workspace()
        let plan = try workspace.plan(try workspace.importTree(), limit.filter)
        guard !plan.hosts.isEmpty else { return Terminal.write(nothingToDo(workspace, plan)) }
        if stat {
            Terminal.write(try DiffText(style: Terminal.style).stat(plan, diff: workspace.fileDiff))
        } else {
            try workspace.showDiff(plan)
        }
    }
}

extension Workspace {
    func showDiff(_ plan: Plan) throws {
        let pager = Pager()
        // Ctrl-C is the pager's.
        try Interruption.handled(by: { _ in }) {
            defer { pager.finish() }
            try DiffText(style: Terminal.style).render(plan, diff: fileDiff, print: pager.write)
        }
    }
}

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what every host runs, as far as is known without asking it.",
        discussion: "Example: `deptool status`")

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: LimitOption

    func run() throws {
        let workspace = try cluster.workspace()
        let root = try workspace.importTree()
        let plan = try workspace.plan(root, limit.filter)
        let statuses = try workspace.statuses(root, plan, limit.filter)
        Terminal.write(StatusText(style: Terminal.style, time: localTime).render(statuses))
    }
}

extension Workspace {
    /// The hosts of the tree and those that were removed from it, ordered by name.
    func statuses(_ root: ObjectID, _ plan: Plan, _ filter: HostFilter) throws -> [HostStatus] {
        do {
            let hosts =
                try ClusterReader(store).hosts(in: root).map(\.host).filter(filter.includes).map { ($0, true) }
                + plan.orphans.map { ($0, false) }
            let plans = Dictionary(plan.hosts.map { ($0.host, $0) }) { first, _ in first }
            return try hosts.sorted { $0.0 < $1.0 }.map { host, isInTree in
                let commit = try store.deployedCommit(host)
                return HostStatus(
                    host: host, deployed: try commit.map { try store.commitInfo($0) },
                    changed: plans[host]?.changes ?? [], hasNewOptions: plans[host]?.hasNewOptions ?? false,
                    isInTree: isInTree)
            }
        } catch let error as ClusterError {
            throw Complaint(error, directory: directory)
        } catch let error as StoreError {
            throw Complaint(error.phrase, error.explanation)
        }
    }
}
