import CSystem
import Display
import Model

/// Standard output and the person before it, if there is one.
enum Terminal {
    static let isOutput = csys_isatty(1) != 0
    static let isInput = csys_isatty(0) != 0

    /// Cursor movement and colour need a terminal that has them, and an operator who wants them: whoever sets `NO_COLOR`
    /// (no-color.org) reads plain lines.
    static let canRedraw = isOutput && environment("TERM") != "dumb" && environment("NO_COLOR") == nil
    static var style: Style { canRedraw ? .color : .plain }

    static var columns: Int { Int(csys_terminal_columns(1)) }
    static var rows: Int { Int(csys_terminal_rows(1)) }

    /// What can be drawn on now. Where a terminal does not say, it is taken for one of 80 columns and 24 rows.
    static var size: (columns: Int, rows: Int) { (columns > 0 ? columns : 80, rows > 0 ? rows : 24) }

    static func write(_ text: String) { write(text, to: 1) }
    static func complain(_ text: String) { write(text, to: 2) }

    /// False when nobody takes it any more, as when a pager was left.
    @discardableResult
    static func write(_ text: String, to descriptor: Int32) -> Bool {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { csys_write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return false }
            bytes = bytes.dropFirst(Int(count))
        }
        return true
    }

    /// Asks, and returns the line that was typed; nil at the end of input.
    static func ask(_ question: String) -> String? {
        write(question)
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while csys_read(0, &byte, 1) == 1 {
            if byte == 0x0a {
                let answer = String(decoding: line, as: UTF8.self)
                // Where nobody types, nothing shows what was answered.
                if !isInput { write(visible(answer) + "\n") }
                return answer
            }
            if line.count < 4096 { line.append(byte) }
        }
        write("\n")
        return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
    }

    /// Asks for a secret, which is not shown as it is typed; nil at the end of input. The caller wipes it.
    static func askSecret(_ question: String) -> [UInt8]? {
        // First of all, since this drops what was typed before.
        guard csys_set_echo(0, false) == 0 else { return nil }
        write(question)
        defer {
            _ = csys_set_echo(0, true)
            write("\n")
        }
        var secret: [UInt8] = []
        secret.reserveCapacity(1024)
        var byte: UInt8 = 0
        while secret.count < 1024, csys_read(0, &byte, 1) == 1 {
            if byte == 0x0a { return secret }
            secret.append(byte)
        }
        return nil
    }
}
