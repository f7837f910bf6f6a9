import ArgumentParser
import CSystem
import Deployment
import Display
import Git
import Model
import Planning

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Create the store '.deptool', and make a cluster the default.",
        discussion: """
            Deptool uses only stores that you made or adopted, and runs only hooks that you allowed: a store and its \
            configuration may come with somebody else's files.

            Example: `deptool init prod` beside or above the directory `prod`.
            """)

    @Argument(help: "The cluster's directory, which holds a directory per host; created if missing.", completion: .directory)
    var dir: String?
    @Flag(help: "Use a store that is there already, although you did not make it.")
    var adopt = false
    @Option(
        help: ArgumentHelp(
            "Run this command before each plan of the cluster, to make its config tree; an empty one for none.", valueName: "command"))
    var render: String?

    func run() throws {
        let here = workingDirectory()
        let path = environment("DEPTOOL_STORE").map { absolute($0, in: here) } ?? here + "/" + Store.directoryName
        let store = try complaining { try open(path) }
        guard dir != nil || render != nil else { return }
        let workspace = try dir.map { Workspace(store: store, directory: absolute($0, in: here)) } ?? Workspace(directory: nil)
        try workspace.checkPlace()
        let made = csys_make_directory_plain(workspace.directory)
        guard made >= 0 || made == -Int32(csys_eexist) else {
            throw Complaint("cannot create \(workspace.directory): \(String(cString: csys_strerror(-made)))")
        }
        if let render { try workspace.setRender(render) }
        guard dir != nil else { return }
        try complaining { try workspace.remember() }
        Terminal.write("The default cluster is \(workspace.directory).\n")
    }

    /// The store at `path`, which may have to be made or adopted first.
    private func open(_ path: String) throws(StoreError) -> Store {
        let known = try KnownStores.ofUser()
        guard let place = try Store.present(at: path) else {
            // What is made and cannot be remembered is of no use.
            try known.prepare()
            let store = try Store.create(at: path)
            try known.add(store.place)
            Terminal.write("The store is \(path).\n")
            return store
        }
        let isKnown = try known.contains(place)
        guard isKnown || adopt else { throw .unknownStore(path: path) }
        let store = try Store.open(place)
        if !isKnown { try known.add(place) }
        Terminal.write(isKnown ? "The store is \(path).\n" : "You have adopted the store \(path).\n")
        return store
    }
}

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show exactly what a deploy would do, without connecting to anything.",
        discussion: """
            With `--out`, the plan is also written to a file, which `deptool deploy` takes, here or elsewhere.

            Example: `deptool plan --limit 'web*' --out web.plan`
            """)

    @OptionGroup var cluster: PlanArgument
    @OptionGroup var limit: LimitOption
    @OptionGroup var safety: SafetyOptions
    @OptionGroup var rendering: RenderOption
    @OptionGroup var output: OutputOption
    @OptionGroup var exit: ExitCodeOption
    @Option(help: ArgumentHelp("Also write the plan to this file.", valueName: "file"), completion: .file())
    var out: String?

    func run() throws {
        let planned = try ReadyPlan(cluster, limit, safety) ?? fromTree()
        let (plan, workspace) = (planned.plan, planned.workspace)
        if let out { try planned.write(to: out, safety.safety) }
        output.write(
            planJSON(plan, cluster: workspace.cluster),
            or: plan.isEmpty ? nothingToDo(workspace, plan) : PlanText(style: Terminal.style).render(plan))
        try exit.leave(!plan.isEmpty)
    }

    private func fromTree() throws -> ReadyPlan {
        let workspace = try cluster.workspace()
        try rendering.render(workspace)
        let root = try workspace.importTree()
        return ReadyPlan(
            workspace: workspace, plan: try workspace.plan(root, limit.filter, safety: safety.safety), root: root)
    }
}

/// What is said when every host runs what the config tree says.
func nothingToDo(_ workspace: Workspace, _ plan: Plan) -> String {
    "Nothing to do: every host of cluster '\(workspace.cluster)' runs what the config tree says.\n"
}

extension Plan {
    var isEmpty: Bool { hosts.isEmpty && orphans.isEmpty }

    /// Whether it restores what somebody changed.
    var isRepair: Bool { hosts.contains { !$0.drift.isEmpty } }
}

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show what every host runs, as far as is known without asking it; with '--live', how it is.",
        discussion: """
            With `--live`, the hosts are asked: load, memory, space on `/` and `/var`, the time since they booted, whether they \
            want to be booted anew, units that failed, and the state of every unit that an app enables.

            Example: `deptool status --live --watch 5 --limit 'web*'`
            """)

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: LimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption
    @Flag(help: "Ask the hosts how they are.")
    var live = false
    @Option(
        defaultAsFlag: 2,
        help: ArgumentHelp("With '--live': ask again after so many seconds, 2 if not given, until Ctrl-C.", valueName: "seconds"))
    var watch: Int?

    func validate() throws {
        guard live || watch == nil else { throw ValidationError("'--watch' goes with '--live'.") }
        guard (1...86400).contains(watch ?? 1) else { throw ValidationError("'--watch' takes a number from 1 to 86400.") }
    }

    func run() async throws {
        let workspace = try cluster.workspace()
        let root = try workspace.importTree()
        let plan = try workspace.plan(root, limit.filter)
        let statuses = try workspace.statuses(root, plan, limit.filter)
        if live { return try await ask(statuses.map(\.host)) }
        output.write(
            statusJSON(statuses, cluster: workspace.cluster),
            or: StatusText(style: Terminal.style, time: localTime).render(statuses))
    }
}

extension Workspace {
    /// The hosts of the tree and those that were removed from it, ordered by name.
    func statuses(_ root: ObjectID, _ plan: Plan, _ filter: HostFilter) throws -> [HostStatus] {
        try complaining {
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
        }
    }
}
