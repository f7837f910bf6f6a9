/// Whether `text` matches `pattern` with `*` (anything) and `?` (one byte). Time: at most the product of the lengths.
package func matchesGlob(_ text: [UInt8], _ pattern: [UInt8]) -> Bool {
    var at = 0, next = 0
    // Where to retry if the part after the last star does not match.
    var star: (pattern: Int, text: Int)?
    while at < text.count {
        if next < pattern.count, pattern[next] == UInt8(ascii: "*") {
            star = (next, at)
            next += 1
        } else if next < pattern.count, pattern[next] == UInt8(ascii: "?") || pattern[next] == text[at] {
            next += 1
            at += 1
        } else if let last = star {
            star = (last.pattern, last.text + 1)
            next = last.pattern + 1
            at = last.text + 1
        } else {
            return false
        }
    }
    return pattern[next...].allSatisfy { $0 == UInt8(ascii: "*") }
}
