import AgentCore
import CSystem
import Foundation
import Model
import TestSupport
import Testing
import Wire

@Suite struct ProtocolTests {
    let wanted = Wanted([
        "dns": .init(["a": .init("aaa"), "b": .init("bb"), "empty": .init("")], links: ["/etc/a": "a"]),
        "web": .init(["c": .init("ccc")]),
    ])

    /// A host with the first deploy behind it, and the plan for the next.
    private func prepared() throws -> (host: TestHost, plan: Plan, before: [String: String]) {
        let host = try TestHost()
        let old = Wanted(["dns": .init(["a": .init("old")], links: ["/etc/a": "a"]), "gone": .init(["x": .init("x")])])
        try host.deploy(old, 1)
        return (host, Plan(from: (old, 1), to: wanted, 2), try host.listing())
    }

    @Test func `the record is sent on request, if there is one`() throws {
        let host = try TestHost()
        var client = try host.session().client
        client.send(.record, .ping, .cancel, .content([1]), .fetch([]), .ping)
        #expect(try client.receive() == .record(nil))
        #expect(try client.receive() == .pong)
        #expect(try client.receive() == .pong)
        try host.end(client)
        try host.deploy(wanted, 1)
        let (next, hello) = try host.session()
        client = next
        #expect(hello.commit == wanted.record(1).commit)
        client.send(.record)
        #expect(try client.receive() == .record(wanted.record(1)))
    }

    @Test func `recorded files are sent, and no others`() throws {
        let host = try TestHost()
        try host.deploy(wanted, 1)
        try host.write("/var/lib/deptool/apps/dns/current/b", "edited")
        try host.write("/etc/secret", "secret")
        let client = try host.session().client
        let ids = ["aaa", "bb", "", "ccc", "secret"].map { Wanted.File($0).id }
        client.send(.fetch(ids))
        #expect(try client.receive() == .file(size: 3))
        #expect(try client.receive() == .content(Array("aaa".utf8)))
        #expect(try client.receive() == .file(size: nil))
        #expect(try client.receive() == .file(size: 0))
        #expect(try client.receive() == .file(size: 3))
        #expect(try client.receive() == .content(Array("ccc".utf8)))
        #expect(try client.receive() == .file(size: nil))
    }

    @Test func `the end of the host's own log is sent on request`() throws {
        let host = try TestHost()
        var client = try host.session().client
        client.send(.log)
        #expect(try client.receive() == .log([]))
        try host.end(client)
        try host.deploy(wanted, 1)
        client = try host.session().client
        client.send(.log)
        guard case .log(let bytes)? = try client.receive() else { throw Client.Gone() }
        #expect(String(decoding: bytes, as: UTF8.self).contains(" none \(wanted.record(1).commit.hex) deployed "))
        let long = String(repeating: "x", count: 300 << 10)
        try host.write("/var/lib/deptool/store/log.old", long)
        client.send(.log)
        guard case .log(let tail)? = try client.receive() else { throw Client.Gone() }
        #expect(tail.count == 256 << 10)
        #expect(tail.suffix(bytes.count) == bytes[...])
    }

    @Test func `a host that does not run the expected commit reports its record and changes nothing`() throws {
        let (host, plan, before) = try prepared()
        var other = plan
        for expected in [nil, ObjectID.of(.blob, [])] as [ObjectID?] {
            other.preparation.expected = expected
            guard case .stale(let record?) = try host.deploy(other) else {
                Issue.record("not stale")
                return
            }
            #expect(record.commit == plan.preparation.expected)
        }
        try host.expect(unchangedSince: before)
        // A stale answer does not end the session.
        let client = try host.session().client
        client.send(.prepare(other.preparation))
        while let reply = try client.receive() { if case .stale = reply { break } }
        #expect(try client.deploy(plan) == .finished(.deployed))
    }

    @Test func `an empty host makes a plan for a deployed host stale`() throws {
        let host = try TestHost()
        var plan = Plan(from: nil, to: wanted, 1)
        plan.preparation.expected = .of(.blob, [])
        #expect(try host.deploy(plan) == .stale(nil))
        #expect(host.names("/var/lib/deptool/apps") == [])
    }

    @Test func `the same deploy again is stale, and changes nothing`() throws {
        let (host, plan, _) = try prepared()
        #expect(try host.deploy(plan) == .finished(.deployed))
        let after = try host.listing()
        #expect(try host.deploy(plan) == .stale(wanted.record(2)))
        #expect(difference(after, try host.listing()) == [])
    }

