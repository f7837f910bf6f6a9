import Deployment
import Display
import Model
import Platform
import SSH

/// The lines of the hosts: updated in place on a terminal, otherwise one after another. Prompts and other output
/// meanwhile go through it, so that nothing is overwritten. Only threads that prompt wait for it.
final class ProgressScreen: Sendable {
    private enum Mode {
        /// Not yet confirmed, or already over: reports only problems.
        case waiting
        /// The operator is at this prompt.
        case asking(String)
        case showing
    }

    private struct State {
        var board: ProgressBoard
        var mode = Mode.waiting
        /// Output held back while a prompt is open.
        var held: String?
        var canvas = Canvas()
        var ticker: Task<Void, Never>?
    }

    private let state: Monitor<State>
    /// Allows one prompt at a time.
    private let question = Monitor(())
    private let begun = MonotonicClock.now
    /// Minimum time between redraws.
    private static let tick = Duration.milliseconds(100)

    init(_ hosts: [Hostname]) { state = Monitor(State(board: ProgressBoard(hosts, style: Terminal.style))) }

    private var now: Duration { MonotonicClock.now - begun }

    /// Prompts the operator for a line; nil at the end of input. Reports problems of hosts meanwhile.
    func ask(_ question: String) -> String? {
        state.update { $0.mode = .asking(question) }
        defer { state.update { $0.mode = .waiting } }
        return Terminal.ask(question)
    }

    /// Asks whether to go on without unreachable hosts.
    func askWhetherToGoOn(without hosts: [MissingHost]) -> Bool {
        interlude {
            let lines = hosts.map { "  \($0.host.text): \($0.reason.phrase)\n" }.joined()
            let answer = Terminal.ask("\n\(lines)Deploy without \(hosts.count == 1 ? hosts[0].host.text : "them")? [y/N] ")?.lowercased()
            return answer == "y" || answer == "yes"
        }
    }

    /// Shows the lines from now on.
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

    /// Leaves the lines as they are.
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

    /// Writes a separate line.
    func write(_ text: String) { state.update { say(&$0, text) } }

    /// Writes a remark about one host in any mode.
    func remark(_ text: String) {
        state.update { state in
            switch state.mode {
            case .asking(let question): Terminal.write((Terminal.canRedraw ? "\r\u{1b}[K" : "\n") + "  \(text)\n" + question)
            case .waiting, .showing: above(&state, "  \(text)\n")
            }
        }
    }

    /// Writes a note above the lines.
    func note(_ text: String) {
        state.update { above(&$0, "\n" + text + "\n") }
    }

    /// Lets `body` prompt on the terminal in place of the lines, then redraws them below its output.
    func interlude<Result: Sendable>(_ body: () -> Result) -> Result {
        question.update { _ in holding({ erase(&$0) }) { InterruptSignals.leavingAtOnce(body) } }
    }

    /// Leaves the lines as they are while a program writes to the terminal, and shows them again below its output.
    func letWrite<Result>(_ body: () -> Result) -> Result {
        guard Terminal.canRedraw else { return body() }
        return holding(
            { state in
                draw(&state)
                state.canvas.release()
            }, while: body)
    }

    /// Holds back all output during `body`, after `prepare`.
    private func holding<Result>(_ prepare: (inout State) -> Void, while body: () -> Result) -> Result {
        state.update { state in
            prepare(&state)
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
        return body()
    }

    private func above(_ state: inout State, _ text: String) {
        guard state.held == nil else { return say(&state, text) }
        erase(&state)
        Terminal.write(text)
        draw(&state)
    }

    /// Writes text, or holds it back during a prompt.
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
    /// Whether to report the event while the operator decides.
    fileprivate var isTrouble: Bool {
        switch self {
        case .connected(let deployed): deployed != .asPlanned
        case .ended: true
        default: false
        }
    }
}
