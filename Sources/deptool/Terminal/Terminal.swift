import CSystem
import Deployment
import Display
import Model
import Platform
import SSH

/// Standard output and the operator at it, if any.
///
/// A thread of its own writes, so no other thread waits for a slow reader, or for a terminal stopped with Ctrl-S.
enum Terminal {
    static let isOutput = csys_isatty(1) != 0
    static let isInput = csys_isatty(0) != 0

    /// Cursor movement and colour need a terminal that supports them, and an operator who wants them: `NO_COLOR`
    /// (no-color.org) selects plain lines.
    static let canRedraw = isOutput && environment("TERM") != "dumb" && environment("NO_COLOR") == nil
    static var style: Style { canRedraw ? .color : .plain }

    static var columns: Int { Int(csys_terminal_columns(1)) }
    static var rows: Int { Int(csys_terminal_rows(1)) }

    /// The terminal's present size; 80 columns and 24 rows if it does not report one.
    static var size: (columns: Int, rows: Int) { (columns > 0 ? columns : 80, rows > 0 ? rows : 24) }

    // MARK: Writing

    private struct Output {
        var waiting: [(descriptor: Int32, bytes: [UInt8])] = []
        var hasWriter = false
        /// Whether the writer is writing.
        var isBusy = false
        /// Descriptors that can no longer be written to, with the errno.
        var lost: [Int32: Errno] = [:]

        var isWritten: Bool { waiting.isEmpty && !isBusy }
    }

    private static let output = Monitor(Output())

    /// Returns without waiting for the output to be written.
    static func write(_ text: String) { write(text, to: 1) }
    static func writeError(_ text: String) { write(text, to: 2) }

    static func write(_ text: String, to descriptor: Int32) {
        let mustStart = output.update { output in
            output.waiting.append((descriptor, Array(text.utf8)))
            defer { output.hasWriter = true }
            return !output.hasWriter
        }
        guard mustStart, !Thread.detach({ while true { Terminal.writeNext() } }) else { return }
        // No thread available.
        writeNext()
        output.update { $0.hasWriter = false }
    }

    private static func writeNext() {
        let pieces = output.wait { output in
            if output.waiting.isEmpty { return nil as [(descriptor: Int32, bytes: [UInt8])]? }
            defer { output.waiting = [] }
            output.isBusy = true
            return output.waiting
        }
        for (descriptor, bytes) in pieces { _ = writeNow(bytes, to: descriptor) }
        output.update { $0.isBusy = false }
    }

    /// Writes after all earlier output before it returns, for text too long to buffer. False if the reader is gone,
    /// such as a pager that was quit.
    static func writeNow(_ text: String, to descriptor: Int32) -> Bool {
        flush()
        return writeNow(Array(text.utf8), to: descriptor)
    }

    private static func writeNow(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        guard output.update({ $0.lost[descriptor] == nil }) else { return false }
        var rest = bytes[...]
        while !rest.isEmpty {
            do throws(Errno) {
                rest = rest.dropFirst(try Platform.write(rest.span, to: descriptor))
            } catch .wouldBlock {
                // Another program has set the shared pipe or terminal to non-blocking.
                waitUntilWritable(descriptor, milliseconds: -1)
            } catch {
                if descriptor < 3 { output.update { $0.lost[descriptor] = error } }
                return false
            }
        }
        return true
    }

    /// Whether all output has been written. A redraw can wait until then.
    static var isWritten: Bool { output.update { $0.isWritten } }

    /// Whether standard output still has a reader.
    static var isTaken: Bool { output.update { $0.lost[1] == nil } }

    /// Waits until all output has been written, or for at most `milliseconds`.
    static func flush(atMost milliseconds: Int64 = -1) {
        let end = MonotonicClock.now + .milliseconds(milliseconds)
        while !isWritten {
            let left = milliseconds < 0 ? -1 : Int64((end - MonotonicClock.now) / .milliseconds(1))
            guard milliseconds < 0 || left > 0 else { return }
            _ = output.wait(atMost: left) { $0.isWritten ? () : nil }
        }
    }

    /// Waits until all output has been written. Returns why some was lost, unless the reader just quit.
    static func finish() -> String? {
        flush()
        guard let error = output.update({ $0.lost[1] }) else { return nil }
        switch error {
        case .brokenPipe, .ioError: return nil
        default: return "cannot write to standard output: \(error.text)"
        }
    }

    // MARK: Asking

    /// Prompts, and returns the typed line; nil at the end of input.
    static func ask(_ question: String) -> String? {
        write(question)
        flush()
        var line: [UInt8] = []
        while let byte = try? FileDescriptor.standardInput.readByte() {
            if byte == 0x0a {
                let answer = String(decoding: line, as: UTF8.self)
                // Without a terminal, the answer would not be visible.
                if !isInput { write(visible(answer) + "\n") }
                return answer
            }
            if line.count < 4096 { line.append(byte) }
        }
        write("\n")
        return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
    }

    /// Prompts for a secret without echo; nil at the end of input.
    static func askSecret(_ question: String) -> Secret? {
        // Goes first, since it discards earlier input.
        guard csys_set_echo(0, false) == 0 else { return nil }
        write(question)
        flush()
        defer {
            _ = csys_set_echo(0, true)
            write("\n")
        }
        return Secret(from: .standardInput, upTo: 1024, .line)
    }
}
