/// The closest word to a misspelt one; nil if none is close.
package func near(_ word: String, among words: [String]) -> String? {
    let limit = max(1, word.count / 3)
    return words.map { ($0, distance(Array(word.unicodeScalars), Array($0.unicodeScalars))) }
        .filter { $0.1 <= limit }.min { $0.1 < $1.1 }?.0
}

/// The number of insertions, deletions, replacements and swaps of neighbours between the two (optimal string
/// alignment).
private func distance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    guard abs(a.count - b.count) <= 8, a.count < 256 else { return .max }
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var best = min(rows[i][j] + (a[i] == b[j] ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[a.count][b.count]
}
