import ArgumentParser
import CSystem
import Deployment
import Display
import Git
import Model
import Planning
import SSH

struct DeployCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy", abstract: "Show the plan, ask, and carry it out.",
        discussion: """
            Nothing changes before all affected hosts are locked and have their files. A host on which anything fails \
            goes back to what it ran before. Ctrl-C does the same; a second one leaves at once, and the hosts go back \
            by themselves.

            Exit status: 0 done or nothing to do, 1 error and nothing changed, 3 rolled back, 5 the connection to a host \
            was lost before it said how it ended, 4 a host is left broken. Of several, the last in this list.

            Example: `deptool deploy --limit ns1,ns2`
            """)

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: LimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var safety: SafetyOptions
    @Flag(help: "Do not ask.")
    var noConfirm = false
    @Flag(help: "Show the plan and stop, as `deptool plan` does.")
    var planOnly = false
    @Flag(help: "Go on without hosts that cannot be reached.")
    var skipUnreachable = false
    @Flag(help: "Do not connect before you have answered.")
    var noPreconnect = false
    @Option(help: ArgumentHelp("Empty this host, which is not in the config tree any more.", valueName: "name"))
    var removeHost: String?

    func run() async throws {
        let workspace = try cluster.workspace()
        // Each time around, somebody else turned out to have deployed meanwhile.
        while true {
            let root = try workspace.importTree()
            let plan = try plan(workspace, root)
            Terminal.write(plan.isEmpty ? nothingToDo(workspace, plan) : PlanText(style: Terminal.style).render(plan))
            if plan.hosts.isEmpty || planOnly { return }
            Terminal.write("\n")
            let results = try await carryOut(plan, root, workspace)
            guard replans(results) else { throw ExitCode(Self.status(results.map(\.result))) }
            Terminal.write("The store knows now what is deployed there. The new plan:\n\n")
        }
    }

    private func plan(_ workspace: Workspace, _ root: ObjectID) throws -> Plan {
        guard let removeHost else { return try workspace.plan(root, limit.filter, safety: safety.safety) }
        guard let host = Hostname(removeHost) else { throw Complaint("'\(visible(removeHost))' is no name for a host") }
        return try workspace.removalPlan(host, root, safety: safety.safety)
    }

    private func carryOut(
        _ plan: Plan, _ root: ObjectID, _ workspace: Workspace
    ) async throws -> [(host: Hostname, result: HostResult)] {
        let isAsking = !noConfirm
        let screen = ProgressScreen(plan.hosts.map(\.host))
        let options = DeployOptions(
            connectsEarly: isAsking && !noPreconnect && Terminal.isInput && Terminal.isOutput,
            unreachable: skipUnreachable ? .skip : !isAsking || !Terminal.isInput ? .stop : .ask(screen.askWhetherToGoOn),
            forgets: removeHost != nil)
        let deploy: Deploy
        do {
            deploy = try Deploy(
                plan, store: workspace.store, access: ssh.access(screen), options: options, report: screen.show)
        } catch {
            throw Complaint(error.phrase)
        }
        var begun = csys_monotonic_ns()
        if !isAsking { screen.begin() }
        async let running = deploy.run()
        defer { Interruption.ignore() }
        do {
            if isAsking {
                try confirm(plan, workspace, screen)
                begun = csys_monotonic_ns()
                screen.begin()
            }
            Interruption.handle { count in
                guard count == 1 else { csys_exit(130) }
                screen.note("Giving up: hosts that were being changed roll back. Ctrl-C again leaves at once.")
                deploy.cancel()
            }
            try deploy.go(root: root, cluster: workspace.cluster, store: workspace.store)
        } catch {
            deploy.callOff()
            _ = await running
            throw (error as? StoreError).map { Complaint($0.phrase, $0.explanation) } ?? error
        }
        let results = await running
        let took = Duration.nanoseconds(csys_monotonic_ns() - begun)
        let next: SummaryText.Next = replans(results) ? .newPlan : .nothing
        Terminal.write(SummaryText(style: Terminal.style).render(results, took: took, next: next))
        return results
    }

    /// Whether somebody else turned out to have deployed, and there is an operator to look at the new plan.
    private func replans(_ results: [(host: Hostname, result: HostResult)]) -> Bool {
        !noConfirm && results.contains { if case .stale = $0.result { true } else { false } }
    }

    /// Returns when the operator says yes.
    private func confirm(_ plan: Plan, _ workspace: Workspace, _ screen: ProgressScreen) throws {
        let hosts = "\(plan.hosts.count) host\(plan.hosts.count == 1 ? "" : "s")"
        while true {
            guard let answer = screen.ask("Apply to \(hosts) in cluster '\(visible(workspace.cluster))'? [y/N/d] ") else {
                throw Complaint("no answer, so nothing was changed", "Without a terminal, `--no-confirm` deploys without asking.")
            }
            switch answer.lowercased() {
            case "y", "yes": return
            case "d", "diff": try workspace.showDiff(plan)
            default:
                Terminal.write("Nothing was changed.\n")
                throw ExitCode(1)
            }
        }
    }

    private static func status(_ results: [HostResult]) -> Int32 {
        let codes: [Int32] = results.map { result in
            switch result {
            case .deployed: 0
            case .failed, .stale: 1
            case .rolledBack, .lockedOut: 3
            case .unknown: 5
            case .broken: 4
            }
        }
        // From what needs a person first of all to what needs none.
        return [4, 5, 3, 1].first { codes.contains($0) } ?? 0
    }
}
