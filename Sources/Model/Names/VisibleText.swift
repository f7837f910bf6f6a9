/// Makes text from a host or a file harmless on a terminal: shows control characters instead of sending them, and keeps
/// the text on its line.
package func visible(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0x09: result += "    "
        case 0..<0x20: result += "^" + String(Unicode.Scalar(UInt8(scalar.value) + 0x40))
        case 0x7f: result += "^?"
        // C1 controls, other line terminators, invisible characters, and characters that change the direction of the text
        // around them.
        case 0x80..<0xa0, 0xad, 0x61c, 0x180e, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x2064, 0x2066...0x2069, 0xfeff,
            0xe0000...0xe007f:
            result += "\\u{" + String(scalar.value, radix: 16) + "}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
