import Foundation
import Model
import TestSupport
import Testing
import Wire

@Suite struct ResumeTests {
    private static let partial = "/var/lib/deptool/store/partial"
    private let bytes: [UInt8]
    private let wanted: Wanted
    private let id: ObjectID

    init() {
        var random = Seeded()
        bytes = random.bytes(3 << 19)
        var file = Wanted.File(bytes: bytes)
        file.isExecutable = true
        id = file.id
        wanted = Wanted(["app": .init(["big": file, "copy": .init(bytes: bytes), "small": .init("small")])])
    }

    private func plan(_ number: Int = 1) -> Plan { Plan(from: nil, to: wanted, number) }

    private func pieces(_ bytes: some Collection<UInt8>) -> [Request] {
        stride(from: 0, to: bytes.count, by: Frame.contentLimit).map {
            .content(Array(bytes.dropFirst($0).prefix(Frame.contentLimit))[...])
        }
    }

    /// A host that got `count` bytes of it, in the middle of a message, before the connection was lost.
    private func host(after count: Int) throws -> TestHost {
        let host = try TestHost()
        let client = try host.session().client
        client.send(.prepare(plan().preparation))
        for content in plan().preparation.contents {
            if content.id != id { client.send(.content(Array("small".utf8)[...])) } else { client.send(pieces(bytes.prefix(count))) }
            if content.id == id { break }
        }
        client.send(bytes: [0, 0])
        try host.end(client)
        #expect(host.names(Self.partial) == [id.hex])
        #expect(host.mode(Self.partial) == "700")
        #expect(!host.exists("/var/lib/deptool/apps/app"))
        return host
    }

    /// Deploys, sending only the contents that the host lacks; returns the replies up to `locked` and the missing contents.
    private func deploy(_ plan: Plan, to host: TestHost) throws -> (resumed: [Content], missing: [[ObjectID]]) {
        let client = try host.session().client
        client.send(.prepare(plan.preparation))
        var resumed: [Content] = []
        var missing: [[ObjectID]] = []
        while let reply = try client.receive() {
            switch reply {
            case .resumed(let contents): resumed = contents
            case .locked:
                for content in plan.preparation.contents {
                    let there = resumed.first { $0.id == content.id }?.size ?? 0
                    client.send(pieces(plan.contents[content.id]!.dropFirst(Int(there))))
                }
            case .staged(let ids):
                missing.append(ids)
                guard !ids.isEmpty else {
                    client.send(.apply)
                    continue
                }
                client.send(.supply(ids.map { Content(id: $0, size: UInt64(plan.contents[$0]!.count)) }))
                for id in ids { client.send(pieces(plan.contents[id]!)) }
            case .finished(.deployed):
                try host.end(client)
                #expect(!host.exists(Self.partial))
                return (resumed, missing)
            case .finished, .refused, .busy, .stale: throw Unexpected(reply: reply)
            default: continue
            }
        }
        throw Client.Gone()
    }

    private struct Unexpected: Error { var reply: Reply }

    @Test(arguments: [1, 700_000, 3 << 19])
    func `an interrupted transfer resumes where it stopped`(count: Int) throws {
        let host = try host(after: count)
        let (resumed, missing) = try deploy(plan(2), to: host)
        #expect(resumed == [Content(id: id, size: UInt64(count))])
        #expect(missing == [[]])
        try host.expect(running: wanted, 2)
    }

    @Test func `a file is sent whole when its partial copy is damaged`() throws {
        let host = try host(after: 700_000)
        try host.write(Self.partial + "/" + id.hex, String(repeating: "x", count: 700_000))
        let (resumed, missing) = try deploy(plan(2), to: host)
        #expect(resumed == [Content(id: id, size: 700_000)])
        #expect(missing == [[id], []])
        try host.expect(running: wanted, 2)
    }

    @Test(arguments: ["too long", "symlink", "directory"])
    func `a file is sent whole when something else is in the place of its partial copy`(what: String) throws {
        let host = try host(after: 700_000)
        let path = Self.partial + "/" + id.hex
        try host.remove(path)
        try host.write("/etc/precious", String(repeating: "x", count: 1000))
        switch what {
        case "too long": try host.write(path, String(repeating: "x", count: bytes.count + 1))
        case "symlink": try host.symlink(path, to: host.real("/etc/precious"))
        default: try host.makeDirectory(path + "/below")
        }
        #expect(try deploy(plan(2), to: host).resumed == [])
        try host.expect(running: wanted, 2)
        #expect(host.read("/etc/precious")?.count == 1000)
    }

    @Test func `a file of the previous version is not sent`() throws {
        let host = try TestHost()
        let other = Wanted(["app": .init(["small": .init("small")])])
        try host.deploy(wanted, 1)
        try host.deploy(other, 2, after: (wanted, 1))
        let (resumed, missing) = try deploy(Plan(from: (other, 2), to: wanted, 3), to: host)
        #expect(resumed == [Content(id: id, size: UInt64(bytes.count))])
        #expect(missing == [[]])
        try host.expect(running: wanted, 3)
    }

    @Test func `a partial file is removed when the next deploy does not need it`() throws {
        let host = try host(after: 700_000)
        let other = Wanted(["app": .init(["small": .init("small")])])
        try host.deploy(other, 2)
        #expect(!host.exists(Self.partial))
    }

    @Test func `a partial file is removed when the disk is full`() throws {
        let host = try TestHost()
        // ENOSPC
        let client = try host.session(gate: Breaker(error: 28) { $0 == .write && $1.hasPrefix(Self.partial) }).client
        client.send(.prepare(plan().preparation))
        client.send(plan().preparation.contents.map { .content(plan().contents[$0.id]![...]) })
        while let reply = try client.receive() { if case .refused = reply { break } }
        try host.end(client)
        #expect(!host.exists(Self.partial))
    }
}
