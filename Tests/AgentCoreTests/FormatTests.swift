import Foundation
import Model
import TestSupport
import Testing
import Wire

@testable import AgentCore

/// Files of earlier versions are read; files of later ones are named. `Formats` holds files that released agents left on a
/// host.
@Suite struct FormatTests {
    private func kept(_ name: String) throws -> [UInt8] {
        let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Formats")
        return Array(try Data(contentsOf: directory.appending(path: name)))
    }

    @Test func `a record of version 1 has links in the place of placed files`() throws {
        let stored = try StoredRecord(decoding: try kept("record-1"))
        #expect(stored.record.links.map(\.path.text) == ["/etc/one.conf", "/etc/systemd/system/one.service"])
        #expect(stored.record.placed == [])
        #expect(stored.record.units.map(\.name.text) == ["one.service"])
        #expect(stored.record.isConsistent)
        #expect(!stored.knowsEnablement)
        #expect(stored.writer == "")
        // Written again, it has the same content.
        let again = try StoredRecord(decoding: stored.encoded)
        #expect(again.record == stored.record)
        #expect(again.machineID == stored.machineID)
    }

    @Test func `a journal of version 1 is undone`() throws {
        let journal = try Journal(decoding: try kept("journal-1"))
        #expect(journal.units.map(\.name.text) == ["one.service"])
        #expect(journal.enablement == nil)
        let host = try TestHost()
        let before = try host.listing()
        try host.makeDirectory("/var/lib/deptool/store")
        try host.makeDirectory("/var/lib/deptool/apps/nsd/526c8dfd9c")
        try Data(try kept("journal-1")).write(to: URL(filePath: host.real("/var/lib/deptool/store/journal")))
        try host.symlink("/etc/two.conf", to: "/var/lib/deptool/apps/nsd/current/one.conf")
        try host.symlink("/etc/systemd/system/one.service", to: "/var/lib/deptool/apps/nsd/current/systemd/one.service")
        let (client, hello) = try host.session()
        try host.end(client)
        #expect(hello.recovery == .rolledBack(AgentError(.interrupted)))
        #expect(!host.exists("/etc/two.conf"))
        #expect(host.target("/etc/systemd/system/one.service") == "/var/lib/deptool/apps/nsd/current/systemd/one.service")
        #expect(!host.exists("/var/lib/deptool/store/journal"))
        #expect(before["/etc/hostname"] == (try host.listing())["/etc/hostname"])
    }

    @Test func `a journal of version 2 has no machine id and no sizes`() throws {
        let journal = try Journal(decoding: try kept("journal-2"))
        #expect(journal.machineID == nil)
        #expect(journal.writer == "deptool-agent-0.1.0-fb09756278")
        #expect(journal.units.map(\.name.text) == ["slow.service"])
        let placed = journal.priors.compactMap { prior -> String? in
            guard case .placed(let path, .nothing, let content?) = prior else { return nil }
            return "\(path.text) \(content.id.short) \(content.size == Content.unknownSize)"
        }
        #expect(placed == ["/etc/slow.copy ce01362503 true", "/etc/systemd/system/slow.service 2083f4a1cf true"])
        // Undoing may write it again.
        #expect(try Journal(decoding: journal.encoded) == journal)
    }

    @Test func `a journal has the sizes of placed files and the host's machine id`() throws {
        let content = Content(id: .of(.blob, []), size: 7)
        var journal = Journal(writer: "w", machineID: "", commit: nil, priors: [], units: [], needsReload: false)
        journal.priors = [.placed(try AbsolutePath("/etc/x"), .nothing, content: content)]
        #expect(try Journal(decoding: journal.encoded) == journal)
        #expect(content.canHave(7) && !content.canHave(8))
        #expect(Content(id: content.id, size: Content.unknownSize).canHave(8))
        #expect(!Content(id: content.id, size: Content.unknownSize).canHave(8 << 40))
    }

    @Test(arguments: [3, 4, 5]) func `older journals lack reloads and secrets`(version: UInt8) throws {
        var journal = Journal(writer: "w", machineID: "m", commit: nil, priors: [], units: [], needsReload: true)
        // The version is behind the magic and the kind, and the newest list at the end.
        var bytes = journal.encoded
        #expect(bytes[5] == 5)
        bytes[5] = version
        bytes.removeLast(Int(5 - version))
        #expect(try Journal(decoding: bytes) == journal)
        journal.reloaded = [try #require(UnitName("a.service"))]
        journal.unsealed = [try #require(AppName("shop"))]
        #expect(try Journal(decoding: journal.encoded) == journal)
    }

    @Test(arguments: ["record", "journal"]) func `a file of a newer agent is named and left alone`(name: String) throws {
        let host = try TestHost()
        try host.makeDirectory("/var/lib/deptool/store")
        var writer = ByteWriter()
        for byte in [0xff, 0x64, 0x65, 0x70, name == "record" ? 1 : 2] as [UInt8] { writer.byte(byte) }
        writer.number(99)
        writer.text("deptool-agent-9-ffffffffff")
        writer.text("whatever comes then")
        let path = "/var/lib/deptool/store/" + name
        try Data(writer.bytes).write(to: URL(filePath: host.real(path)))
        let before = try host.listing()
        let client = try host.connect()
        let expected = Reply.refused(AgentError(.newerFormat(path: path, writer: "deptool-agent-9-ffffffffff")))
        #expect(try client.greet() == expected)
        try host.end(client)
        #expect(difference(before, try host.listing()).filter { !$0.contains("/store/lock") } == [])
    }

    @Test func `the agent that wrote the journal undoes it`() throws {
        let host = try TestHost()
        let other = "/var/lib/deptool/bin/deptool-agent-9-ffffffffff"
        // As a recovery would end.
        try host.write(
            other, "#!/bin/sh\nrm '\(host.real("/var/lib/deptool/store/journal"))'\necho done >'\(host.real("/etc/by-writer"))'\n",
            mode: 0o755)
        try host.makeDirectory("/var/lib/deptool/store")
        var writer = ByteWriter()
        for byte in [0xff, 0x64, 0x65, 0x70, 2] as [UInt8] { writer.byte(byte) }
        writer.number(4)
        writer.text("deptool-agent-9-ffffffffff")
        try Data(writer.bytes).write(to: URL(filePath: host.real("/var/lib/deptool/store/journal")))
        let (client, _) = try host.session()
        try host.end(client)
        #expect(host.read("/etc/by-writer") == "done\n")
    }

    @Test func `damaged headers are errors`() throws {
        var random = Seeded()
        let journal = try Journal(decoding: try kept("journal-1"))
        let stored = try StoredRecord(decoding: try kept("record-1"))
        for _ in 0..<2000 {
            for bytes in [journal.encoded, stored.encoded] {
                var damaged = bytes
                damaged[random.int(0...min(12, bytes.count - 1))] = UInt8(random.int(0...255))
                damaged.removeLast(random.pick([0, 0, 1, 5]))
                _ = try? Journal(decoding: damaged)
                _ = try? StoredRecord(decoding: damaged)
            }
        }
    }
}
