import Testing

@testable import Planning

@Suite struct JSONTests {
    @Test(arguments: [
        ("null", "null"), (" true\n", "true"), ("false", "false"), ("\"\"", "''"), ("[]", "[]"), ("{}", "{}"),
        ("[ ]", "[]"), ("{\t}", "{}"), ("0", "0"), ("-0", "-0"), ("10", "10"), ("1.50", "1.50"), ("-1e5", "-1e5"),
        ("1E+5", "1E+5"), ("1.0e-5", "1.0e-5"), ("[1, [2, {\"a\" : 3}]]", "[1 [2 {a: 3}]]"),
        ("{\"a\": 1, \"a\": 2, \"\": null}", "{a: 1 a: 2 : null}"),
        (#""\"\\\/\b\f\n\r\t""#, "'\"\\/\u{8}\u{c}\n\r\t'"), (#""\u00e4\u20AC\ud834\udd1E""#, "'ä€𝄞'"),
        (#""\u0000""#, "'\0'"), ("\"\u{7f}ä\u{2028}\u{10ffff}\"", "'\u{7f}ä\u{2028}\u{10ffff}'"),
        (#""\ud7ff\ue000""#, "'\u{d7ff}\u{e000}'"),
    ])
    func `JSON is read`(text: String, expected: String) throws {
        #expect(show(try JSON.parse(Array(text.utf8))) == expected)
    }

    @Test(arguments: [
        ("", 1, "a value"), (" \n\n ", 3, "a value"), ("nul", 1, "a value"), ("True", 1, "a value"), ("nan", 1, "a value"),
        ("'a'", 1, "a value"), ("/* */ 1", 1, "a value"), ("\0", 1, "a value"), ("\u{feff}{}", 1, "a value"),
        ("nulll", 1, "the end of the file"), ("1 2", 1, "the end of the file"), ("{}\n}", 2, "the end of the file"),
        ("01", 1, "the end of the file"), ("-", 1, "a digit"), ("-a", 1, "a digit"), ("1.", 1, "a digit"),
        (".5", 1, "a value"), ("+1", 1, "a value"), ("1e", 1, "a digit"), ("1e+", 1, "a digit"), ("0x10", 1, "the end of the file"),
        ("[", 1, "a value"), ("[1", 1, "',' or ']'"), ("[1,]", 1, "a value"), ("[,1]", 1, "a value"), ("[1\n\n2]", 3, "',' or ']'"),
        ("{", 1, "a key in quotes"), ("{1: 2}", 1, "a key in quotes"), ("{a: 2}", 1, "a key in quotes"),
        ("{\"a\"}", 1, "':' behind the key \"a\""), ("{\"a\": 1,}", 1, "a key in quotes"), ("{\"a\": 1 \"b\"", 1, "',' or '}'"),
        ("{\"a\":\n\"b\"\n\"c\": 1}", 3, "',' or '}'"), ("\"", 1, "'\"' at the end of the string"),
        ("\"a\nb\"", 1, "an escape instead of a control character"), ("\"\t\"", 1, "an escape instead of a control character"),
        (#""\"#, 1, "an escape"), (#""\x41""#, 1, "an escape that JSON has"), (#""\'""#, 1, "an escape that JSON has"),
        (#""\u12""#, 1, "four hexadecimal digits"), (#""\u12g4""#, 1, "four hexadecimal digits"),
        (#""\u+123""#, 1, "four hexadecimal digits"), (#""\u-123""#, 1, "four hexadecimal digits"),
        (#""\ud834""#, 1, "the second half of a surrogate pair"), (#""\ud834\n""#, 1, "the second half of a surrogate pair"),
        (#""\ud834\u0041""#, 1, "the second half of a surrogate pair"), (#""\ud834\ud834""#, 1, "the second half of a surrogate pair"),
        (#""\udd1e""#, 1, "a Unicode character"),
    ])
    func `a syntax error has its line and the expected token`(text: String, line: Int, expected: String) {
        let problem = #expect(throws: JSON.SyntaxError.self) { try JSON.parse(Array(text.utf8)) }
        #expect(problem?.expected == expected)
        #expect(problem?.line == line)
    }

    @Test(arguments: [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]] as [[UInt8]])
    func `a string that is not UTF-8 is refused`(bytes: [UInt8]) {
        let problem = #expect(throws: JSON.SyntaxError.self) { try JSON.parse([0x22] + bytes + [0x22]) }
        #expect(problem?.expected == "UTF-8 text")
    }

    @Test func `every value has its line`() throws {
        let json = try JSON.parse(Array("\n{\n  \"a\": [1,\r\n 2],\n  \"b\":\n\n   {}\n}".utf8))
        guard case .object(let members) = json.value, case .array(let elements) = members[0].value.value else {
            Issue.record("not the object that it is")
            return
        }
        #expect(json.line == 2)
        #expect(members.map(\.value.line) == [3, 7])
        #expect(elements.map(\.line) == [3, 4])
    }

    @Test func `nesting has a limit`() throws {
        func nested(_ depth: Int) -> [UInt8] { Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8) }
        _ = try JSON.parse(nested(64))
        for depth in [65, 1_000_000] {
            #expect(throws: JSON.SyntaxError.self) { try JSON.parse(nested(depth)) }
        }
        let problem = #expect(throws: JSON.SyntaxError.self) {
            try JSON.parse(Array(String(repeating: "{\"a\":\n", count: 100_000).utf8))
        }
        #expect(problem?.expected == "less nesting")
        #expect(problem?.line == 65)
    }

    @Test func `every truncated document is refused`() throws {
        let text = Array(#" {"a": [true, false, null, -1.5e3, "\u00e4\ud834\udd1e\n ä€"], "b": {"c": {}, "d": []}}"#.utf8)
        _ = try JSON.parse(text)
        for length in 0..<text.count {
            #expect(throws: JSON.SyntaxError.self, "\(length)") { try JSON.parse(Array(text[..<length])) }
        }
    }

    private func show(_ json: JSON) -> String {
        switch json.value {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let text): text
        case .string(let text): "'\(text)'"
        case .array(let elements): "[\(elements.map(show).joined(separator: " "))]"
        case .object(let members): "{\(members.map { "\($0.key): \(show($0.value))" }.joined(separator: " "))}"
        }
    }
}
