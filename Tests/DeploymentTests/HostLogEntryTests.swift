import Model
import TestSupport
import Testing

@testable import Deployment

@Suite struct HostLogEntryTests {
    private let one = ObjectID.of(.commit, [1])
    private let two = ObjectID.of(.commit, [2])

    @Test func `a host's log is read newest first`() {
        let log = "1 none \(one.hex) deployed Ada <a@b>\n2 \(one.hex) \(two.hex) rolled-back Bob the  Builder <b@c>\n"
        #expect(
            HostLogEntry.parse(Array(log.utf8)) == [
                HostLogEntry(time: 2, before: one, commit: two, outcome: "rolled-back", operatorName: "Bob the  Builder <b@c>"),
                HostLogEntry(time: 1, before: nil, commit: one, outcome: "deployed", operatorName: "Ada <a@b>"),
            ])
    }

    @Test func `a truncated first line and junk are skipped`() {
        let log =
            "\(one.hex) deployed Ada\n\n1\nx none \(one.hex) deployed Ada\n1 other \(one.hex) deployed Ada\n"
            + "9 none \(one.hex) deployed Ada\n1 none \(one.hex)"
        #expect(HostLogEntry.parse(Array(log.utf8)).map(\.time) == [9])
    }

    @Test func `junk between lines hides no line`() {
        var random = Seeded()
        for _ in 0..<500 {
            var (log, entries): ([UInt8], [HostLogEntry]) = ([], [])
            for _ in 0..<random.int(0...6) {
                if random.bool() {
                    // No line begins with such a time.
                    log += Array("x".utf8) + random.bytes(random.int(0...100)).filter { $0 != 10 } + [10]
                } else {
                    let entry = HostLogEntry(
                        time: random.pick([0, 1, -1, .max, .min]), before: random.pick([nil, one]), commit: two,
                        outcome: random.pick(["deployed", "broken"]), operatorName: random.pick(["", "Ada", "a b  c", "é"]))
                    log += Array("\(entry.time) \(entry.before?.hex ?? "none") \(two.hex) \(entry.outcome) \(entry.operatorName)\n".utf8)
                    entries.append(entry)
                }
            }
            #expect(HostLogEntry.parse(log) == entries.reversed(), "seed \(random.seed)")
        }
    }
}
