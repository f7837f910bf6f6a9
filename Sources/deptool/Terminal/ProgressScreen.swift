import CSystem
import Deployment
import Display
import Model
import SSH

/// The lines of the hosts: changed in place on a terminal, one after the other elsewhere. Prompts and what else is to
/// be said meanwhile go through it, so that nothing is written over. Nobody waits for it but who asks.
final class ProgressScreen: Sendable {
    private enum Mode {
        /// Nothing was decided, or all is over: only trouble is told.
        case waiting
        /// At this prompt.
        case asking(String)
        case showing
    }

    private struct State {
        var board: ProgressBoard
        var mode = Mode.waiting
        /// While a question is open: what is to be said after it.
        var held: String?
        var canvas = Canvas()
        var ticker: Task<Void, Never>?
    }

    private let state: Monitor<State>
    /// One question at a time.
    private let question = Monitor(())
    private let begun = csys_monotonic_ns()
    /// How often lines change at most.
    private static let tick = Duration.milliseconds(100)

    init(_ hosts: [Hostname]) { state = Monitor(State(board: ProgressBoard(hosts, style: Terminal.style))) }

    private var now: Duration { .nanoseconds(csys_monotonic_ns() - begun) }

    /// Asks the operator for a line; nil at the end of input. Hosts that are in trouble say so meanwhile.
    func ask(_ question: String) -> String? {
        state.update { $0.mode = .asking(question) }
        defer { state.update { $0.mode = .waiting } }
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
        state.update { state in
            state.mode = .showing
            guard Terminal.canRedraw else { return }
            draw(&state)
            state.ticker = Task {
                while (try? await Task.sleep(for: Self.tick)) != nil {
                    if Terminal.isWritten { self.state.update { self.draw(&$0) } }
                }
            }
        }
    }

    /// The lines stay as they are.
    func end() {
        state.update { state in
            draw(&state)
            state.mode = .waiting
            state.canvas.release()
            state.ticker?.cancel()
        }
    }

    func show(_ host: Hostname, _ event: HostEvent) {
        if case .warning(let warning) = event { return remark("\(host.text): warning: \(warning.phrase)") }
        state.update { state in
            let isNews = state.board.update(host, event, at: now)
            switch state.mode {
            case .waiting: break
            case .asking(let question):
                let start = Terminal.canRedraw ? "\r\u{1b}[K" : "\n"
                if event.isTrouble { Terminal.write(start + state.board.line(host, at: now) + "\n" + question) }
            case .showing:
                if isNews, !Terminal.canRedraw { say(&state, state.board.line(host, at: now) + "\n") }
            }
        }
    }

    /// Writes a line of its own.
    func write(_ text: String) { state.update { say(&$0, text) } }

    /// Says something about one host, whatever else is going on.
    func remark(_ text: String) {
        state.update { state in
            switch state.mode {
            case .asking(let question): Terminal.write((Terminal.canRedraw ? "\r\u{1b}[K" : "\n") + "  \(text)\n" + question)
            case .waiting, .showing: above(&state, "  \(text)\n")
            }
        }
    }

    /// Says something above the lines.
    func note(_ text: String) {
        state.update { above(&$0, "\n" + text + "\n") }
    }

    /// Lets `body` ask something on the terminal in place of the lines, which are drawn again below what it leaves.
    func interlude<Result: Sendable>(_ body: () -> Result) -> Result {
        question.update { _ in
            state.update { state in
                erase(&state)
                state.held = ""
            }
            defer {
                state.update { state in
                    let held = state.held ?? ""
                    state.held = nil
                    Terminal.write(held)
                    draw(&state)
                }
            }
            return Interruption.leavingAtOnce(body)
        }
    }

    private func above(_ state: inout State, _ text: String) {
        guard state.held == nil else { return say(&state, text) }
        erase(&state)
        Terminal.write(text)
        draw(&state)
    }

    /// Writes, but not into a question.
    private func say(_ state: inout State, _ text: String) {
        if state.held == nil { Terminal.write(text) } else { state.held? += text }
    }

    private func erase(_ state: inout State) {
        let (columns, rows) = Terminal.size
        Terminal.write(state.canvas.draw([], columns: columns, rows: rows))
    }

    private func draw(_ state: inout State) {
        guard case .showing = state.mode, Terminal.canRedraw, state.held == nil else { return }
        let (columns, rows) = Terminal.size
        let lines = state.board.render(columns: columns, rows: rows, at: now)
        Terminal.write(state.canvas.draw(lines, columns: columns, rows: rows))
    }
}

extension HostEvent {
    /// Worth telling while the operator decides.
    fileprivate var isTrouble: Bool {
        switch self {
        case .connected(let deployed): deployed != .asPlanned
        case .ended: true
        default: false
        }
    }
}
