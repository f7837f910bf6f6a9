/// Colour, or none: in a file, in a pipe and under `NO_COLOR` (no-color.org) there is none.
public struct Style: Sendable {
    private let hasColor: Bool

    public static let plain = Style(hasColor: false)
    public static let color = Style(hasColor: true)

    private init(hasColor: Bool) { self.hasColor = hasColor }

    private func paint(_ text: String, _ code: String) -> String {
        hasColor ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }

    func added(_ text: String) -> String { paint(text, "32") }
    func removed(_ text: String) -> String { paint(text, "31") }
    func changed(_ text: String) -> String { paint(text, "33") }
    func heading(_ text: String) -> String { paint(text, "1") }
    func faint(_ text: String) -> String { paint(text, "2") }
    public func bad(_ text: String) -> String { paint(text, "1;31") }
}

/// Makes text from a host or a file harmless on a terminal: control characters are shown, not obeyed, and it stays on its
/// line.
public func visible(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0x09: result += "    "
        case 0..<0x20: result += "^" + String(Unicode.Scalar(UInt8(scalar.value) + 0x40))
        case 0x7f: result += "^?"
        // C1 controls, other ends of lines, and what changes the direction of the text around it.
        case 0x80..<0xa0, 0x2028...0x202e, 0x2066...0x2069, 0x200e, 0x200f, 0x061c, 0xfeff:
            result += "\\u{" + String(scalar.value, radix: 16) + "}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// Output of a program, each line set off from our own words.
func quoted(_ text: String) -> String {
    text.utf8.split(separator: 10, omittingEmptySubsequences: false)
        .map { "    | " + visible(String(decoding: $0.last == 13 ? $0.dropLast() : $0, as: UTF8.self)) }
        .joined(separator: "\n")
}

func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

/// A duration in seconds with two digits, such as `0.43 s`.
func seconds(_ duration: Duration) -> String {
    let (whole, attoseconds) = duration.components
    let hundredths = Int(attoseconds / 10_000_000_000_000_000)
    return "\(whole).\(hundredths < 10 ? "0" : "")\(hundredths) s"
}

/// A number of bytes, such as `1.4 MB`.
func size(_ bytes: UInt64) -> String {
    guard bytes >= 1000 else { return "\(bytes) B" }
    var (value, unit) = (bytes, 0)
    while value >= 1_000_000 {
        value /= 1000
        unit += 1
    }
    let names = ["kB", "MB", "GB", "TB", "PB", "EB"]
    return "\(value / 1000).\(value % 1000 / 100) \(names[min(unit, names.count - 1)])"
}
