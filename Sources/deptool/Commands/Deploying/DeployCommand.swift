import ArgumentParser
import Deployment
import Display
import Model
import Planning

struct DeployCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy", abstract: "Show the plan, ask, and apply it.",
        discussion: """
            Deptool locks all affected hosts and uploads their files before it changes any. If anything fails on a host, that \
            host rolls back. Ctrl-C rolls back all hosts that are being changed; a second Ctrl-C exits at once, and the hosts \
            roll back by themselves.

            At the question, `y` deploys, `d` shows the changed lines, and anything else changes nothing.

            Exit status: 0 done or nothing to do, 1 error and nothing changed, 3 rolled back, 5 connection lost before the \
            outcome was known, 4 a host is left broken. If several apply, the last in this list.

            Example: `deptool deploy --limit ns1,ns2`
            """)

    @OptionGroup var cluster: PlanArgument
    @OptionGroup var limit: LimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var safety: SafetyOptions
    @OptionGroup var rendering: RenderOption
    @OptionGroup var flags: DeployFlags
    @Flag(help: "Show the plan and stop, as `deptool plan` does.")
    var planOnly = false
    @Flag(help: "Also find drift on the hosts, as `deptool verify` does, and restore it.")
    var repair = false
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Only restart this unit, or the units of this app, and deploy no change.", valueName: "unit|app"),
        completion: Complete.units)
    var restart: [String] = []
    @Flag(help: "Where links and copies go, leave files with the same content on the host.")
    var leaveFiles = false
    @Option(
        help: ArgumentHelp("Remove everything from this host, which is no longer in the config tree.", valueName: "name"),
        completion: Complete.hosts)
    var removeHost: String?

    func validate() throws {
        guard !repair || removeHost == nil else { throw ValidationError("'--repair' cannot be used with '--remove-host'.") }
        guard !leaveFiles || !repair && restart.isEmpty else {
            throw ValidationError("'--leave-files' cannot be used with '--repair' or '--restart'.")
        }
        guard removeHost == nil || limit.limit.isEmpty else { throw ValidationError("'--remove-host' cannot be used with '--limit'.") }
        guard restart.isEmpty || !repair && removeHost == nil else {
            throw ValidationError("'--restart' cannot be used with '--repair' or '--remove-host'.")
        }
    }

    func run() async throws {
        let run = DeployRun(
            ssh, limit, flags, kind: restart.isEmpty ? .deploy : .restart, forgets: removeHost != nil, isPlanOnly: planOnly)
        if let ready = try PreparedPlan(cluster.dir, limit, safety.safety) {
            guard !leaveFiles else { throw CommandError("`--leave-files` cannot be used with a plan file") }
            guard restart.isEmpty else { throw CommandError("`--restart` cannot be used with a plan file") }
            guard removeHost == nil else { throw CommandError("`--remove-host` cannot be used with a plan file") }
            guard !repair else {
                throw CommandError("`--repair` cannot be used with a plan file", "A repair is planned when it runs.")
            }
            return try await run.run { ready }
        }
        let workspace = try cluster.workspace()
        if !restart.isEmpty { return try await run.run { try restartPlan(workspace) } }
        try rendering.render(workspace)
        var ordinary = run
        ordinary.hintsAtLeaving = removeHost == nil && !leaveFiles && !repair && limit.filter.isAll
        try await ordinary.run(nothing: repair ? nothingToRepair : limit.nothingToDo) { try await plan(workspace) }
    }

    private func plan(_ workspace: Workspace) async throws -> PreparedPlan {
        let root = try workspace.importTree()
        let leaves: LeavingFiles = leaveFiles ? .everything : .nothing
        if repair { return try await repairPlan(workspace, root) }
        guard let removeHost else {
            let plan = try workspace.plan(root, limit.filter, safety: safety.safety, hostKeys: ssh.hostKeys, leaves: leaves)
            return try PreparedPlan(workspace: workspace, plan: plan, root: root)
        }
        guard let host = Hostname(removeHost) else { throw CommandError("'\(visible(removeHost))' is no name for a host") }
        let plan = try workspace.removalPlan(host, root, safety: safety.safety, leaves: leaves)
        return try PreparedPlan(workspace: workspace, plan: plan, root: root)
    }

    /// The config tree does not matter: the hosts keep what they have.
    private func restartPlan(_ workspace: Workspace) throws -> PreparedPlan {
        guard !limit.filter.namesApps else {
            throw CommandError("`--restart` takes apps, `--limit` then takes hosts", "As in `deptool deploy --restart nginx --limit web1`.")
        }
        return try workspace.reporting {
            let (plan, root) = try ClusterReader(workspace.store, safety: safety.safety).restartPlan(
                restart, cluster: workspace.cluster, filter: limit.filter)
            return try PreparedPlan(workspace: workspace, plan: plan, root: root)
        }
    }

    private func repairPlan(_ workspace: Workspace, _ root: ObjectID) async throws -> PreparedPlan {
        guard !limit.filter.namesApps else {
            throw CommandError("`--repair` repairs hosts, not single apps", "Name hosts with `--limit`.")
        }
        // Find mistakes in the tree before querying any host.
        _ = try workspace.plan(root, limit.filter, safety: safety.safety, hostKeys: ssh.hostKeys)
        // A held host may be down, so its problems do not count here.
        let held = flags.held.held ? [] : try Holds(store: workspace.store).current().map(\.host)
        let found = try await workspace.drift(
            root, limit.filter, except: held.filter { !limit.filter.names($0) }, ssh, asks: !flags.output.json,
            skipsUnreachable: flags.skipUnreachable)
        var plan = try workspace.plan(root, limit.filter, safety: safety.safety, drift: found.drift)
        plan.hosts.removeAll { found.absent.contains($0.host) }
        return try PreparedPlan(workspace: workspace, plan: plan, root: root, contents: found.contents)
    }
}

/// The message when nothing drifted and nothing changed.
private func nothingToRepair(_ workspace: Workspace, _ plan: Plan) -> String {
    "Nothing to do: every host of cluster '\(workspace.cluster)' matches the config tree.\n"
}
