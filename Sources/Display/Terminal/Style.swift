import Model

/// Colour or none: there is none in a file, in a pipe and under `NO_COLOR` (no-color.org).
package struct Style: Sendable {
    private let hasColor: Bool

    package static let plain = Style(hasColor: false)
    package static let color = Style(hasColor: true)

    private init(hasColor: Bool) { self.hasColor = hasColor }

    private func paint(_ text: String, _ code: String) -> String {
        hasColor ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }

    func added(_ text: String) -> String { paint(text, "32") }
    func removed(_ text: String) -> String { paint(text, "31") }
    func changed(_ text: String) -> String { paint(text, "33") }
    func heading(_ text: String) -> String { paint(text, "1") }
    func faint(_ text: String) -> String { paint(text, "2") }
    /// A host's name in one of six colours, by its number.
    func host(_ text: String, _ number: Int) -> String { paint(text, "\(31 + (number + 1) % 6)") }
    package func bad(_ text: String) -> String { paint(text, "1;31") }
}

/// Output of a program, with each line marked as such.
func quoted(_ text: String) -> String {
    text.utf8.split(separator: 10, omittingEmptySubsequences: false)
        .map { "    | " + visible(String(decoding: $0.last == 13 ? $0.dropLast() : $0, as: UTF8.self)) }
        .joined(separator: "\n")
}

/// `a`, `a and b`, or `a, b and c`.
package func listed(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " and " + last
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
