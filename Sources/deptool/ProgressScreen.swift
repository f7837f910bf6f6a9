import Deployment
import Display
import Model
import SSH
import Synchronization

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
                if event.isTrouble { Terminal.write("\r\u{1b}[K" + state.board.line(host) + "\n" + question) }
            case .showing:
                guard isNew else { return }
                if isRedrawn { draw(&state) } else { Terminal.write(state.board.line(host) + "\n") }
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

    /// Lets `body` use the terminal; the lines are drawn anew below what it leaves.
    func interlude<Result: Sendable>(_ body: () -> Result) -> Result {
        state.withLock { state in
            defer { state.drawn = 0 }
            return body()
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
}
