import Model
import Testing

@testable import Display

@Suite struct StyleTests {
    @Test(arguments: [
        ("plain ä€😀 text", "plain ä€😀 text"),
        ("\u{1b}[31mred\u{1b}[0m", "^[[31mred^[[0m"),
        ("\u{1b}]0;title\u{7}", "^[]0;title^G"),
        ("\u{9b}2J", "\\u{9b}2J"),
        ("a\rb", "a^Mb"),
        ("a\r\nb", "a^M^Jb"),
        ("a\u{8}\u{0}\u{7f}", "a^H^@^?"),
        ("a\tb", "a    b"),
        ("one\ntwo", "one^Jtwo"),
        ("\u{202e}gpj.exe\u{202c}", "\\u{202e}gpj.exe\\u{202c}"),
        ("\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}\u{feff}", "\\u{2066}\\u{2069}\\u{200e}\\u{200f}\\u{61c}\\u{feff}"),
        ("\u{2028}\u{2029}\u{85}", "\\u{2028}\\u{2029}\\u{85}"),
    ])
    func `characters that control a terminal are shown escaped`(text: String, shown: String) {
        #expect(Array(visible(text).utf8) == Array(shown.utf8))
    }

    @Test func `no control character gets through`() {
        for value in 0...UInt32(0x2fff) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let shown = visible(String(scalar))
            #expect(shown.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }, "U+\(String(value, radix: 16))")
            #expect(scalar.properties.generalCategory != .control || scalar == "\t" || shown.count > 1, "U+\(String(value, radix: 16))")
        }
    }

    @Test func `output of programs is quoted line by line`() {
        #expect(quoted("one\n\n\u{1b}[2Jtwo\r\nthree") == "    | one\n    | \n    | ^[[2Jtwo\n    | three")
    }

    @Test func `numbers and durations are written for people`() {
        #expect([0, 1, 2].map { count($0, "host") } == ["0 hosts", "1 host", "2 hosts"])
        #expect(
            [Duration.zero, .milliseconds(9), .milliseconds(430), .milliseconds(1999), .seconds(75)].map(seconds) == [
                "0.00 s", "0.00 s", "0.43 s", "1.99 s", "75.00 s",
            ])
        #expect(
            [0, 999, 1000, 1450, 999_999, 1_000_000, 1_400_000, 5_000_000_000, .max].map(size) == [
                "0 B", "999 B", "1.0 kB", "1.4 kB", "999.9 kB", "1.0 MB", "1.4 MB", "5.0 GB", "18.4 EB",
            ])
    }

    @Test func `plain style has no colour, and colour surrounds the text`() {
        let styles: [(Style) -> (String) -> String] = [
            { $0.added }, { $0.removed }, { $0.changed }, { $0.heading }, { $0.faint }, { $0.bad },
        ]
        #expect(styles.map { $0(.plain)("x") } == Array(repeating: "x", count: 6))
        #expect(styles.map { $0(.color)("x") } == ["32", "31", "33", "1", "2", "1;31"].map { "\u{1b}[\($0)mx\u{1b}[0m" })
    }
}