    @Test func `a second deploy gets the holder of the lock`() throws {
        let (host, plan, before) = try prepared()
        let first = try host.session().client
        var named = plan.preparation
        named.holder = "Grace <grace@example.com>"
        first.send(.prepare(named))
        #expect(try first.receive() == .locked)
        let (second, hello) = try host.session()
        #expect(hello.recovery == nil)
        guard case .busy(let holder) = try second.deploy(plan) else {
            Issue.record("not busy")
            return
        }
        #expect(holder.name == "Grace <grace@example.com>")
        #expect(abs(holder.since - Int64(Date.now.timeIntervalSince1970)) < 60)
        first.send(.cancel, .ping)
        while let reply = try first.receive(), reply != .pong {}
        try host.expect(unchangedSince: before)
        #expect(try second.deploy(plan) == .finished(.deployed))
        try host.end(first)
        try host.end(second)
        try host.expect(running: wanted, 2)
    }

    enum Exit: CaseIterable { case cancel, hangUp, vanish, halfMessage, malformed, violation, tooLong }

    @Test(arguments: Exit.allCases)
    func `a client that leaves before apply leaves nothing behind`(exit: Exit) throws {
        let (host, plan, before) = try prepared()
        let script = plan.script.dropLast()
        for count in 1...script.count {
            let client = try host.session().client
            client.send(Array(script.prefix(count)))
            switch exit {
            case .cancel:
                client.send(.cancel, .ping)
                while let reply = try client.receive(), reply != .pong {}
                #expect(client.replies.last == .pong)
            case .hangUp: break
            case .vanish:
                while let reply = try client.receive(), reply != .locked {}
                client.close()
                #expect(try host.isLockFree())
            case .halfMessage: client.send(bytes: Array(Frame.encode(Request.content([1, 2, 3])).dropLast()))
            case .malformed: client.send(bytes: [0, 0, 0, 1, 99])
            case .violation: client.send(.fetch([]))
            case .tooLong: client.send(bytes: [0xff, 0xff, 0xff, 0xff])
            }
            if exit != .vanish { try host.end(client) }
            let last = client.replies.last
            switch exit {
            case .violation: #expect(last == .refused(AgentError(.protocolViolation)))
            case .malformed: #expect(last == .refused(AgentError(.unreadable(path: "request", .unknownCase))))
            case .halfMessage: #expect(last == .refused(AgentError(.unreadable(path: "request", .truncated))))
            case .tooLong: #expect(last == .refused(AgentError(.unreadable(path: "request", .tooLong))))
            case .cancel, .hangUp, .vanish: break
            }
            try host.expect(unchangedSince: before, "after \(count) messages")
        }
        #expect(try host.deploy(plan) == .finished(.deployed))
        try host.expect(running: wanted, 2)
    }

    /// Runs the transaction up to a certain operation, and sends something there.
    private final class Interrupter: OperationGate {
        var count = 0
        let number: Int
        let action: () -> Void

        init(at number: Int, _ action: @escaping () -> Void) {
            self.number = number
            self.action = action
        }

        func pass(_ operation: AgentCore.Operation, _ path: String) -> Int32 {
            count += 1
            if count == number { action() }
            return 0
        }

        func allowance(_ count: Int) -> Int { count }
    }

    @Test(arguments: ["cancel", "hang up", "violation"])
    func `a client that leaves during the steps gets the old state or the new`(how: String) throws {
        let (host, plan, before) = try prepared()
        var (undone, done) = (0, 0)
        var number = 0
        while true {
            number += 1
            let copy = try TestHost(copyOf: host)
            nonisolated(unsafe) var client: Client?
            let gate = Interrupter(at: number) {
                switch how {
                case "cancel": client?.send(.cancel, .ping)
                case "hang up": client?.hangUp()
                default: client?.send(.record)
                }
            }
            let connected = try copy.connect(gate: gate)
            client = connected
            _ = try connected.greet()
            _ = try connected.deploy(plan)
            try copy.end(connected)
            if gate.count < number { break }
            let isNew = copy.names("/var/lib/deptool/apps") == ["dns", "web"]
            if isNew { done += 1 } else { undone += 1 }
            let problems =
                isNew
                ? try copy.problems(running: wanted, 2) : difference(before, try copy.listing())
            #expect(problems == [], "at operation \(number)")
        }
        #expect(undone > 10 && done > 0)
    }

