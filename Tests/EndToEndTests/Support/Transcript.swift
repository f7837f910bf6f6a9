import Foundation
import Testing

/// A document whose `console` blocks can be run: `$ ` begins a command, which extends to the end of a here-document. Its
/// output follows. Typed text follows its prompt, and `^C` below the output that it interrupted.
///
/// Invisible comments contain the rest: `<!-- run` to `-->` holds a shell script that takes the scene to where the next
/// block is; `<!-- shown by` a command of which the next block is a part; `<!-- drawn by` names another test that
/// compares the next block.
struct Transcript {
    enum Piece {
        /// Shown, with the lines of the file that hold its output.
        case command(String, output: Range<Int>)
        /// Lines of which only the output is shown, or a part of that.
        case excerpt(of: String, output: Range<Int>)
        case hidden(String)
    }

    let path: String
    private(set) var lines: [String]
    private(set) var pieces: [Piece] = []
    /// Blocks that no test compares, or that are ambiguous, with their line numbers.
    private(set) var untested: [String] = []

    init(_ path: String) throws {
        self.path = path
        lines = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n")
        parse()
    }

    private mutating func parse() {
        var line = 0
        var shownBy: String?
        var isDrawn = false
        while line < lines.count {
            defer { line += 1 }
            let start = lines[line].drop { $0 == " " }
            if start.hasPrefix("<!--") {
                let end = lines[line...].firstIndex { $0.hasSuffix("-->") } ?? lines.count - 1
                let script = lines[min(line + 1, end)..<end].joined(separator: "\n")
                switch start {
                case "<!-- run": pieces.append(.hidden(script))
                case "<!-- shown by": shownBy = script
                default: isDrawn = start.hasPrefix("<!-- drawn by ")
                }
                line = end
            } else if start.hasPrefix("```") {
                let end = lines[(line + 1)...].firstIndex { $0.drop { $0 == " " } == "```" } ?? lines.count
                let block = (line + 1)..<end
                line = end
                if isDrawn {
                    isDrawn = false
                } else if start == "```console" {
                    parse(console: block, shownBy)
                    shownBy = nil
                } else if !["```sh", "```json", "```text"].contains(start) || lines[block].contains(where: Self.looksShown) {
                    untested.append("\(path):\(block.lowerBound): \(start)")
                }
            }
        }
    }

    private mutating func parse(console block: Range<Int>, _ shownBy: String?) {
        var line = lines[block].firstIndex { $0.hasPrefix("$ ") } ?? block.upperBound
        if line > block.lowerBound {
            if let shownBy {
                pieces.append(.excerpt(of: shownBy, output: block.lowerBound..<line))
            } else {
                untested.append("\(path):\(block.lowerBound): no command shows this")
            }
        }
        while line < block.upperBound {
            var command = String(lines[line].dropFirst(2))
            line += 1
            if let mark = command.firstMatch(of: /<<'([A-Z]+)'/)?.output.1 {
                let last = lines[line...].firstIndex(of: String(mark)) ?? block.upperBound - 1
                command += "\n" + lines[line...last].joined(separator: "\n")
                line = last + 1
            }
            let next = lines[line..<block.upperBound].firstIndex { $0.hasPrefix("$ ") } ?? block.upperBound
            pieces.append(.command(command, output: line..<next))
            line = next
        }
    }

    /// Whether a line looks like terminal output, so that it belongs into a `console` block.
    private static func looksShown(_ line: String) -> Bool {
        line.contains(/^ *(\$ |Error: |Deployed to |Rolled back |Nothing to do|Apply to )|^  [a-z0-9.]+: +[a-z]/)
    }

    func text(of output: Range<Int>) -> String { lines[output].joined(separator: "\n") }

    /// Rewrites the document with other outputs.
    mutating func replace(_ outputs: [(Range<Int>, String)]) throws {
        for (range, text) in outputs.sorted(by: { $0.0.lowerBound > $1.0.lowerBound }) {
            lines.replaceSubrange(range, with: text.isEmpty ? [] : text.components(separatedBy: "\n"))
        }
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    }

    /// The text typed at the prompts of an output, and the messages about a host before.
    static func answers(in output: String) -> [(answer: String, remark: String?)] {
        output.matches(of: #/(?:^(  \S+: .*)\n)?.*\[y/N(?:/d)?\] ([a-z]*)$/#.anchorsMatchLineEndings()).map {
            (String($0.output.2), $0.output.1.map(String.init))
        }
    }

