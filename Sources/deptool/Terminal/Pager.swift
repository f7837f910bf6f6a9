import CSystem

/// Shows a long text on the terminal, through `$PAGER`. Where none is set, what is higher than the screen goes through
/// less(1), if that is there. Other text, and all of it where there is no terminal, is written as it is.
final class Pager {
    private enum State {
        /// What fits on the screen so far.
        case holding(String)
        case writing(to: Int32)
    }

    private static let less = #"command -v less >/dev/null || exec cat; LESS="${LESS-FRX}"; export LESS; exec less"#

    private let command: String
    private var state: State
    private var pid: Int32 = 0
    /// Nobody wants more when a pager was left.
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

    /// Writes what is still held, and waits until the operator has read it.
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

    /// The pager's words are the operator's: they are run as other programs run them, by the shell.
    private func spawn(input: Int32) -> Int32 {
        Terminal.flush()
        let (output, error) = (csys_duplicate(1), csys_duplicate(2))
        defer { for descriptor in [output, error] where descriptor >= 0 { _ = csys_close(descriptor) } }
        var bytes: [UInt8] = []
        for argument in ["sh", "-c", command] { bytes += Array(argument.utf8) + [0] }
        return bytes.withUnsafeBytes { csys_spawn_foreground($0.baseAddress, $0.count, 3, input, output, error) }
    }
}
