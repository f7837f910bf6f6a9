import ArgumentParser
import Planning

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Run the checks of a deploy on its hosts, and change nothing.",
        discussion: """
            Check makes the plan, uploads its files, and runs the checks of the apps on each affected host, in a copy of the host \
            that has the new files in place. Then it releases the hosts. It finds everything that would stop a deploy before it \
            changes anything.

            Exit status: 0 every check passed or nothing to do, 1 a check failed, or there is another obstacle.

            Example: `deptool check --limit web1`
            """)

    @OptionGroup var cluster: PlanArgument
    @OptionGroup var limit: LimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var held: HeldOption
    @OptionGroup var rendering: RenderOption
    @OptionGroup var output: OutputOption
    @Flag(help: "Continue without hosts that cannot be reached.")
    var skipUnreachable = false

    func run() async throws {
        let run = DeployRun(
            ssh: ssh, output: output, limit: limit, includesHeld: held.held, asks: false, skipsUnreachable: skipUnreachable,
            isRehearsal: true)
        if let ready = try PreparedPlan(cluster.dir, limit, Safety()) { return try await run.run { ready } }
        let workspace = try cluster.workspace()
        try rendering.render(workspace)
        let root = try workspace.importTree()
        try await run.run {
            try PreparedPlan(
                workspace: workspace, plan: try workspace.plan(root, limit.filter, safety: Safety(), hostKeys: ssh.hostKeys), root: root)
        }
    }
}
