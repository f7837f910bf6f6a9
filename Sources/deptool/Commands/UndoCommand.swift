import ArgumentParser
import Deployment
import Model
import Planning

struct Undo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Bring hosts back to what they ran before.",
        discussion: """
            Undoes the last deploy on its hosts; with `--limit`, the last one on each of these hosts. It is planned, shown \
            and carried out as any other deploy, so undoing twice returns. The config tree on disk stays as it is.

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
        help: ArgumentHelp("Bring them to what this commit has for them.", valueName: "commit"),
        completion: Complete.commits)
    var to: String?

    func run() async throws {
        let workspace = try cluster.workspace()
        let run = DeployRun(ssh: ssh, flags: flags, kind: .undo, isPlanOnly: planOnly)
        try await run.run(nothing: { _, _ in "Nothing to do: the hosts run that already.\n" }) {
            try workspace.complaining {
                let commit = try to.map { try workspace.store.commit(named: $0) }
                let (plan, root) = try ClusterReader(workspace.store, safety: safety.safety).undoPlan(
                    to: commit, cluster: workspace.cluster, filter: limit.filter)
                return PreparedPlan(workspace: workspace, plan: plan, root: root)
            }
        }
    }
}
