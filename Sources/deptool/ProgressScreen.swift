import Deployment
import Display
import Model
import SSH
import Synchronization
import Wire

/// The lines of the hosts: redrawn in place on a terminal, one after the other elsewhere. Questions and what else is to
/// be said meanwhile go through it, so that nothing is written over.
final class ProgressScreen: Sendable {
    private enum Mode {
        /// Nothing was decided: only trouble is told.
        case waiting
        /// At this prompt.
        case asking(String)
        case showing
    }

    private struct State {
        var board: ProgressBoard
        var mode = Mode.waiting
        var drawn = 0
    }

    private let state: Mutex<State>
    private let isRedrawn: Bool

    init(_ hosts: [Hostname]) {
        state = Mutex(State(board: ProgressBoard(hosts, style: Terminal.style)))
        // What is higher than the screen cannot be redrawn.
        isRedrawn = Terminal.canRedraw && hosts.count < Terminal.rows - 1
    }

    /// Asks the operator for a line; nil at the end of input. Hosts that are in trouble say so meanwhile.
    func ask(_ question: String) -> String? {
        state.withLock { $0.mode = .asking(question) }
        defer { state.withLock { $0.mode = .waiting } }
        return Terminal.ask(question)
    }

    /// Asks whether to go on without hosts that cannot be reached.
    func askWhetherToGoOn(without hosts: [MissingHost]) -> Bool {
        interlude {
            let lines = hosts.map { "  \($0.host.text): \($0.reason.phrase)\n" }.joined()
            let answer = Terminal.ask("\n\(lines)Go on without \(hosts.count == 1 ? "it" : "them")? [y/N] ")?.lowercased()
            return answer == "y" || answer == "yes"
        }
    }

    /// From now on, the lines are shown.
    func begin() {
        state.withLock { state in
            state.mode = .showing
            if isRedrawn { draw(&state) }
        }
    }

    func show(_ host: Hostname, _ event: HostEvent) {
        state.withLock { state in
            let isNew = state.board.update(host, event)
            switch state.mode {
            case .waiting: break
            case .asking(let question):
                let start = Terminal.canRedraw ? "\r\u{1b}[K" : "\n"
                if event.isTrouble { Terminal.write(start + state.board.line(host) + "\n" + question) }
            case .showing:
                guard isNew else { return }
                if isRedrawn {
                    draw(&state)
                } else if event.isWorthALine {
                    Terminal.write(state.board.line(host) + "\n")
                }
            }
        }
    }

    /// Writes a line of its own.
    func write(_ text: String) { state.withLock { _ in Terminal.write(text) } }

    /// Says something about one host, whatever else is going on.
    func remark(_ text: String) {
        state.withLock { state in
            switch state.mode {
            case .asking(let question): Terminal.write((Terminal.canRedraw ? "\r\u{1b}[K" : "\n") + "  \(text)\n" + question)
            case .waiting, .showing:
                Terminal.write("  \(text)\n")
                state.drawn = 0
            }
        }
    }

    /// Says something above the lines.
    func note(_ text: String) {
        state.withLock { state in
            Terminal.write("\n" + text + "\n")
            state.drawn = 0
            if isRedrawn { draw(&state) }
        }
    }

    /// Lets `body` ask something on the terminal; the lines are drawn anew below what it leaves.
    func interlude<Result: Sendable>(_ body: () -> Result) -> Result {
        state.withLock { state in
            defer { state.drawn = 0 }
            return Interruption.leavingAtOnce(body)
        }
    }

    private func draw(_ state: inout State) {
        let up = state.drawn > 0 ? "\u{1b}[\(state.drawn)A" : ""
        let lines = state.board.render(columns: Terminal.columns)
        Terminal.write(up + lines.map { "\u{1b}[2K" + $0 + "\n" }.joined())
        state.drawn = lines.count
    }
}

extension HostEvent {
    /// Worth telling while the operator decides.
    fileprivate var isTrouble: Bool {
        switch self {
        case .connected(let isStale): isStale
        case .ended: true
        default: false
        }
    }

    /// Worth a line that stays, since it does not come again a moment later.
    fileprivate var isWorthALine: Bool {
        if case .waiting(let waiting) = self { waiting.elapsed % 10 == 0 } else { true }
    }
}

/// Round-trip times as they come: redrawn in place on a terminal, elsewhere only the last of them.
final class PingScreen: Sendable {
    private struct State {
        var results: [(host: Hostname, result: Result<RoundTrips, HostError>?)]
        var isDrawn = false
    }

    private let state: Mutex<State>
    private let isRedrawn: Bool

    init(_ hosts: [Hostname]) {
        state = Mutex(State(results: hosts.map { ($0, nil) }))
        isRedrawn = Terminal.canRedraw && hosts.count < Terminal.rows - 1
    }

    func show(_ host: Hostname, _ result: Result<RoundTrips, HostError>) {
        state.withLock { state in
            guard let index = state.results.firstIndex(where: { $0.host == host }) else { return }
            state.results[index].result = result
            guard isRedrawn else { return }
            if state.isDrawn { Terminal.write("\u{1b}[\(state.results.count)A") }
            let lines = PingText().lines(state.results).map { String($0.prefix(max(10, Terminal.columns - 1))) }
            Terminal.write(lines.map { "\u{1b}[2K" + $0 + "\n" }.joined())
            state.isDrawn = true
        }
    }

    func finish() {
        state.withLock { state in
            guard !isRedrawn else { return }
            Terminal.write(PingText().lines(state.results).map { $0 + "\n" }.joined())
        }
    }
}