    /// The line after which Ctrl-C is typed.
    static func interruption(in output: String) -> String? {
        output.firstMatch(of: #/(.+)\n\^C$/#.anchorsMatchLineEndings()).map { String($0.output.1) }
    }

    /// The final content of a terminal, without overwritten text (ECMA-48).
    static func screen(_ text: String) -> String {
        var rows: [[Character]] = [[]]
        var (row, column) = (0, 0)
        var rest = Substring(text)
        while let character = rest.first {
            if let match = rest.prefixMatch(of: /\x1b\[([0-9;]*)([A-Za-z])/) {
                rest = rest[match.range.upperBound...]
                let number = Int(match.output.1)
                switch match.output.2 {
                case "A": row = max(0, row - (number ?? 1))
                case "B": row = min(rows.count - 1, row + (number ?? 1))
                case "K": rows[row].removeLast(max(0, rows[row].count - (number == 2 ? 0 : column)))
                case "J":
                    rows[row].removeLast(max(0, rows[row].count - column))
                    rows.removeLast(rows.count - row - 1)
                default: break
                }
                continue
            }
            rest.removeFirst()
            switch character {
            case "\r": column = 0
            case "\n", "\r\n":
                (row, column) = (row + 1, 0)
                if row == rows.count { rows.append([]) }
            default:
                while rows[row].count <= column { rows[row].append(" ") }
                rows[row][column] = character
                column += 1
            }
        }
        return rows.map { String($0) }.joined(separator: "\n").trimmingSuffix(while: \.isNewline)
    }

    /// An output without what differs from run to run: times, ids, and process numbers.
    static func masked(_ text: String) -> String {
        let patterns: [(Regex<Substring>, String)] = [
            (/(?:\{"type":"progress",[^\n]*"state":"staging",[^\n]*\n)+/, "STAGING\n"),
            (/\b[0-9a-f]{40}\b/, "ID"), (/\b[0-9a-f]{10}\b/, "COMMIT"), (/\b[0-9]{10}\b/, "SECONDS"),
            (/\b[0-9a-f]{8}\b/, "COMMIT"), (/[0-9]+\.[0-9]+ (?:ms|s)\b/, "TIME"), (/\b[0-9]+ms\b/, "TIME"), (/\b[0-9]+s ago\b/, "TIME ago"),
            (/\b(?:[A-Z][a-z]{2} )?[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{5,}(?:\.[0-9]+)?(?: UTC)?/, "DATE"),
            (/\b[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{5,8}\b/, "DATE"), (/"milliseconds":[0-9]+/, "TIME"),
            (/SHA256:[A-Za-z0-9+\/]{43}/, "FINGERPRINT"),
            (/\bup [0-9a-z ]+, load [0-9. ]+, memory [^\n]+/, "HOW IT IS"), (/\bfor(?: [0-9]+ (?:s|min|h|d)\b)+/, "for TIME"),
            (/\[[0-9]+\]:/, "[PID]:"), (/libssh2 +[^\n]+/, "libssh2 VERSION"), (/systemd [0-9]+ \([^)]+\)/, "systemd VERSION"),
            (/[0-9.]+ .B left/, "SIZE left"), (/Main PID: [0-9]+/, "Main PID: PID"), (/[├└]─ *[0-9]+/, "PID"),
            (/10\.213\.[0-9]+\.[0-9]+/, "ADDRESS"),
        ]
        // A program's lines at its start or end come before or after systemd's.
        var text = text.replacing(#/ +\| (?:signal received, shutting down\.\.\.|nsd start(?:ing|ed) [^\n]*)\n/#, with: "")
        for (pattern, word) in patterns { text = text.replacing(pattern, with: word) }
        // Hosts answer in any order.
        return text.replacing(#/ +/#, with: " ").replacing(#/(?:^ \S+: runs .*\n)+/#.anchorsMatchLineEndings()) { answers in
            answers.output.split(separator: "\n").sorted().joined(separator: "\n") + "\n"
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> String {
        var text = self[...]
        while let last = text.last, predicate(last) { text.removeLast() }
        return String(text)
    }
}
