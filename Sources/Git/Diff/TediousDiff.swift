/// A comparison that would take xdiff, libgit2's line differ, minutes: many lines that are also in the other file but
/// in a very different order, such as two large files with few distinct lines.
struct TediousDiff {
    private let old, new: [ArraySlice<UInt8>]

    /// Common lines that xdiff always compares within about a second.
    private static let bearableLines = 200_000
    /// Acceptable changes, for any number of lines.
    private static let bearableChanges = 5000
    /// Maximum comparisons of two lines before giving up.
    private static let maximumSteps = 100_000_000
    private static let context = 3

    /// Nil if the comparison is not tedious.
    init?(_ old: [UInt8], _ new: [UInt8]) {
        // In bytes: a line has at least one.
        guard old.count + new.count > Self.bearableLines else { return nil }
        self.old = Self.lines(old)
        self.new = Self.lines(new)
        guard self.old.count + self.new.count > Self.bearableLines else { return nil }
        var one = self.old.map { Self.hash($0) }, other = self.new.map { Self.hash($0) }
        // xdiff sets aside lines that the other file lacks.
        let (inOne, inOther) = (Set(one), Set(other))
        one.removeAll { !inOther.contains($0) }
        other.removeAll { !inOne.contains($0) }
        guard one.count + other.count > Self.bearableLines, !Self.isNear(one, other) else { return nil }
    }

    /// Removes and adds all lines between the first and the last difference.
    func replacement() -> TextDiff {
        let most = min(old.count, new.count)
        var start = 0
        while start < most, old[start].elementsEqual(new[start]) { start += 1 }
        var end = 0
        while end < most - start, old[old.count - 1 - end].elementsEqual(new[new.count - 1 - end]) { end += 1 }
        let removed = start..<(old.count - end), added = start..<(new.count - end)
        let before = max(0, start - Self.context)..<start
        let after = removed.upperBound..<min(old.count, removed.upperBound + Self.context)
        let lines =
            before.map { TextDiff.Line(.context, old[$0]) } + removed.map { TextDiff.Line(.removed, old[$0]) }
            + added.map { TextDiff.Line(.added, new[$0]) } + after.map { TextDiff.Line(.context, old[$0]) }
        let around = before.count + after.count
        let header = "@@ -\(before.lowerBound + 1),\(around + removed.count) +\(before.lowerBound + 1),\(around + added.count) @@"
        return TextDiff(hunks: [.init(header: header, lines: lines)], added: added.count, removed: removed.count)
    }

    /// Each line with its newline.
    private static func lines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(rest[...end])
            rest = rest[(end + 1)...]
        }
        if !rest.isEmpty { lines.append(rest) }
        return lines
    }

    /// FNV-1a. A collision can only make the guess wrong.
    private static func hash(_ line: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in line { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }

    /// Whether few enough changes turn one into the other (Myers, "An O(ND) Difference Algorithm and Its
    /// Variations").
    private static func isNear(_ one: [UInt64], _ other: [UInt64]) -> Bool {
        var furthest = [Int](repeating: 0, count: 2 * bearableChanges + 3)
        let middle = bearableChanges + 1
        var steps = 0
        for changes in 0...bearableChanges {
            for diagonal in stride(from: -changes, through: changes, by: 2) {
                let (below, above) = (furthest[middle + diagonal - 1], furthest[middle + diagonal + 1])
                var x = diagonal == -changes || (diagonal != changes && below < above) ? above : below + 1
                let start = x
                while x < one.count, x - diagonal >= 0, x - diagonal < other.count, one[x] == other[x - diagonal] { x += 1 }
                furthest[middle + diagonal] = x
                if x >= one.count, x - diagonal >= other.count { return true }
                steps += x - start + 1
            }
            if steps > maximumSteps { return false }
        }
        return false
    }
}

extension TextDiff.Line {
    fileprivate init(_ kind: Kind, _ bytes: ArraySlice<UInt8>) {
        let hasNewline = bytes.last == UInt8(ascii: "\n")
        self.init(kind, String(decoding: hasNewline ? bytes.dropLast() : bytes, as: UTF8.self), endsWithNewline: hasNewline)
    }
}
