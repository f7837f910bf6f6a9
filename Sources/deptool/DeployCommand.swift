import ArgumentParser
import CSystem
import Deployment
import Display
import Git
import Model
import Planning
import SSH
import Synchronization

struct DeployCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy", abstract: "Show the plan, ask, and carry it out.",
        discussion: """
            Nothing changes before all affected hosts are locked and have their files. A host on which anything fails \
            goes back to what it ran before.

            Exit status: 0 done or nothing to do, 1 error and nothing changed, 3 rolled back, 4 a host is left broken.

            Example: `deptool deploy --limit ns1,ns2`
            """)

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: LimitOption
    @Flag(help: "Do not ask.")
    var noConfirm = false
    @Option(
        name: .long, help: ArgumentHelp("Use this ssh configuration instead of your own.", valueName: "file"))
    var sshConfig: String?

    func run() async throws {
        let workspace = try cluster.workspace()
        // Each time around, somebody else turned out to have deployed meanwhile.
        while true {
            let root = try workspace.importTree()
            let plan = try workspace.plan(root, limit.filter)
            guard !plan.hosts.isEmpty else {
                let text = PlanText(style: Terminal.style).render(plan)
                return Terminal.write(text.isEmpty ? nothingToDo(workspace, plan) : text)
            }
            Terminal.write(PlanText(style: Terminal.style).render(plan) + "\n")
            if !noConfirm { try confirm(plan, workspace) }
            let results = try await carryOut(plan, root, workspace)
            let isStale = results.contains { if case .stale = $0.result { true } else { false } }
            guard isStale, !noConfirm else { return try end(results.map(\.result)) }
            Terminal.write("The store knows now what is deployed there. The new plan:\n\n")
        }
    }

    /// Returns when the operator says yes.
    private func confirm(_ plan: Plan, _ workspace: Workspace) throws {
        let hosts = "\(plan.hosts.count) host\(plan.hosts.count == 1 ? "" : "s")"
        while true {
            guard let answer = Terminal.ask("Apply to \(hosts) in cluster '\(workspace.cluster)'? [y/N/d] ") else {
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

    private func carryOut(
        _ plan: Plan, _ root: ObjectID, _ workspace: Workspace
    ) async throws -> [(host: Hostname, result: HostResult)] {
        let deploy: Deploy
        do {
            let access = Access(sshConfiguration: sshConfig, questions: Operator.questions, interrupt: try Interrupt())
            deploy = try Deploy(plan, root: root, cluster: workspace.cluster, store: workspace.store, access: access)
        } catch let error as StoreError {
            throw Complaint(error.phrase, error.explanation)
        } catch let error as SSHError {
            throw Complaint(error.phrase)
        }
        let begun = csys_monotonic_ns()
        let screen = ProgressScreen(plan.hosts.map(\.host))
        Operator.screen.withLock { $0 = screen }
        let results = await deploy.run { host, event in screen.show(host, event) }
        let took = Duration.nanoseconds(csys_monotonic_ns() - begun)
        Terminal.write(SummaryText(style: Terminal.style).render(results, took: took))
        return results
    }

    private func end(_ results: [HostResult]) throws {
        var code: Int32 = 0
        for result in results {
            switch result {
            case .deployed: break
            case .failed, .stale, .unknown: code = max(code, 1)
            case .rolledBack: code = max(code, 3)
            case .broken: code = 4
            }
        }
        if code != 0 { throw ExitCode(code) }
    }
}

/// The lines of the hosts: redrawn in place on a terminal, one after the other elsewhere.
final class ProgressScreen: Sendable {
    private struct State {
        var board: ProgressBoard
        var drawn = 0
    }

    private let state: Mutex<State>
    private let isRedrawn: Bool

    init(_ hosts: [Hostname]) {
        state = Mutex(State(board: ProgressBoard(hosts, style: Terminal.style)))
        // What is higher than the screen cannot be redrawn.
        isRedrawn = Terminal.canRedraw && hosts.count < Terminal.rows - 1
    }

    func show(_ host: Hostname, _ event: HostEvent) {
        state.withLock { state in
            guard state.board.update(host, event) else { return }
            guard isRedrawn else { return Terminal.write(state.board.line(host) + "\n") }
            let lines = state.board.render(columns: Terminal.columns)
            let up = state.drawn > 0 ? "\u{1b}[\(state.drawn)A" : ""
            Terminal.write(up + lines.map { "\u{1b}[2K" + $0 + "\n" }.joined())
            state.drawn = lines.count
        }
    }

    /// Lets `body` use the terminal; the lines are drawn anew below what it leaves.
    func interlude<Result: Sendable>(_ body: () -> Result) -> Result {
        state.withLock { state in
            defer { state.drawn = 0 }
            return body()
        }
    }
}

/// Questions that come up while hosts are connected to; one at a time.
enum Operator {
    static let screen = Mutex<ProgressScreen?>(nil)

    static var questions: Questions {
        guard Terminal.isInput && Terminal.isOutput else { return .none }
        return Questions(confirm: { question in
            let screen = screen.withLock { $0 }
            let ask: () -> HostKeyAnswer = {
                Terminal.write(
                    "\nThe host '\(visible(question.host))' has a key that is not known yet:\n"
                        + "    \(visible(question.type)) \(visible(question.fingerprint))\n")
                let answer = Terminal.ask("Is it the right one? [y/N] ")?.lowercased()
                return answer == "y" || answer == "yes" ? .accept : .refuse
            }
            return screen?.interlude(ask) ?? ask()
        }, passphrase: nil)
    }
}
