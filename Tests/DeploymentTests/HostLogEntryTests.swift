import Model
import TestSupport
import Testing

@testable import Deployment

@Suite struct HostLogEntryTests {
    private let one = ObjectID.of(.commit, [1])
    private let two = ObjectID.of(.commit, [2])

    @Test func `the lines of a host's log, the newest first`() {
        let log = "1 none \(one.hex) deployed Ada <a@b>\n2 \(one.hex) \(two.hex) rolled-back Bob the  Builder <b@c>\n"
        #expect(
            HostLogEntry.parse(Array(log.utf8)) == [
                HostLogEntry(time: 2, before: one, commit: two, outcome: "rolled-back", operatorName: "Bob the  Builder <b@c>"),
                HostLogEntry(time: 1, before: nil, commit: one, outcome: "deployed", operatorName: "Ada <a@b>"),
            ])
    }

    @Test func `a first line that is cut, and junk, are left out`() {
        let log =
            "\(one.hex) deployed Ada\n\n1\nx none \(one.hex) deployed Ada\n1 other \(one.hex) deployed Ada\n"
            + "9 none \(one.hex) deployed Ada\n1 none \(one.hex)"
        #expect(HostLogEntry.parse(Array(log.utf8)).map(\.time) == [9])
    }

    @Test func `whatever a host sends, it is read`() {
        var generator = Seeded()
        for _ in 0..<500 { _ = HostLogEntry.parse(generator.bytes(Int.random(in: 0...200, using: &generator))) }
    }
}
