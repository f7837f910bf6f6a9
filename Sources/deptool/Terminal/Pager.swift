import CSystem
import Model

/// Shows text on the terminal through `$PAGER`. If it is unset, text longer than the screen goes through less(1), if
/// installed. Writes shorter text, and any text without a terminal, directly.
final class Pager {
    private enum State {
        /// Text that still fits on the screen.
        case holding(String)
        case writing(to: Int32)
    }

    private static let less = #"command -v less >/dev/null || exec cat; LESS="${LESS-FRX}"; export LESS; exec less"#

    private let command: String
    private var state: State
    private var pid: Int32 = 0
    /// False once the operator has quit the pager.
    private var isWanted = true

    init() {
        let chosen = Terminal.isOutput ? environment("PAGER") ?? (environment("TERM") == "dumb" ? "cat" : nil) : "cat"
        command = chosen ?? Self.less
        state = chosen == "cat" ? .writing(to: 1) : .holding("")
        if chosen != nil, chosen != "cat" { start() }
    }

    func write(_ text: String) {
        switch state {
        case .writing(let descriptor):
            if isWanted { isWanted = Terminal.writeNow(text, to: descriptor) }
        case .holding(let held):
            state = .holding(held + text)
            if (held + text).utf8.count(where: { $0 == 10 }) >= Terminal.rows - 1 { start() }
        }
    }

    /// Writes the held text, and waits until the operator has quit the pager.
    func finish() {
        switch state {
        case .holding(let held): Terminal.write(held)
        case .writing(let descriptor):
            guard pid > 0 else { return }
            _ = csys_close(descriptor)
            _ = csys_wait(pid, true)
        }
    }

    private func start() {
        guard case .holding(let held) = state else { return }
        state = .writing(to: 1)
        defer { write(held) }
        var (output, input): (Int32, Int32) = (-1, -1)
        guard csys_pipe(&output, &input) == 0 else { return }
        pid = spawn(input: output)
        _ = csys_close(output)
        if pid > 0 { state = .writing(to: input) } else { _ = csys_close(input) }
    }

    /// `$PAGER` is a shell command by convention, so the shell runs it.
    private func spawn(input: Int32) -> Int32 {
        Terminal.flush()
        let (output, error) = (csys_duplicate(1), csys_duplicate(2))
        defer { for descriptor in [output, error] where descriptor >= 0 { _ = csys_close(descriptor) } }
        return packed(["sh", "-c", command]).withUnsafeBytes { csys_spawn_foreground($0.baseAddress, $0.count, 3, input, output, error) }
    }
}
