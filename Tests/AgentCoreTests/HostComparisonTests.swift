import AgentCore
import CSystem
import Foundation
import Model
import Testing
import Wire

/// A host compared with its record, and what takes the place of somebody else's file.
@Suite struct HostComparisonTests {
    private let wanted = Wanted([
        "dns": .init(
            ["a": .init("one"), "dir/b": .init("two", executable: true), "dir/c": .init("")],
            links: ["/etc/motd": "a", "/etc/deep/link": "dir"]),
        "web": .init(["x": .init("x")]),
    ])
    private let current = "/var/lib/deptool/apps/dns/current"

    private func verify(_ host: TestHost, _ privateApps: [PrivateApp] = []) throws -> [Reply] {
        let client = try host.session().client
        client.send(.verify(privateApps))
        var replies: [Reply] = []
        while let reply = try client.receive() {
            replies.append(reply)
            if case .drift(let drift) = reply, !drift.isEmpty { continue }
            break
        }
        try host.end(client)
        return replies
    }

    /// The drift, sorted by its description.
    private func drift(_ host: TestHost, _ privateApps: [PrivateApp] = []) throws -> [String] {
        var all: [Drift] = []
        let replies = try verify(host, privateApps)
        #expect(replies.last == .drift([]))
        for case .drift(let drift) in replies { all += drift }
        return all.map { "\($0.app?.text ?? "-") \(text($0.finding))" }.sorted()
    }

    private func text(_ found: Drift.Found) -> String {
        switch found {
        case .nothing: "nothing"
        case .file(let id, let size): "file \(id.hex.prefix(6)) \(size)"
        case .symlink(let target): "-> \(target)"
        case .directory: "directory"
        case .other: "other"
        }
    }

    private func text(_ finding: Drift.Finding) -> String {
        switch finding {
        case .file(let path, let found): "\(path.text): \(text(found))"
        case .extra(let path): "extra \(path)"
        case .attributes(let path, let found, let recorded):
            "\(path) \(String(found.mode, radix: 8)) not \(String(recorded.mode, radix: 8))"
                + (found.uid == recorded.uid && found.gid == recorded.gid ? "" : " owner \(found.uid):\(found.gid)")
        case .link(let path, let source, let found): "\(path.text) to \(source.text): \(text(found))"
        case .placed(let path, let source, let found): "\(path.text) with \(source.text): \(text(found))"
        case .enabledBy(let unit, let path): "\(unit.text) enabled by \(path.text)"
        case .secret(let path, let isThere): "\(path.text) \(isThere ? "changed" : "missing")"
        case .current(let found): "current: \(text(found))"
        case .disabled(let unit): "\(unit.text) disabled"
        case .unwell(let unit, _): "\(unit.text) unwell"
        case .leftover(let path): "leftover \(path)"
        }
    }

    private func deployed() throws -> TestHost {
        let host = try TestHost()
        try host.deploy(wanted, 1)
        return host
    }

    @Test func `an untouched host has no drift, and a comparison changes nothing`() throws {
        let host = try deployed()
        let before = try host.listing()
        #expect(try drift(host) == [])
        try host.expect(unchangedSince: before)
        #expect(try drift(try TestHost()) == [])
    }

    @Test func `every kind of change to a version is found`() throws {
        let host = try deployed()
        let version = "/var/lib/deptool/apps/dns/" + (try #require(host.target(current)))
        try host.write(version + "/a", "edited", mode: 0o444)
        try host.write(version + "/dir/b", "two", mode: 0o777)
        try host.remove(version + "/dir/c")
        try host.write(version + "/dir/new/deep", "")
        try host.write(version + "/new", "")
        #expect(
            try drift(host) == [
                "dns a: file \(ObjectID.of(.blob, Array("edited".utf8)).hex.prefix(6)) 6", "dns dir/b 777 not 555",
                "dns dir/c: nothing", "dns extra dir/new", "dns extra new",
            ])
        try host.remove(version + "/dir")
        try host.symlink(version + "/dir", to: "/tmp")
        try host.remove(version + "/a")
        try host.makeDirectory(version + "/a")
        let found = try drift(host)
        #expect(found.contains("dns a: directory"))
        #expect(found.contains("dns dir/b: nothing"))
    }

