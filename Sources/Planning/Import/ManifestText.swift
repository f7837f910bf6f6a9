/// JSON as a person would write it: a value on its line if there is room.
package indirect enum ManifestText {
    case text(String)
    case list([ManifestText])
    case object([(String, ManifestText)])

    private static let width = 100

    package var rendered: String { render(indent: "", used: 0) }

    /// `used` is the length of the text before the value on its line.
    private func render(indent: String, used: Int) -> String {
        let flat = self.flat
        if used + flat.unicodeScalars.count <= Self.width, !isNested { return flat }
        let inner = indent + "  "
        func block(open: String, _ lines: [String], close: String) -> String {
            lines.isEmpty ? open + close : open + "\n" + lines.map { inner + $0 }.joined(separator: ",\n") + "\n" + indent + close
        }
        switch self {
        case .text: return flat
        case .list(let values): return block(open: "[", values.map { $0.render(indent: inner, used: inner.count + 1) }, close: "]")
        case .object(let members):
            let lines = members.map { key, value in
                let name = quotedJSON(key) + ": "
                return name + value.render(indent: inner, used: inner.count + name.unicodeScalars.count + 1)
            }
            return block(open: "{", lines, close: "}")
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
        case .text(let text): quotedJSON(text)
        case .list(let values): "[" + values.map(\.flat).joined(separator: ", ") + "]"
        case .object(let members):
            members.isEmpty ? "{}" : "{ " + members.map { "\(quotedJSON($0.0)): \($0.1.flat)" }.joined(separator: ", ") + " }"
        }
    }
}
