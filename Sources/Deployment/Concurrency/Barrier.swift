import SSH

/// Where the hosts of a deploy meet: nobody goes on before all have come.
final class Barrier: Sendable {
    enum Vote {
        case ready
        /// Not ready, so nobody shall go on.
        case against
        /// Not there, and the others may go on without.
        case absent
    }

    private struct State {
        var awaited: Int
        var isUnanimous = true
    }

    private let state: Monitor<State>
    private let pause: Duration

    /// For that many participants, each of whom votes once, and proves after each pause that it is there.
    init(_ participants: Int, pause: Duration = .seconds(10)) {
        state = Monitor(State(awaited: participants))
        self.pause = pause
    }

    /// Does not wait.
    func vote(_ vote: Vote) {
        state.update {
            $0.awaited -= 1
            if vote == .against { $0.isUnanimous = false }
        }
    }

    /// Takes back that one was ready; too late once all have voted.
    private func withdraw() {
        state.update { if $0.awaited > 0 { $0.isUnanimous = false } }
    }

    /// Waits until everybody has voted; whether to go on. Calls `keepalive` after each pause; one that cannot do that any more
    /// is not ready.
    func decision<Problem: Error>(keepalive: () throws(Problem) -> Void) throws(Problem) -> Bool {
        var next = Deadline.after(pause)
        while true {
            // The wait ends with each vote.
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

    /// For one that has no vote.
    func decision() -> Bool { state.wait { $0.awaited <= 0 ? $0.isUnanimous : nil } }
}
