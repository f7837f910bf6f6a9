/// A string as JSON has it (RFC 8259), with its quotation marks. Escapes control characters, and those that change the
/// direction or the lines of the text around them on a terminal.
package func quotedJSON(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0x22, 0x5c: result += "\\" + String(scalar)
        case 0x0a: result += "\\n"
        case 0x09: result += "\\t"
        case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069, 0x200e, 0x200f, 0x061c, 0xfeff:
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
