import CSystem
import Foundation
import Model
import Testing
import Wire

@testable import AgentCore
@testable import TestSupport

/// An agent whose `Int` has 32 bits counts like any other. DEPTOOL_AGENT_UNDER_TEST names the agent; without it, these tests have
/// this machine's own.
@Suite struct NumberTests {
    private enum Kind: UInt8 { case request, reply, preparation, record, journal, holder }

    /// The messages that the agent has read and written again; nil for one that it cannot read.
    private func codec(_ messages: [(kind: Kind, bytes: [UInt8])]) throws -> [[UInt8]?] {
        var bytes: [UInt8] = []
        for message in messages { bytes += framed([message.kind.rawValue] + message.bytes) }
        let (output, status) = try codec(input: bytes)
        #expect(status == 0)
        var answers: [[UInt8]?] = []
        var rest = output[...]
        while rest.count >= 4 {
            let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            let answer = Array(rest.dropFirst(4).prefix(count))
            answers.append(answer.first == 1 ? Array(answer.dropFirst()) : nil)
            rest = rest.dropFirst(4 + count)
        }
        try #require(answers.count == messages.count)
        return answers
    }

    private func framed(_ message: [UInt8]) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: message.count >> $0) } + message
    }

    private func codec(input: [UInt8]) throws -> (output: [UInt8], status: Int32) {
        let words = try ChildAgent.program() + ["codec"]
        let file = TestHost.temporary + "/deptool-codec-\(UUID())"
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data(input).write(to: URL(filePath: file))
        let (process, pipe) = (Process(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        process.standardInput = try FileHandle(forReadingFrom: URL(filePath: file))
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        return (Array(output), process.terminationStatus)
    }

    /// The same by this process.
    private func expected(_ kind: Kind, _ bytes: [UInt8]) -> [UInt8]? {
        switch kind {
        case .request: (try? Request(decoding: bytes)).map { if case .content = $0 { [1] } else { [0] } }
        case .reply: (try? Reply(decoding: bytes))?.encoded
        case .preparation: (try? Preparation(decoding: bytes))?.encoded
        case .record: (try? Record(decoding: bytes))?.encoded
        case .journal: (try? Journal(decoding: bytes))?.encoded
        case .holder: (try? LockHolder(decoding: bytes))?.encoded
        }
    }

    private func journal(_ random: inout Seeded) -> Journal {
        var journal = Journal(commit: random.id(), priors: [], units: [], needsReload: random.bool())
        let content = Content(id: random.id(), size: random.bool() ? 5 << 30 : .max)
        journal.priors = [
            .placed(random.absolutePath(), .file(copy: random.count()), content: content),
            .directory(random.absolutePath(), mode: 0o7777, uid: .max, gid: UInt32(Int32.max) + 1),
            .readers(random.absolutePath(), mode: 0o700, gid: .max - 1), .path(random.absolutePath(), .kept(copy: random.count())),
        ]
        journal.units = [
            .init(
                name: random.unit(), state: .unsteady, isEnabled: true, isEnablementTouched: random.bool(), limit: random.duration(),
                invocation: "x")
        ]
        return journal
    }

    private func message(_ random: inout Seeded) -> (kind: Kind, bytes: [UInt8]) {
        switch random.int(0...6) {
        case 0: (.request, random.request().encoded)
        case 1: (.preparation, random.preparation().encoded)
        case 2: (.record, random.record().encoded)
        case 3: (.journal, journal(&random).encoded)
        case 4: (.holder, LockHolder(name: random.text(), since: random.bool() ? .min : 1 << 40).encoded)
        default: (.reply, reply(&random).encoded)
        }
    }

    /// One that an agent sends: an error of it has no probe.
    private func reply(_ random: inout Seeded) -> Reply {
        while true {
            let reply = random.reply()
            if !String(describing: reply).contains("probe(Optional") { return reply }
        }
    }

    @Test func `an agent writes the bytes that it has read`() throws {
        var random = Seeded()
        let messages = (0..<4000).map { _ in message(&random) }
        let answers = try codec(messages)
        for (message, answer) in zip(messages, answers) {
            #expect(answer == (message.kind == .request ? expected(.request, message.bytes) : message.bytes), "seed \(random.seed)")
        }
    }

    @Test func `damaged messages are refused or read, never a trap`() throws {
        var random = Seeded()
        var messages: [(kind: Kind, bytes: [UInt8])] = []
        for _ in 0..<400 {
            let (kind, bytes) = message(&random)
            for _ in 0..<30 where !bytes.isEmpty {
                var changed = bytes
                let place = random.int(0...bytes.count - 1)
                switch random.int(0...3) {
                case 0: changed = Array(bytes[..<place])
                case 1: changed[place] = 0xff
                // A number as large as one can be.
                case 2: changed.replaceSubrange(place...place, with: [UInt8](repeating: 0xff, count: random.int(3...9)) + [1])
                default: changed[place] ^= UInt8(random.int(1...255))
                }
                messages.append((kind, changed))
            }
        }
        for (message, answer) in zip(messages, try codec(messages)) where message.kind != .reply {
            // Agents read no replies, so that of those only the trap matters.
            #expect(answer == expected(message.kind, message.bytes), "seed \(random.seed)")
        }
    }

    @Test(arguments: [0x0400_0001, 0x7fff_ffff, 0x8000_0000, 0xffff_fffb, 0xffff_ffff] as [UInt32])
    func `a frame that is too long ends the session`(length: UInt32) throws {
        let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
        #expect(try codec(input: bytes + [0, 0, 0, 0]).status == 1)
    }

    // MARK: On a host

    private func truncate(_ host: TestHost, _ path: String, _ size: UInt64) throws {
        try host.write(path, "")
        let descriptor = try #require(FileHandle(forWritingAtPath: host.real(path)))
        try descriptor.truncate(atOffset: size)
    }

    @Test func `a file that the disk has no room for is reported with all its bytes`() throws {
        let host = try TestHost()
        let wanted = Wanted(["app": .init(["large": .init("x")])])
        var plan = Plan(from: nil, to: wanted, 1)
        let size: UInt64 = 1 << 60 + 5 << 32
        plan.preparation.contents[0].size = size
        let child = try ChildAgent(host)
        _ = try child.client.greet()
        child.client.send(.prepare(plan.preparation))
        guard case .obstructed(let failures, more: 0)? = try child.client.receive(),
            case .noRoom(_, let needed, let available)? = failures.first?.problem
        else {
            Issue.record("\(child.client.replies)")
            return
        }
        #expect(needed == (size + 4095) / 4096 * 4096)
        let values = try FileManager.default.attributesOfFileSystem(forPath: host.root)
        let free = try #require(values[.systemFreeSize] as? UInt64)
        // Others use the disk as well.
        #expect(available.magnitude.distance(to: free).magnitude < 1 << 30)
        #expect(try child.finish() == 0)
    }

    @Test func `a file larger than 4 GiB is resumed where it was cut off`() throws {
        let host = try TestHost()
        let wanted = Wanted(["app": .init(["large": .init("x")])])
        var plan = Plan(from: nil, to: wanted, 1)
        plan.preparation.contents[0].size = 6 << 30
        let id = plan.preparation.contents[0].id
        let there: UInt64 = 5 << 30 + 1
        try truncate(host, "/var/lib/deptool/store/partial/" + id.hex, there)
        let child = try ChildAgent(host)
        _ = try child.client.greet()
        child.client.send(.prepare(plan.preparation))
        let reply = try child.client.receive()
        // On a machine without as much memory, there is no room for the rest.
        if case .obstructed = reply { return }
        #expect(reply == .resumed([Content(id: id, size: there)]))
        // It reads all of that before it asks for more; the test does not wait for that.
        child.kill()
    }

    @Test func `a file of terabytes is reported and not read`() throws {
        let host = try TestHost()
        let wanted = Wanted(["app": .init(["a": .init("a")], links: ["/etc/a": "a"])])
        try host.deploy(wanted, 1)
        try host.remove("/etc/a")
        try truncate(host, "/etc/a", 4 << 40 + 1)
        let child = try ChildAgent(host)
        _ = try child.client.greet()
        let path = try AbsolutePath("/etc/a")
        child.client.send(.verify([]), .read([path]))
        var drift: [Drift] = []
        while case .drift(let found)? = try child.client.receive(), !found.isEmpty { drift += found }
        #expect(drift == [Drift(AppName("app"), .link(path, try RelativePath("a"), .other))])
        #expect(try child.client.receive() == .file(size: nil))
        #expect(try child.finish() == 0)
    }

    @Test(arguments: [3, 5_000_000_000, 1 << 48])
    func `an answer of HTTP may have any length`(length: Int64) throws {
        let service = try ProbedService(answering: "HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\nok")
        let child = try ChildAgent(TestHost())
        _ = try child.client.greet()
        let endpoint = Endpoint(address: [127, 0, 0, 1], port: service.port)
        child.client.send(.probe([Probe(.http(endpoint, HTTPRequest(path: "/", host: "localhost")))]))
        #expect(try child.client.receive() == .answer(.cutOff(received: 2, of: length)))
        #expect(try child.finish() == 0)
    }

    @Test func `the highest ids of users and groups are known`() throws {
        let host = try TestHost()
        try host.write("/etc/group", "root:x:0:\nhigh:x:4294967294:\n")
        try host.write("/etc/passwd", "root:x:0:0::/:/bin/sh\n")
        let child = try ChildAgent(host)
        _ = try child.client.greet()
        var plan = Plan(from: nil, to: Wanted(["app": .init(["a": .init("a")])]), 1)
        plan.preparation.steps.append(Step(AppName("app"), .grant(try #require(GroupName("high")))))
        let ending = try child.client.deploy(plan)
        #expect(ending == .finished(.deployed))
        #expect(try child.finish() == 0)
    }

    /// The number behind the comment of a host's key is its length.
    @Test(arguments: [0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_ff1b] as [UInt32])
    func `a damaged key of the host opens nothing`(length: UInt32) throws {
        let host = try TestHost()
        let lines = HostKey.shared.file.split(separator: "\n").map(String.init)
        var key = try #require(Data(base64Encoded: lines[1..<lines.count - 1].joined()))
        key.replaceSubrange(225..<229, with: [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) })
        try host.write(
            "/etc/ssh/ssh_host_ed25519_key", "\(lines[0])\n\(key.base64EncodedString())\n\(lines[lines.count - 1])\n", mode: 0o600)
        let plan = Plan(from: nil, to: Wanted(["app": .init(["secrets/a.age": .init(sealed: "a")])]), 1)
        let (status, ending) = try ChildAgent.deploy(plan, to: host)
        guard case .refused(let failure) = ending, case .sealed(_, .keyUnusable) = failure.problem else {
            Issue.record("\(ending)")
            return
        }
        #expect(status == 0)
    }
}
