import Foundation
import Git
import Model
import TestSupport
import Testing

@Suite struct HistoryTests {
    private let workshop: Workshop
    private let store: Store

    init() throws {
        workshop = try Workshop()
        store = try workshop.store()
    }

    private var path: String { workshop.storePath + "/history" }

    private func id(_ number: Int) -> ObjectID { .of(.commit, Array("\(number)".utf8)) }

    private func note(_ number: Int, cluster: String = "prod", author: String = "Ada <ada@example.com>") throws -> HistoryEntry {
        HistoryEntry(
            time: Int64(number), commit: id(number), kind: number % 2 == 0 ? .deploy : .undo, cluster: cluster, author: author,
            hosts: [
                HostNote(host: try host("web1"), before: nil, apps: [.init(.added, try app("a+b")), .init(.removed, try app("c@d"))]),
                HostNote(host: try host("db-1.example.com"), before: id(number - 1), apps: [.init(.updated, try app("x"))]),
            ])
    }

    private func events() throws -> [HistoryEvent] {
        var events: [HistoryEvent] = []
        try store.readHistory {
            events.append($0)
            return true
        }
        return events
    }

    @Test func `an overlong line is skipped`() throws {
        try store.note([.begun(try note(2))])
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.seekToEnd()
        // Longer than one read, and than the limit of a line.
        for length in [200_000, 5 << 20] {
            try handle.write(contentsOf: Data("end\t9\t\(id(2).hex)\tweb1\tdone\t".utf8))
            try handle.write(contentsOf: Data(repeating: UInt8(ascii: "x"), count: length) + Data([10]))
        }
        try handle.close()
        try store.note([.begun(try note(3))])
        let phrase = String(repeating: "x", count: 200_000)
        #expect(
            try events() == [
                .begun(try note(3)), .ended(time: 9, commit: id(2), try host("web1"), .done, phrase), .begun(try note(2)),
            ])
    }

    @Test func `noted events are read, newest first`() throws {
        #expect(try events() == [])
        let written: [HistoryEvent] = [
            .begun(try note(2)), .ended(time: 3, commit: id(2), try host("web1"), .rolledBack, "rolled back: x failed"),
            .ended(time: 3, commit: id(2), try host("db-1.example.com"), .done, ""),
            .begun(try note(3)), .found(time: 9, try host("web1"), commit: id(4), before: nil),
            .found(time: 9, try host("web1"), commit: nil, before: id(4)), .forgotten(time: 10, try host("web1"), commit: id(4)),
        ]
        for event in written { try store.note([event]) }
        #expect(try events() == written.reversed())
    }

    @Test func `text from another operator stays in its field`() throws {
        try store.note([.begun(try note(2, cluster: "a\tb\nc", author: "E\u{1b}vil\n<x>\t\r"))])
        guard case .begun(let note)? = try events().first else { throw Missing() }
        #expect(note.cluster == "a b c")
        #expect(note.author == "E vil <x>  ")
        #expect(try events().count == 1)
    }

    private struct Missing: Error {}

    @Test func `a half written line is no event, and damages no other`() throws {
        try store.note([.begun(try note(2))])
        let whole = try Data(contentsOf: URL(filePath: path))
        for length in 1..<whole.count {
            try (whole + whole.prefix(length)).write(to: URL(filePath: path))
            try store.note([.forgotten(time: 4, try host("web1"), commit: id(2))])
            let read = try events()
            // All but the last byte is the newline alone.
            let expected = length == whole.count - 1 ? 3 : 2
            // A truncated last field looks like a shorter one.
            #expect(read.count == expected || length > whole.count - 120, "\(length)")
            #expect(read.first == .forgotten(time: 4, try host("web1"), commit: id(2)), "\(length)")
            #expect(read.last == .begun(try note(2)), "\(length)")
        }
    }

    @Test func `other bytes are skipped`() throws {
        var generator = Seeded(7)
        for _ in 0..<200 {
            let junk = Data((0..<Int.random(in: 0...300, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) })
            try junk.write(to: URL(filePath: path))
            try store.note([.begun(try note(2))])
            #expect(try events().first == .begun(try note(2)))
        }
    }

    @Test func `reading ends when enough is read, at any length of the lines`() throws {
        // Also longer than one read.
        for length in [1, 1000, 70_000, 200_000] {
            try? FileManager.default.removeItem(atPath: path)
            for number in 0..<20 {
                try store.note([
                    .ended(time: Int64(number), commit: id(number), try host("web1"), .failed, String(repeating: "x", count: length))
                ])
            }
            var times: [Int64] = []
            try store.readHistory { event in
                if case .ended(let time, _, _, _, _) = event { times.append(time) }
                return times.count < 15
            }
            #expect(times == (5..<20).reversed(), "\(length)")
        }
    }

    @Test func `concurrent writers keep each other's lines whole`() async throws {
        let path = workshop.storePath
        await withTaskGroup { group in
            for writer in 0..<4 {
                group.addTask {
                    guard let store = try? Store.open(at: path), let host = Hostname("web\(writer)") else { return }
                    for number in 0..<50 {
                        try? store.note([.ended(time: Int64(number), commit: .of(.commit, []), host, .done, "")])
                    }
                }
            }
        }
        #expect(try events().count == 200)
    }

    @Test func `commits are found by the start of their ids`() throws {
        let root = try store.writeRoot([])
        let commit = try store.commit(tree: root, parent: nil, author: Author(name: "A", email: ""), message: "x", time: 1)
        #expect(try store.commit(named: commit.short) == commit)
        #expect(try store.commit(named: String(commit.hex.prefix(4))) == commit)
        #expect(try store.commit(named: commit.hex.uppercased()) == commit)
        for name in ["", "abc", "zzzz", "../x", "\(commit.hex)0", String(root.hex.prefix(8)), "0000"] {
            #expect(throws: StoreError.unknownCommit(name)) { try store.commit(named: name) }
        }
    }

    @Test func `a root tree of hosts has the id that Git gives it`() throws {
        try workshop.fill()
        let imported = try store.importCluster(at: workshop.cluster)
        let hosts = try store.tree(imported).map { (host: try host($0.name), tree: $0.id) }
        #expect(try store.writeRoot(hosts.reversed()) == imported)
    }
}
