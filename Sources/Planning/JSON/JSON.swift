/// A JSON text (RFC 8259) with the line of every value, for error messages.
struct JSON {
    indirect enum Value {
        case null
        case bool(Bool)
        /// As written.
        case number(String)
        case string(String)
        case array([JSON])
        case object([(key: String, value: JSON)])
    }

    var value: Value
    /// Counted from 1.
    var line: Int

    /// The value's kind in plain words.
    var kind: String {
        switch value {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }

    struct SyntaxError: Error {
        var line: Int
        var expected: String
    }

    /// Maximum nesting of values.
    private static let depthLimit = 64

    static func parse(_ bytes: [UInt8]) throws(SyntaxError) -> JSON {
        var parser = Parser(bytes: bytes)
        let json = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.next == nil else { throw parser.error("the end of the file") }
        return json
    }

    private struct Parser {
        let bytes: [UInt8]
        var position = 0
        var line = 1

        init(bytes: [UInt8]) { self.bytes = bytes }

        var next: UInt8? { position < bytes.count ? bytes[position] : nil }

        func error(_ expected: String) -> SyntaxError { SyntaxError(line: line, expected: expected) }

        mutating func skipSpace() {
            while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
                if byte == 0x0a { line += 1 }
                position += 1
            }
        }

        mutating func accept(_ character: Unicode.Scalar) -> Bool {
            guard next == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        mutating func value(depth: Int) throws(SyntaxError) -> JSON {
            skipSpace()
            let line = line
            guard depth < JSON.depthLimit else { throw error("less nesting") }
            let value: Value
            switch next ?? 0 {
            case UInt8(ascii: "{"): value = try object(depth: depth)
            case UInt8(ascii: "["): value = try array(depth: depth)
            case UInt8(ascii: "\""): value = .string(try string())
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): value = .number(try number())
            default: value = try word()
            }
            return JSON(value: value, line: line)
        }

        mutating func object(depth: Int) throws(SyntaxError) -> Value {
            position += 1
            var members: [(key: String, value: JSON)] = []
            skipSpace()
            if accept("}") { return .object([]) }
            while true {
                skipSpace()
                guard next == UInt8(ascii: "\"") else { throw error("a key in quotes") }
                let key = try string()
                skipSpace()
                guard accept(":") else { throw error("':' behind the key \"\(key)\"") }
                members.append((key, try value(depth: depth + 1)))
                skipSpace()
                if accept("}") { return .object(members) }
                guard accept(",") else { throw error("',' or '}'") }
            }
        }

        mutating func array(depth: Int) throws(SyntaxError) -> Value {
            position += 1
            var elements: [JSON] = []
            skipSpace()
            if accept("]") { return .array([]) }
            while true {
                elements.append(try value(depth: depth + 1))
                skipSpace()
                if accept("]") { return .array(elements) }
                guard accept(",") else { throw error("',' or ']'") }
            }
        }

        mutating func word() throws(SyntaxError) -> Value {
            for (word, value) in [("true", Value.bool(true)), ("false", .bool(false)), ("null", .null)]
            where bytes[position...].starts(with: word.utf8) {
                position += word.utf8.count
                return value
            }
            throw error("a value")
        }

        mutating func number() throws(SyntaxError) -> String {
            let start = position
            func digits() throws(SyntaxError) {
                let first = position
                while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
                if position == first { throw error("a digit") }
            }
            _ = accept("-")
            if !accept("0") { try digits() }
            if accept(".") { try digits() }
            if accept("e") || accept("E") {
                if !accept("-") { _ = accept("+") }
                try digits()
            }
            return String(decoding: bytes[start..<position], as: UTF8.self)
        }

        mutating func string() throws(SyntaxError) -> String {
            position += 1
            var content: [UInt8] = []
            while let byte = next {
                position += 1
                switch byte {
                case UInt8(ascii: "\""):
                    guard let text = String(validating: content, as: UTF8.self) else { throw error("UTF-8 text") }
                    return text
                case UInt8(ascii: "\\"): content += try escape()
                case ..<0x20: throw error("an escape instead of a control character")
                default: content.append(byte)
                }
            }
            throw error("'\"' at the end of the string")
        }

        mutating func escape() throws(SyntaxError) -> [UInt8] {
            guard let byte = next else { throw error("an escape") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
            case UInt8(ascii: "b"): return [0x08]
            case UInt8(ascii: "f"): return [0x0c]
            case UInt8(ascii: "n"): return [0x0a]
            case UInt8(ascii: "r"): return [0x0d]
            case UInt8(ascii: "t"): return [0x09]
            case UInt8(ascii: "u"): return try unicode()
            default: throw error("an escape that JSON has")
            }
        }

        mutating func unicode() throws(SyntaxError) -> [UInt8] {
            var code = try codeUnit()
            if (0xd800..<0xdc00).contains(code) {
                guard accept("\\"), accept("u") else { throw error("the second half of a surrogate pair") }
                let low = try codeUnit()
                guard (0xdc00..<0xe000).contains(low) else { throw error("the second half of a surrogate pair") }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw error("a Unicode character") }
            return Array(String(Character(scalar)).utf8)
        }

        mutating func codeUnit() throws(SyntaxError) -> UInt32 {
            guard position + 4 <= bytes.count,
                bytes[position..<position + 4].allSatisfy({ ($0 | 0x20) >= 0x30 && ($0 | 0x20) <= 0x66 }),
                let code = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
            else { throw error("four hexadecimal digits") }
            position += 4
            return code
        }
    }
}
