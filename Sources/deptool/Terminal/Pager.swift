import Platform

/// Shows text on the terminal through `$PAGER`. If it is unset, text longer than the screen goes through less(1), if
/// installed. Writes shorter text, and any text without a terminal, directly.
final class Pager {
    private enum State {
        /// Text that still fits on the screen.
        case holding(String)
        case writing
    }

    private static let less = #"command -v less >/dev/null || exec cat; LESS="${LESS-FRX}"; export LESS; exec less"#

    private let command: String
    private var state: State
    private var process: ChildProcess?
    private var pipe: Pipe?
    /// False once the operator has quit the pager.
    private var isWanted = true

    init() {
        let chosen = Terminal.isOutput ? environment("PAGER") ?? (environment("TERM") == "dumb" ? "cat" : nil) : "cat"
        command = chosen ?? Self.less
        state = chosen == "cat" ? .writing : .holding("")
        if chosen != nil, chosen != "cat" { start() }
    }

    func write(_ text: String) {
        switch state {
        case .writing:
            if isWanted { isWanted = Terminal.writeNow(text, to: pipe?.writing.number ?? 1) }
        case .holding(let held):
            state = .holding(held + text)
            if (held + text).utf8.count(where: { $0 == 10 }) >= Terminal.rows - 1 { start() }
        }
    }

    /// Writes the held text, and waits until the operator has quit the pager.
    func finish() {
        switch state {
        case .holding(let held): Terminal.write(held)
        case .writing:
            pipe = nil
            _ = process?.wait()
        }
    }

    private func start() {
        guard case .holding(let held) = state else { return }
        state = .writing
        defer { write(held) }
        Terminal.flush()
        guard var pipe = try? Pipe() else { return }
        // `$PAGER` is a shell command by convention, so the shell runs it.
        process = try? ChildProcess(["sh", "-c", command], in: .shared, input: pipe.reading.number, output: 1, error: 2)
        pipe.reading.close()
        if process != nil { self.pipe = consume pipe }
    }
}