    // MARK: Preparations that make no sense

    private func expectRefusal(_ change: (inout Preparation) -> Void, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let (host, plan, before) = try prepared()
        var changed = plan
        change(&changed.preparation)
        let client = try host.session().client
        client.send([.prepare(changed.preparation)] + plan.script.dropFirst())
        try host.end(client)
        guard case .refused = client.replies.last else {
            Issue.record("\(String(describing: client.replies.last))", sourceLocation: sourceLocation)
            return
        }
        try host.expect(unchangedSince: before, sourceLocation: sourceLocation)
        #expect(try host.deploy(plan) == .finished(.deployed), sourceLocation: sourceLocation)
        try host.expect(running: wanted, 2, sourceLocation: sourceLocation)
    }

    @Test func `a record without its commit is refused`() throws {
        try expectRefusal { $0.record.objects = [] }
        try expectRefusal { $0.record.objects[0].bytes.append(0) }
        try expectRefusal { $0.record.objects[0].kind = .tree }
    }

    @Test func `a deploy of the current commit is refused`() throws {
        try expectRefusal { preparation in
            let old = Wanted().record(1)
            preparation.record.commit = old.commit
            preparation.record.objects = old.objects
        }
    }

    @Test func `steps that do not fit the record are refused`() throws {
        let (dns, other) = (AppName("dns")!, AppName("other")!)
        let path = try AbsolutePath("/etc/new")
        try expectRefusal { $0.steps.append(Step(other, .checkout(for: .everybody))) }
        try expectRefusal { $0.steps.append(Step(other, .activate)) }
        try expectRefusal { $0.steps.append(Step(nil, .activate)) }
        try expectRefusal { $0.steps.append(Step(nil, .checkout(for: .everybody))) }
        try expectRefusal { $0.steps.append(Step(nil, .remove)) }
        try expectRefusal { $0.steps.append(Step(dns, .remove)) }
        try expectRefusal { $0.steps.removeFirst() }  // activated, but never checked out
        try expectRefusal { $0.steps.removeAll { $0 == Step(dns, .activate) } }
        try expectRefusal { $0.steps.append(Step(other, .link(path: path, source: try! RelativePath("a")))) }
        try expectRefusal { $0.steps.append(Step(dns, .link(path: path, source: try! RelativePath("a")))) }
        try expectRefusal { $0.steps.append(Step(nil, .link(path: path, source: try! RelativePath("a")))) }
    }

    @Test(arguments: [
        "/var/lib/deptool", "/var/lib/deptool/store/record", "/var/lib/deptool/apps/dns/current", "/var/lib", "/var",
    ])
    func `a link at the path of Deptool's own files is refused`(path: String) throws {
        let link = Link(path: try AbsolutePath(path), app: AppName("dns")!, source: try RelativePath("a"))
        try expectRefusal {
            $0.record.links.append(link)
            $0.steps.append(Step(link.app, .link(path: link.path, source: link.source)))
        }
        try expectRefusal { $0.steps.append(Step(link.app, .unlink(path: link.path))) }
    }

    @Test func `contents that do not fit the files are refused`() throws {
        let stranger = Content(id: Wanted.File("nobody asked").id, size: 12)
        try expectRefusal { $0.contents.append(stranger) }
        try expectRefusal { $0.contents.append($0.contents[0]) }
        try expectRefusal { $0.contents[0].size += 1 }
        try expectRefusal { $0.contents[0].size -= 1 }
        try expectRefusal { $0.contents.swapAt(0, 1) }
        try expectRefusal { $0.contents[0].size = UInt64(Int64.max) }
    }

    /// A host on which two adopted files turn out to be edited, and a session that found this.
    private func lacking() throws -> (host: TestHost, client: Client, contents: [Content]) {
        let host = try TestHost()
        let old = Wanted(["dns": .init(["a": .init("aaa"), "b": .init("bb")])])
        try host.deploy(old, 1)
        for name in ["a", "b"] { try host.write("/var/lib/deptool/apps/dns/current/" + name, "edited") }
        var new = old
        new.apps["dns"]!.files["c"] = .init("c")
        let client = try host.session().client
        client.send(.prepare(Plan(from: (old, 1), to: new, 2).preparation), .content(Array("c".utf8)[...]))
        #expect(try client.receive() == .locked)
        guard case .staged(let missing) = try client.receive() else { throw Client.Gone() }
        let contents = [("aaa", 3), ("bb", 2)].map { Content(id: Wanted.File($0).id, size: $1) }
        #expect(Set(missing) == Set(contents.map(\.id)))
        return (host, client, contents)
    }