    @Test func `names that are not text are found, escaped, and removed with their version`() throws {
        let host = try deployed()
        let version = "/var/lib/deptool/apps/dns/" + (try #require(host.target(current)))
        try host.write(version + "/dir/\u{1b}[2J", "")
        // É, as older systems write it.
        for directory in [version, "/var/lib/deptool/apps/web"] {
            let path = host.real(directory).utf8CString.dropLast() + [0x2f, CChar(bitPattern: 0xc9), 0x21, 0]
            try #require(csys_mkdir(Array(path), 0o755) == 0)
        }
        #expect(try drift(host) == ["dns extra \\xc9!", "dns extra dir/\u{1b}[2J"])
        var changed = wanted
        changed.apps["dns"]?.files["a"] = .init("two")
        try host.deploy(changed, 2, after: (wanted, 1))
        try host.deploy(wanted, 3, after: (changed, 2))
        #expect(try drift(host) == [])
        #expect(!host.exists(version))
    }

    @Test func `changed access to a version is found`() throws {
        let host = try deployed()
        let version = "/var/lib/deptool/apps/dns/" + (try #require(host.target(current)))
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: host.real(version))
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: host.real(version + "/dir"))
        #expect(try drift(host) == ["dns . 777 not 755", "dns dir 700 not 755"])
        let app = try #require(AppName("web"))
        #expect(try drift(host, [PrivateApp(app, group: nil)]).contains("web . 755 not 700"))
        try host.write("/etc/group", "www:x:4711:\n")
        #expect(try drift(host, [PrivateApp(app, group: GroupName("www"))]).contains { $0.hasPrefix("web . 755 not 750 owner ") })
    }

    @Test(.enabled(if: getuid() == 0)) func `a changed owner is found`() throws {
        let host = try deployed()
        try #require(lchown(host.real(current) + "/a", 65534, 65534) == 0)
        #expect(try drift(host) == ["dns a 444 not 444 owner 65534:65534"])
    }

