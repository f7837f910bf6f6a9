import Deployment
import Display
import Model
import Platform
import Wire

/// Round-trip times as they arrive: updated in place on a terminal, otherwise only the final ones.
final class PingScreen: Sendable {
    private struct State {
        var results: [(host: Hostname, result: Result<RoundTrips, HostError>?)]
        var canvas = Canvas()
        /// By the monotonic clock.
        var drawn: Duration?
    }

    private let state: Monitor<State>

    init(_ hosts: [Hostname]) { state = Monitor(State(results: hosts.map { ($0, nil) })) }

    func show(_ host: Hostname, _ result: Result<RoundTrips, HostError>) {
        state.update { state in
            guard let index = state.results.firstIndex(where: { $0.host == host }) else { return }
            state.results[index].result = result
            let now = MonotonicClock.now
            guard Terminal.canRedraw, state.results.count < Terminal.size.rows else { return }
            if let drawn = state.drawn, now - drawn <= .milliseconds(100) { return }
            draw(&state)
            state.drawn = now
        }
    }

    /// Writes the final times, in full if they were not shown yet.
    func finish() {
        state.update { state in
            if Terminal.canRedraw, state.results.count < Terminal.size.rows { return draw(&state) }
            Terminal.write(PingText().lines(state.results).map { $0 + "\n" }.joined())
        }
    }

    private func draw(_ state: inout State) {
        let (columns, rows) = Terminal.size
        let lines = PingText().lines(state.results).map { String($0.prefix(max(10, columns - 1))) }
        Terminal.write(state.canvas.draw(lines, columns: columns, rows: rows))
    }
}