    @Test func `missing contents may be supplied in parts`() throws {
        let (host, client, contents) = try lacking()
        client.send(.supply([contents[0]]), .content(Array("aa".utf8)[...]), .content(Array("a".utf8)[...]))
        #expect(try client.receive() == .staged(missing: [contents[1].id]))
        client.send(.ping, .supply([contents[1]]), .ping, .content(Array("bb".utf8)[...]))
        #expect(try client.receive() == .pong)
        #expect(try client.receive() == .pong)
        #expect(try client.receive() == .staged(missing: []))
        client.send(.apply)
        while let reply = try client.receive(), reply != .finished(.deployed) {}
        try host.end(client)
        #expect(host.read("/var/lib/deptool/apps/dns/current/a") == "aaa")
    }

    @Test(arguments: ["apply", "unasked", "twice", "wrong", "too much", "content"])
    func `only missing contents may be supplied, and all of them must be`(how: String) throws {
        let (host, client, contents) = try lacking()
        switch how {
        case "apply": client.send(.apply)
        case "unasked": client.send(.supply([Content(id: Wanted.File("c").id, size: 1)]))
        case "twice": client.send(.supply([contents[0], contents[0]]), .content(Array("aaaaaa".utf8)[...]))
        case "wrong": client.send(.supply(contents), .content(Array("aab".utf8)[...]))
        case "too much": client.send(.supply(contents), .content(Array("aaabbb".utf8)[...]))
        default: client.send(.content([0]))
        }
        try host.end(client)
        guard case .refused = client.replies.last else {
            Issue.record("\(client.replies)")
            return
        }
        #expect(host.names("/var/lib/deptool/apps/dns").count == 2)
    }

    @Test func `files that exclude each other are refused`() throws {
        try expectRefusal { preparation in
            let file = preparation.record.apps[0].files[0]
            preparation.record.apps[0].files.append(file)
        }
        try expectRefusal { preparation in
            var file = preparation.record.apps[0].files[0]
            file.path = try! RelativePath(file.path.text + "/below")
            preparation.record.apps[0].files.append(file)
        }
        try expectRefusal { $0.record.apps.append($0.record.apps[0]) }
    }

    @Test func `an existing version is not overwritten`() throws {
        let (host, plan, _) = try prepared()
        let version = "/var/lib/deptool/apps/dns/" + plan.preparation.version.text
        // A process keeps it in use, so that it is not removed.
        try host.write(version + "/a", "mine")
        try host.remove("/var/lib/deptool/apps/dns/current")
        try host.symlink("/var/lib/deptool/apps/dns/current", to: plan.preparation.version.text)
        guard case .refused = try host.deploy(plan) else {
            Issue.record("not refused")
            return
        }
        #expect(host.read(version + "/a") == "mine")
    }

    @Test func `noise in place of a request ends the session and does no harm`() throws {
        let (host, _, before) = try prepared()
        var random = Seeded()
        for _ in 0..<100 {
            let client = try host.session().client
            var bytes = random.bytes(random.int(1...60))
            if random.bool() { bytes = [0, 0, 0, UInt8(bytes.count)] + bytes }
            client.send(bytes: bytes)
            try host.end(client)
            try host.expect(unchangedSince: before, "seed \(random.seed)")
        }
    }

    @Test func `a preparation damaged at any byte does no harm`() throws {
        let (host, plan, before) = try prepared()
        let bytes = Request.prepare(plan.preparation).encoded
        var random = Seeded()
        for index in bytes.indices where index % 7 == random.int(0...6) {
            var changed = bytes
            changed[index] ^= UInt8(1 << random.int(0...7))
            let length = UInt32(changed.count)
            let client = try host.session().client
            client.send(bytes: [UInt8(length >> 24), UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255)])
            client.send(bytes: changed)
            client.send(Array(plan.script.dropFirst().dropLast()))
            try host.end(client)
            try host.expect(unchangedSince: before, "byte \(index), seed \(random.seed)")
        }
    }
}
