import Platform
import Wire

/// The vote of the operator's program on a deploy. The program runs once for all hosts that wait for it.
final class ProgramVote: Sendable {
    private struct State {
        var hasBegun = false
        var isCancelled = false
        var isRunning = false
        /// The program's exit status.
        var status: Int?
    }

    private let program: (@Sendable (_ isCancelled: () -> Bool) -> Int?)?
    private let state = Monitor(State())
    private let barrier = Barrier(1, pause: Barrier.commitPause)

    /// Without a program, the vote is against.
    init(_ program: (@Sendable (_ isCancelled: () -> Bool) -> Int?)?) { self.program = program }

    /// Ends the program.
    func cancel() { state.update { $0.isCancelled = true } }

    /// Ends the program, and waits for that: no host may be left that it could vote for.
    func end() {
        cancel()
        state.wait { $0.isRunning ? nil : () }
    }

    /// Starts the program if no other host did, waits for its vote, and returns the objection; nil if there is none.
    func objection(keepalive: () throws(HostError) -> Void) throws(HostError) -> Problem? {
        start()
        if try barrier.decision(keepalive: keepalive) { return nil }
        let state = state.update { $0 }
        if state.isCancelled { return .cancelled }
        return state.status == 0 ? .otherHostFailed : .programRefused(status: state.status)
    }

    private func start() {
        let isFirst = state.update { state -> Bool in
            defer { state.hasBegun = true }
            return !state.hasBegun
        }
        guard isFirst else { return }
        guard let program else { return barrier.vote(.against) }
        state.update { $0.isRunning = true }
        Task.detached { [state, barrier] in
            await onOwnThread {
                let status = program { state.update { $0.isCancelled } }
                state.update { state in
                    state.status = status
                    state.isRunning = false
                }
                barrier.vote(status == 0 ? .ready : .against)
            }
        }
    }
}
