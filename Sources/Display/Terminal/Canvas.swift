/// Lines at the bottom of a terminal, changed in place (ECMA-48). Rewrites only lines that differ, to avoid flicker.
///
/// It returns the text to write. Call ``release()`` before writing anything else.
package struct Canvas: Sendable {
    private var shown: [String] = []
    private var columns = 0
    private var rows = 0

    package init() {}

    /// Returns the text that makes the terminal, now of this size, show `lines` instead of the previous ones. No line
    /// may be wider than the terminal, and there must be fewer lines than rows: the cursor stays below them.
    package mutating func draw(_ lines: [String], columns: Int, rows: Int) -> String {
        defer { (shown, self.columns, self.rows) = (lines, columns, rows) }
        guard !shown.isEmpty else { return lines.map { $0 + "\n" }.joined() }
        guard (columns, rows) == (self.columns, self.rows) else { return anew(lines, columns) }
        var text = ""
        var row = shown.count
        for (index, line) in lines.enumerated() where index >= shown.count || line != shown[index] {
            text += Self.move(from: row, to: index) + line + (index < shown.count ? "\u{1b}[K\n" : "\n")
            row = index + 1
        }
        if lines.count < shown.count { return text + Self.move(from: row, to: lines.count) + "\u{1b}[J" }
        return text + Self.move(from: row, to: lines.count)
    }

    /// Leaves the present lines in place; the next ones go below.
    package mutating func release() { shown = [] }

    /// After a change of size: a terminal wraps lines that have become too long.
    private func anew(_ lines: [String], _ columns: Int) -> String {
        let height = shown.reduce(0) { $0 + max(1, (Self.width($1) + columns - 1) / max(1, columns)) }
        return "\u{1b}[\(height)A\r\u{1b}[J" + lines.map { $0 + "\n" }.joined()
    }

    /// The cursor is in the first column before and after.
    private static func move(from row: Int, to other: Int) -> String {
        row == other ? "" : other < row ? "\u{1b}[\(row - other)A" : "\u{1b}[\(other - row)B"
    }

    /// Columns of a line on a terminal, without colour codes. Counts every non-ASCII character as wide.
    static func width(_ line: String) -> Int {
        var width = 0
        var isColor = false
        for character in line {
            if character == "\u{1b}" { isColor = true } else if !isColor { width += character.isASCII ? 1 : 2 }
            if character == "m" { isColor = false }
        }
        return width
    }

    /// As much of `text`, which may have colour, as fits. Resets the colour after a cut.
    static func cutKeepingColor(_ text: String, to columns: Int) -> String {
        guard width(text) > columns else { return text }
        var (result, left, isColor, hasColor) = ("", columns, false, false)
        for character in text {
            if character == "\u{1b}" { (isColor, hasColor) = (true, true) }
            if !isColor { left -= character.isASCII ? 1 : 2 }
            guard left >= 0 else { break }
            result.append(character)
            if character == "m" { isColor = false }
        }
        return hasColor ? result + "\u{1b}[0m" : result
    }

    /// As much of `text`, which must not have colour, as fits.
    static func cut(_ text: String, to columns: Int) -> String {
        var left = columns
        return String(
            text.prefix { character in
                left -= character.isASCII ? 1 : 2
                return left >= 0
            })
    }
}