    @Test func `links that are gone or lead elsewhere are found`() throws {
        let host = try deployed()
        try host.remove("/etc/motd")
        try host.write("/etc/motd", "hello")
        try host.remove("/etc/deep/link")
        #expect(
            try drift(host) == [
                "dns /etc/deep/link to dir: nothing",
                "dns /etc/motd to a: file \(ObjectID.of(.blob, Array("hello".utf8)).hex.prefix(6)) 5",
            ])
        try host.remove(current)
        try host.symlink(current, to: "elsewhere")
        try host.remove("/var/lib/deptool/apps/web/current")
        #expect(try drift(host).filter { $0.contains("current:") } == ["dns current: -> elsewhere", "web current: nothing"])
    }

    @Test func `leftovers are found, and removed by the next deploy`() throws {
        let host = try deployed()
        for path in ["apps/dns/0123456789.staging/x", "apps/dns/0123456789/x", "apps/old/0123456789/x", "store/record.new", "store/undo/x"]
        {
            try host.write("/var/lib/deptool/" + path, "")
        }
        try host.symlink("/var/lib/deptool/apps/dns/previous", to: "aaaaaaaaaa")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: host.real("/var/lib/deptool/store"))
        #expect(
            try drift(host) == [
                "- /var/lib/deptool/store 755 not 700", "- leftover /var/lib/deptool/apps/dns/0123456789",
                "- leftover /var/lib/deptool/apps/dns/0123456789.staging", "- leftover /var/lib/deptool/apps/dns/previous",
                "- leftover /var/lib/deptool/apps/old", "- leftover /var/lib/deptool/apps/old/0123456789",
                "- leftover /var/lib/deptool/store/record.new", "- leftover /var/lib/deptool/store/undo",
            ])
        try host.deploy(wanted, 2, after: (wanted, 1))
        #expect(try drift(host) == [])
        try host.expect(running: wanted, 2)
        // Other leftovers of an unknown app are forged as well.
        try host.symlink("/var/lib/deptool/apps/other/current", to: "0123456789")
        #expect(try drift(host) == ["- leftover /var/lib/deptool/apps/other"])
    }

    @Test func `the number of reported differences is limited`() throws {
        let host = try deployed()
        for number in 0..<10_050 { try host.symlink("\(current)/more\(number)", to: "x") }
        #expect(try drift(host).count == Drift.maximumFindings)
    }

    @Test(.enabled(if: csys_getuid() == 0)) func `a user's symlink hides nothing but what it is in the way of`() throws {
        let host = try TestHost()
        try host.makeDirectory("/home/alice", owner: 4711)
        var wanted = wanted
        wanted.apps["dns"]?.links["/home/alice/conf/motd"] = "a"
        wanted.apps["web"]?.placed = ["/home/alice/conf/x": .init(source: "x")]
        try host.deploy(wanted, 1)
        try host.remove("/etc/motd")
        try FileManager.default.moveItem(atPath: host.real("/home/alice/conf"), toPath: host.real("/home/alice/away"))
        try host.symlink("/home/alice/conf", to: "/root")
        #expect(
            try drift(host) == [
                "dns /etc/motd to a: nothing", "dns /home/alice/conf/motd to a: nothing", "web /home/alice/conf/x with x: nothing",
            ])
    }

    @Test func `nothing is compared while a deploy is under way`() throws {
        let host = try deployed()
        let other = try host.session().client
        other.send(.prepare(Plan(from: (wanted, 1), to: Wanted(), 2).preparation))
        #expect(try other.receive() == .locked)
        let client = try host.session().client
        client.send(.verify([]))
        #expect(try client.receive() == .busy(LockHolder(name: "Ada <ada@example.com>", since: holderSince(host))))
        client.hangUp()
        other.send(.cancel)
        try host.end(other)
        #expect(try drift(host) == [])
    }

    private func holderSince(_ host: TestHost) throws -> Int64 {
        let bytes = try #require(FileManager.default.contents(atPath: host.real("/var/lib/deptool/store/lock")))
        return try LockHolder(decoding: Array(bytes)).since
    }

    @Test func `small files can be read, and nothing else`() throws {
        let host = try deployed()
        try host.write("/etc/large", String(repeating: "x", count: Int(Drift.maximumShown) + 1))
        let client = try host.session().client
        client.send(.read(try [current + "/a", "/etc/large", "/etc", "/etc/deep/link", "/nowhere"].map { try AbsolutePath($0) }))
        var replies: [Reply] = []
        for _ in 0..<6 { replies.append(try #require(try client.receive())) }
        #expect(replies == [.file(size: 3), .content(Array("one".utf8))] + [Reply](repeating: .file(size: nil), count: 4))
        try host.end(client)
    }

    // MARK: Displacing

    /// The same again, with `steps` in front of the link to `/etc/motd`.
    private func repair(_ found: Drift.Found) throws -> Plan {
        var plan = Plan(from: (wanted, 1), to: wanted, 2)
        let (app, path) = (try #require(AppName("dns")), try AbsolutePath("/etc/motd"))
        plan.preparation.steps = [
            Step(app, .displace(path: path, found)), Step(app, .link(path: path, source: try RelativePath("a"))),
        ]
        return plan
    }

    private func found(_ text: String) -> Drift.Found { .file(.of(.blob, Array(text.utf8)), size: UInt64(text.utf8.count)) }

    @Test func `a displaced file is kept, with its mode`() throws {
        let host = try deployed()
        try host.remove("/etc/motd")
        try host.write("/etc/motd", "hello", mode: 0o640)
        let plan = try repair(found("hello"))
        #expect(try host.deploy(plan) == .finished(.deployed))
        let kept = "/var/lib/deptool/store/kept/\(plan.preparation.version.text)/etc/motd"
        #expect(host.read(kept) == "hello")
        #expect(host.mode(kept) == "640")
        #expect(host.mode("/var/lib/deptool/store/kept") == "700")
        #expect(try drift(host) == [])
        #expect(host.target("/etc/motd") == current + "/a")
        #expect(host.names("/var/lib/deptool/store") == ["kept", "lock", "log", "record"])
    }

    @Test func `a displaced symlink leaves nothing`() throws {
        let host = try deployed()
        try host.remove("/etc/motd")
        try host.symlink("/etc/motd", to: "/dev/null")
        #expect(try host.deploy(try repair(.symlink(to: "/dev/null"))) == .finished(.deployed))
        try host.expect(running: wanted, 2)
    }

    @Test func `a file is displaced only if it is the one that the plan showed`() throws {
        let host = try deployed()
        try host.remove("/etc/motd")
        try host.write("/etc/motd", "hello")
        let before = try host.listing()
        for shown in [found("something else"), .symlink(to: "/dev/null"), .nothing, .directory] {
            guard case .refused(let failure) = try host.deploy(try repair(shown)), case .occupied = failure.problem else {
                Issue.record("\(shown) was displaced")
                continue
            }
        }
        try host.expect(unchangedSince: before)
        // A step for an unknown link is refused.
        var plan = try repair(found("hello"))
        plan.preparation.steps = [Step(AppName("dns"), .displace(path: try AbsolutePath("/etc/hostname"), found("web1\n")))]
        #expect(try host.deploy(plan) == .refused(AgentError(.protocolViolation)))
    }

    @Test func `after any failure the file is in its place or kept`() throws {
        var number = 0
        while true {
            number += 1
            let host = try deployed()
            try host.remove("/etc/motd")
            try host.write("/etc/motd", "hello")
            let before = try host.listing()
            let plan = try repair(found("hello"))
            let gate = Breaker(at: number)
            try host.deploy(plan, gate: gate)
            // The next agent ends what this one could not.
            try host.end(try host.session().client)
            let kept = "/var/lib/deptool/store/kept/\(plan.preparation.version.text)/etc/motd"
            if host.target("/etc/motd") != nil {
                #expect(host.read(kept) == "hello", "operation \(number)")
            } else {
                #expect(host.read("/etc/motd") == "hello", "operation \(number)")
                #expect(!host.exists("/var/lib/deptool/store/kept"), "operation \(number)")
                try host.expect(unchangedSince: before)
            }
            if gate.count < number { break }
        }
    }
}
