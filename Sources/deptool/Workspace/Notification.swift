import CSystem
import Deployment
import Display
import Git
import Model
import Planning
import Platform

extension Workspace {
    private var notifyKey: String { "deptool.\(cluster).notify" }

    /// Sets the command that is notified of the end of each deploy, and allows it to run; an empty command removes it.
    func setNotify(_ command: String) throws {
        guard !cluster.contains("\n") else { throw CommandError("the cluster's name has a line break, so it can have no such command") }
        try reporting {
            try store.setConfiguration(notifyKey, command.isEmpty ? nil : command)
            if !command.isEmpty { try KnownStores.ofUser().allow(command, for: notifyKey, of: directory, in: store.place) }
        }
    }

    /// The command of the store's configuration that is notified of the end of each deploy, or why there is none. The
    /// user must have allowed it, as a render hook.
    fileprivate func notifyCommand() -> Notification.Command {
        do throws(StoreError) {
            // Git's configuration cannot have a section of this name.
            guard !cluster.contains("\n"), let command = try store.configuration(notifyKey) else { return .none }
            guard try KnownStores.ofUser().allows(command, for: notifyKey, of: directory, in: store.place) else {
                return .unusable(
                    "this machine does not allow the command `\(command)` to be run after deploys; `deptool init --notify COMMAND` allows it"
                )
            }
            return .command(command)
        } catch {
            return .unusable("the notify command did not run: \(error.phrase)")
        }
    }
}

/// Notifies the operator's command of the end of a deploy, exactly once. Its failure does not affect the deploy or the
/// exit code.
final class Notification: Sendable {
    private struct State {
        var deploy: EndedDeploy?
        var start = Duration.zero
        var results: [Hostname: HostResult] = [:]
        var isBegun = false
        var isDone = false
    }

    enum Command {
        case none
        case command(String)
        /// Why there is none.
        case unusable(String)
    }

    private let command: Command
    private let parent: String
    private let cluster: String
    private let state = Monitor(State())

    private static let limit = Duration.seconds(10)

    init(_ workspace: Workspace) {
        command = workspace.notifyCommand()
        (parent, cluster) = (workspace.parent, workspace.cluster)
    }

    /// Notes that hosts may change from now on. Before that, there is no end to report.
    func begin(_ ready: PreparedPlan, _ kind: HistoryEntry.Kind, _ commit: ObjectID) {
        let deploy = EndedDeploy(
            kind: kind, cluster: cluster, author: ready.workspace.store.author().text, commit: commit,
            hosts: ready.plan.hosts.map(\.host))
        state.update { state in
            state.deploy = deploy
            state.start = MonotonicClock.now
        }
    }

    func note(_ host: Hostname, _ result: HostResult) { state.update { $0.results[host] = result } }

    /// Runs the command, and returns when it has ended or was ended. Returns at once if another thread does, once that
    /// is done.
    func send(exit: Int32) {
        let end = state.update { state -> (EndedDeploy, Duration)? in
            guard !state.isBegun, var deploy = state.deploy else { return nil }
            state.isBegun = true
            deploy.results = state.results
            return (deploy, MonotonicClock.now - state.start)
        }
        guard let (deploy, took) = end else {
            return state.wait { $0.isBegun && !$0.isDone ? nil : () }
        }
        if let problem = tell(deploy, exit, took) { Terminal.writeError("warning: \(visible(problem))\n") }
        state.update { $0.isDone = true }
    }

    /// Ends the program, as a second Ctrl-C demands; a third one does not wait for the command.
    func leave() {
        guard !state.update({ $0.deploy == nil || $0.isBegun }) else { csys_end_by_interrupt() }
        Task.detached {
            await onOwnThread {
                self.send(exit: 130)
                Terminal.flush(atMost: 100)
                csys_end_by_interrupt()
            }
        }
    }

    /// Returns what went wrong.
    private func tell(_ deploy: EndedDeploy, _ exit: Int32, _ took: Duration) -> String? {
        let command: String
        switch self.command {
        case .none: return nil
        case .command(let allowed): command = allowed
        case .unusable(let problem): return problem
        }
        // Its output comes last.
        Terminal.flush(atMost: 1000)
        let isCancelled = Monitor(false)
        let text = endedJSON(deploy, exit: exit, took: took).text + "\n"
        // Ctrl-C ends only the command.
        let status = InterruptSignals.handled(by: { _ in isCancelled.update { $0 = true } }) {
            run(
                command, in: parent, cluster, input: Array(text.utf8), for: Self.limit,
                isCancelled: { isCancelled.update { $0 } })
        }
        switch status {
        case 0: return nil
        case nil where isCancelled.update({ $0 }): return "the notify command `\(command)` was ended, since you cancelled"
        case nil: return "the notify command `\(command)` did not end within 10 seconds, and was ended"
        case let status?: return "the notify command `\(command)` failed with status \(status)"
        }
    }
}
