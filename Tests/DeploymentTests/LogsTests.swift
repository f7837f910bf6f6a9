import Model
import Testing

@testable import Deployment

@Suite struct LogsTests {
    @Test func `lines do not depend on how the host's output is split`() {
        let sent = Array(
            "noise\nDEPTOOL-LOGSX\n1764455554\nDEPTOOL-LOGS\n1764455555.000001 a[1]: one\n    two\n1764455555.12 b: x\n\u{1}\n99999999999999.000000 c\n1764455556.000000 d\nDEPTOOL-END 0\nDEPTOOL-END other 0\nDEPTOOL-END key 3\nrest\n"
                .utf8)
        let expected = [
            LogLine(time: 1_764_455_555_000_001, text: "a[1]: one"), LogLine(time: 1_764_455_555_000_001, text: "    two"),
            LogLine(time: 1_764_455_555_000_001, text: "1764455555.12 b: x"), LogLine(time: 1_764_455_555_000_001, text: "\u{1}"),
            LogLine(time: 1_764_455_555_000_001, text: "99999999999999.000000 c"), LogLine(time: 1_764_455_556_000_000, text: "d"),
            // Without the key, which only this side and the script have.
            LogLine(time: 1_764_455_556_000_000, text: "DEPTOOL-END 0"), LogLine(time: 1_764_455_556_000_000, text: "DEPTOOL-END other 0"),
        ]
        for size in 1...sent.count {
            var parser = LogParser(key: "key")
            var lines: [LogLine] = []
            var rest = sent[...]
            while !rest.isEmpty {
                parser.add(Array(rest.prefix(size))) { lines.append($0) }
                rest = rest.dropFirst(size)
            }
            #expect(lines == expected, "\(size)")
            #expect(parser.hasBegun && parser.status == 3 && parser.hostTime == 1_764_455_554)
        }
    }

    @Test func `an endless line takes little memory, and random bytes do no harm`() {
        var parser = LogParser(key: "key")
        parser.add(Array("DEPTOOL-LOGS\n".utf8)) { _ in }
        var count = 0
        for _ in 0..<100 { parser.add([UInt8](repeating: 0x78, count: 50_000)) { count += $0.text.utf8.count } }
        #expect(count > 4_900_000)
        for _ in 0..<2000 {
            parser.add((0..<Int.random(in: 0..<200)).map { _ in [10, 0x2e, 0x31, 0x20, UInt8.random(in: 0...255)].randomElement() ?? 0 }) {
                line in
                #expect(line.time >= 0 && line.time < 1_000_000_000_000_000_000)
            }
        }
    }

    @Test func `lines are merged by time, and a host that is ahead waits`() async throws {
        let hosts = try ["a", "b", "c"].map { try #require(Hostname($0)) }
        let merge = LogMerge(hosts)
        let sent = hosts.indices.map { index in (0..<5000).map { LogLine(time: Int64($0 * 3 + index), text: "\(index)") } }
        async let first: Void = onOwnThread {
            for line in sent[0] { merge.add(hosts[0], line) }
            merge.end(hosts[0])
        }
        async let second: Void = onOwnThread {
            for line in sent[1] { merge.add(hosts[1], line) }
            merge.end(hosts[1])
        }
        async let third: Void = onOwnThread {
            for line in sent[2] { merge.add(hosts[2], line) }
            merge.end(hosts[2])
        }
        let times = await onOwnThread {
            var times: [Int64] = []
            while let lines = merge.next() { times += lines.map(\.line.time) }
            return times
        }
        _ = await (first, second, third)
        #expect(times == Array(0..<15000))
    }

    @Test func `a message of several lines stays together among others of the same time`() throws {
        let hosts = try ["a", "b"].map { try #require(Hostname($0)) }
        let merge = LogMerge(hosts)
        for host in hosts {
            for number in 0..<3 { merge.add(host, LogLine(time: 7, text: "\(host.text)\(number)")) }
            merge.end(host)
        }
        let texts = (merge.next() ?? []).map(\.line.text)
        #expect(texts == ["a0", "a1", "a2", "b0", "b1", "b2"])
        #expect(merge.next() == nil)
    }

    @Test func `after a lost connection every line is shown exactly once`() {
        var memory = LogMemory()
        #expect(memory.start == nil)
        memory.noteBegin(7)
        memory.noteBegin(8)
        #expect(memory.start == 7)
        let now: Int64 = 2_000_000_000_000_000
        func isNew(_ second: Int64, _ text: String) -> Bool {
            memory.add(LogLine(time: now + second * 1_000_000, text: text), now: now + 20_000_000)
        }
        for second in Int64(0)..<20 { #expect(isNew(second, "x")) }
        // Twice the same, as a message of several equal lines, and one from the future.
        #expect(isNew(19, "x") && isNew(1_000_000, "made up"))
        for round in 0..<2 {
            #expect(memory.start == now + 14_000_000)
            memory.expectAgain()
            for second in Int64(14)..<20 { #expect(!isNew(second, "x")) }
            #expect(!isNew(19, "x") && isNew(18, "late \(round)"))
        }
        #expect(isNew(19, "x"))
        // It remembers the last lines of a flood.
        #expect((0..<100_000).allSatisfy { isNew(30, "\($0)") } && memory.start == now + 30_000_000)
        #expect((0..<100_000).allSatisfy { isNew(1_000_000, "\($0)") } && memory.start == now + 30_000_000)
        memory.expectAgain()
        #expect(!isNew(1_000_000, "99999"))
    }

    @Test func `only names and times get into the script`() throws {
        for text in ["", "a'b", "a\"b", "$x", "`x`", "a;b", "a!b", "a\nb", "a>b", "a|b", "é", String(repeating: "a", count: 301)] {
            #expect(LogRequest(units: [text], since: nil, lines: nil) == nil, "\(text)")
            #expect(LogRequest(units: ["a.service"], since: text, lines: nil) == nil, "\(text)")
        }
        #expect(LogRequest(units: [], since: nil, lines: nil) == nil)
        let request = try #require(LogRequest(units: [#"dev-\x2d.mount"#, "a@*.service"], since: "1 hour ago", lines: 3))
        for follows in [false, true] {
            let script = request.script(follows: follows)
            #expect(script.contains(#""--since=1 hour ago" -u "dev-?x2d.mount" -u "a@*.service""#))
            #expect(!script.contains { #"'\!"#.contains($0) }, "\(script)")
        }
    }
}
