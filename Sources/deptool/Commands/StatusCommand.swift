import ArgumentParser
import Deployment
import Display
import Git
import Model
import Planning

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show what each host runs, from the store; with '--live', from the hosts.",
        discussion: """
            With `--live`, status queries the hosts: load, memory, space on `/` and `/var`, uptime, whether a reboot is \
            required, failed units, and the state of every unit that an app enables.

            Example: `deptool status --live --watch 5 --limit 'web*'`
            """)

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: HostLimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption
    @Flag(help: "Query the hosts for load, memory, disk and units.")
    var live = false
    @Option(
        defaultAsFlag: 2,
        help: ArgumentHelp("With '--live': query again every so many seconds (2), until Ctrl-C.", valueName: "seconds"))
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
        if live { return try await ask(statuses.map(\.host), storePath: workspace.store.path) }
        output.write(
            statusJSON(statuses, cluster: workspace.cluster),
            or: StatusText(style: Terminal.style, time: localTime).render(statuses))
    }
}

extension Workspace {
    /// The hosts of the tree and those removed from it, ordered by name.
    func statuses(_ root: ObjectID, _ plan: Plan, _ filter: HostFilter) throws -> [HostStatus] {
        try complaining {
            let hosts =
                try ClusterReader(store).hosts(in: root).map(\.host).filter(filter.includes).map { ($0, true) }
                + plan.orphans.map { ($0, false) }
            let holds = Dictionary(try Holds(store: store).current().map { ($0.host, $0) }) { first, _ in first }
            let plans = Dictionary(plan.hosts.map { ($0.host, $0) }) { first, _ in first }
            return try hosts.sorted { $0.0 < $1.0 }.map { host, isInTree in
                let commit = try store.deployedCommit(host)
                return HostStatus(
                    host: host, deployed: try commit.map { try store.commitInfo($0) },
                    changed: plans[host]?.changes ?? [], hasNewOptions: plans[host]?.hasNewOptions ?? false,
                    isInTree: isInTree, hold: holds[host])
            }
        }
    }
}
