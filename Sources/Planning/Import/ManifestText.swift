/// JSON as a person would write it: a value on its line if there is room.
package indirect enum ManifestText {
    case text(String)
    case list([ManifestText])
    case object([(String, ManifestText)])

    private static let width = 100

    package var rendered: String { render(indent: "", used: 0) }

    /// `used` is what stands before the value on its line.
    private func render(indent: String, used: Int) -> String {
        let flat = self.flat
        if used + flat.unicodeScalars.count <= Self.width, !isNested { return flat }
        let inner = indent + "  "
        func block(_ open: String, _ lines: [String], _ close: String) -> String {
            lines.isEmpty ? open + close : open + "\n" + lines.map { inner + $0 }.joined(separator: ",\n") + "\n" + indent + close
        }
        switch self {
        case .text: return flat
        case .list(let values): return block("[", values.map { $0.render(indent: inner, used: inner.count + 1) }, "]")
        case .object(let members):
            let lines = members.map { key, value in
                let name = Self.quoted(key) + ": "
                return name + value.render(indent: inner, used: inner.count + name.unicodeScalars.count + 1)
            }
            return block("{", lines, "}")
        }
    }

    /// An object of objects and lists is easier to read on several lines, and so is one of many members.
    private var isNested: Bool {
        guard case .object(let members) = self else { return false }
        return members.count > 1 && !members.contains { $0.0 == "source" }
            || members.contains { if case .object = $0.1 { true } else { false } }
    }

    private var flat: String {
        switch self {
        case .text(let text): Self.quoted(text)
        case .list(let values): "[" + values.map(\.flat).joined(separator: ", ") + "]"
        case .object(let members):
            members.isEmpty ? "{}" : "{ " + members.map { "\(Self.quoted($0.0)): \($0.1.flat)" }.joined(separator: ", ") + " }"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22, 0x5c: result += "\\" + String(scalar)
            case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069, 0x200e, 0x200f, 0x061c, 0xfeff:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
