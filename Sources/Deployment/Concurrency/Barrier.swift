import Platform
import SSH

/// A barrier for the hosts of a deploy: none proceeds before all have arrived.
final class Barrier: Sendable {
    enum Vote {
        case ready
        /// Not ready: no participant may proceed.
        case against
        /// Missing: the others may proceed without it.
        case absent
    }

    private struct State {
        var awaited: Int
        var isUnanimous = true
    }

    private let state: Monitor<State>
    private let pause: Duration

    /// The pause where hosts that run their new state wait for each other. One of which a unit ends rolls back, and the
    /// others have to learn of it before they keep theirs.
    static let commitPause = Duration.seconds(1)

    /// For a number of participants. Each votes once, and proves after each pause that it is still there.
    init(_ participants: Int, pause: Duration = .seconds(10)) {
        state = Monitor(State(awaited: participants))
        self.pause = pause
    }

    /// Votes without waiting.
    func vote(_ vote: Vote) {
        state.update {
            $0.awaited -= 1
            if vote == .against { $0.isUnanimous = false }
        }
    }

    /// Withdraws a ready vote; too late once all have voted.
    private func withdraw() {
        state.update { if $0.awaited > 0 { $0.isUnanimous = false } }
    }

    /// Waits until all have voted, and returns whether to proceed. Calls `keepalive` after each pause; a
    /// participant whose keepalive fails is not ready.
    func decision<Failure: Error>(keepalive: () throws(Failure) -> Void) throws(Failure) -> Bool {
        var next = Deadline.after(pause)
        while true {
            // Each vote ends the wait.
            let decision = state.wait(atMost: next.pollTimeout) { $0.awaited <= 0 ? $0.isUnanimous : nil }
            if let decision { return decision }
            guard next.hasPassed else { continue }
            do {
                try keepalive()
            } catch {
                withdraw()
                throw error
            }
            next = .after(pause)
        }
    }

    /// For a participant without a vote.
    func decision() -> Bool { state.wait { $0.awaited <= 0 ? $0.isUnanimous : nil } }
}

/// One host at the barriers of a deploy. It votes once at each: ready where it arrives, in order, and at the others when it
/// leaves, however that happens, so that no host waits for it in vain.
struct Participant: ~Copyable {
    private var ahead: ArraySlice<Barrier>
    /// The vote at the barriers where it did not arrive.
    var voteOnLeaving = Barrier.Vote.against

    init(at barriers: [Barrier]) { ahead = barriers[...] }

    deinit { for barrier in ahead { barrier.vote(voteOnLeaving) } }

    /// Votes ready at the next barrier.
    mutating func arrive() { ahead.popFirst()?.vote(.ready) }
}
