import ArgumentParser
import Deployment
import Model
import Planning

struct UndoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Return hosts to their state before a deploy.",
        discussion: """
            Undo reverts the last deploy on its hosts; with `--limit`, the last one on each of these hosts. An undo is a deploy: \
            it has a plan, and a second undo reverts it. The config tree on disk does not change.

            Example: `deptool undo --limit web1 --to 72565f27`
            """)

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: LimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var safety: SafetyOptions
    @OptionGroup var flags: DeployFlags
    @Flag(help: "Show the plan and stop.")
    var planOnly = false
    @Option(
        help: ArgumentHelp("Return the hosts to their state in this commit.", valueName: "commit"),
        completion: Complete.commits)
    var to: String?

    func run() async throws {
        let workspace = try cluster.workspace()
        let run = DeployRun(ssh, limit, flags, kind: .undo, isPlanOnly: planOnly)
        try await run.run(nothing: { _, _ in "Nothing to do: the hosts run that already.\n" }) {
            try workspace.reporting {
                if !workspace.isThere, try ClusterReader(workspace.store).deployedHosts(workspace.cluster).isEmpty {
                    throw workspace.absence
                }
                let commit = try to.map { try workspace.store.commit(named: $0) }
                let undo = try ClusterReader(workspace.store, safety: safety.safety).undoPlan(
                    to: commit, cluster: workspace.cluster, filter: limit.filter)
                var ready = try PreparedPlan(workspace: workspace, plan: undo.plan, root: undo.root)
                ready.undone = undo.undone.compactMapValues { try? workspace.store.commitInfo($0) }
                return ready
            }
        }
    }
}
