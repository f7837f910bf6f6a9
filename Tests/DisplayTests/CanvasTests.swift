import TestSupport
import Testing

@testable import Display

@Suite struct CanvasTests {
    @Test func `only changed lines are written`() {
        var canvas = Canvas()
        #expect(canvas.draw(["a", "b", "c"], columns: 80, rows: 24) == "a\nb\nc\n")
        #expect(canvas.draw(["a", "b", "c"], columns: 80, rows: 24).isEmpty)
        #expect(canvas.draw(["a", "B", "c"], columns: 80, rows: 24) == "\u{1b}[2AB\u{1b}[K\n\u{1b}[1B")
        #expect(canvas.draw(["a", "B", "c", "d"], columns: 80, rows: 24) == "d\n")
        #expect(canvas.draw(["x"], columns: 80, rows: 24) == "\u{1b}[4Ax\u{1b}[K\n\u{1b}[J")
        canvas.release()
        #expect(canvas.draw(["x"], columns: 80, rows: 24) == "x\n")
    }

    @Test func `after a change of size, wrapped lines count as several`() {
        var canvas = Canvas()
        _ = canvas.draw(["12345", "\u{1b}[32m1234\u{1b}[0m", "123456789"], columns: 10, rows: 24)
        #expect(canvas.draw(["1"], columns: 4, rows: 24) == "\u{1b}[6A\r\u{1b}[J1\n")
    }

    @Test func `colour takes no columns`() {
        #expect(Canvas.width("\u{1b}[1;31mab\u{1b}[0mc") == 3)
        #expect(Canvas.width("é漢") == 4)
        #expect(Canvas.cut("abc", to: 2) == "ab")
        #expect(Canvas.cut("a漢", to: 2) == "a")
    }

    @Test(.enabled(if: Pane.isThere, "tmux is not installed")) func `a terminal shows the last lines after any updates`() throws {
        var random = Seeded()
        let pane = try Pane(columns: 80, rows: 24)
        var canvas = Canvas()
        try pane.write("before\n")
        var (lines, hasLeft): ([String], Bool) = ([], false)
        for _ in 0..<100 {
            if Int.random(in: 0..<6, using: &random) == 0 {
                try pane.resize(columns: .random(in: 20...120, using: &random), rows: .random(in: 5...40, using: &random))
                // Lines that have scrolled off a terminal cannot be changed any more.
                hasLeft = try hasLeft || pane.hasHistory
            }
            lines = (0..<Int.random(in: 1..<pane.rows, using: &random)).map { row in
                "\(row)." + String(repeating: "x", count: .random(in: 0..<pane.columns - 4, using: &random))
            }
            try pane.write(canvas.draw(lines, columns: pane.columns, rows: pane.rows))
            let shown = try pane.history().split(separator: "\n").map(String.init)
            if hasLeft {
                #expect(shown.suffix(lines.count) == lines[...] && shown.first == "before", "seed \(random.seed)")
            } else {
                #expect(shown == ["before"] + lines, "seed \(random.seed)")
            }
        }
    }
}
