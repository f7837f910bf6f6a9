import AgentCore
import CSystem
import Foundation
import Model
import TestSupport
import Testing
import Wire

@Suite struct DeployTests {
    let first = Wanted([
        "dns": .init(
            ["nsd.conf": .init("server:"), "zones/a.zone": .init("a"), "check": .init("#!/bin/sh", executable: true)],
            links: ["/etc/nsd/nsd.conf": "nsd.conf"])
    ])

    @Test func `a first deploy creates everything`() throws {
        let host = try TestHost()
        let (client, hello) = try host.session()
        #expect(hello == Hello(hostname: "web1", machineID: "", hasSystemd: false, commit: nil, recovery: nil))
        let plan = Plan(from: nil, to: first, 1)
        #expect(try client.deploy(plan) == .finished(.deployed))
        #expect(
            Array(client.replies.dropFirst())
                == [.locked, .staged(missing: [])] + plan.preparation.steps.indices.map { .began(step: $0) }
                + [.finished(.deployed)])
        try host.end(client)
        try host.expect(running: first, 1)
        let version = Version(first.record(1).commit).text
        #expect(host.target("/etc/nsd/nsd.conf") == "/var/lib/deptool/apps/dns/current/nsd.conf")
        #expect(host.target("/var/lib/deptool/apps/dns/current") == version)
        #expect(host.mode("/var/lib/deptool/apps/dns/\(version)/check") == "555")
        #expect(host.mode("/var/lib/deptool/apps/dns/\(version)/nsd.conf") == "444")
        #expect(host.mode("/var/lib/deptool/apps/dns/\(version)/zones") == "755")
        #expect(host.mode("/var/lib/deptool/apps/dns/\(version)") == "755")
        #expect(host.mode("/var/lib/deptool/apps") == "755")
        #expect(host.mode("/var/lib/deptool/store") == "700")
        for name in ["record", "lock", "log"] { #expect(host.mode("/var/lib/deptool/store/\(name)") == "600") }
        #expect(host.mode("/etc/nsd") == "755")
    }

    @Test func `an update keeps only the previous version`() throws {
        let host = try TestHost()
        try host.deploy(first, 1)
        var second = first
        second.apps["dns"]!.files["nsd.conf"] = .init("server: two")
        try host.deploy(second, 2, after: (first, 1))
        try host.expect(running: second, 2)
        var third = second
        third.apps["dns"]!.files["zones/a.zone"] = nil
        try host.deploy(third, 3, after: (second, 2))
        try host.expect(running: third, 3)
        let versions = [2, 3].map { Version(first.record($0).commit).text }
        #expect(host.names("/var/lib/deptool/apps/dns") == (["current", "previous"] + versions).sorted())
        #expect(host.target("/var/lib/deptool/apps/dns/previous") == versions[0])
        #expect(host.target("/var/lib/deptool/apps/dns/current") == versions[1])
    }

    @Test func `unchanged content is copied from the previous version if it is intact there`() throws {
        let host = try TestHost()
        try host.deploy(first, 1)
        var second = first
        second.apps["dns"]!.files["nsd.conf"] = .init("server: two")
        second.apps["dns"]!.files["zones/a.zone"] = nil
        try host.deploy(second, 2, after: (first, 1))
        try host.write("/var/lib/deptool/apps/dns/previous/zones/a.zone", "edited")
        var back = Plan(from: (second, 2), to: first, 3)
        back.preparation.contents = []
        let (client, _) = try host.session()
        #expect(try client.deploy(back) == .finished(.deployed))
        // The edited one is asked for, the other not.
        #expect(client.replies.contains(.staged(missing: [Wanted.File("a").id])))
        try host.end(client)
        try host.expect(running: first, 3)
    }

    @Test func `an unchanged app is left alone`() throws {
        let host = try TestHost()
        try host.deploy(first, 1)
        var second = first
        second.apps["web"] = .init(["index": .init("hello")])
        try host.deploy(second, 2, after: (first, 1))
        try host.expect(running: second, 2)
        #expect(host.target("/var/lib/deptool/apps/dns/current") == Version(first.record(1).commit).text)
        #expect(host.target("/var/lib/deptool/apps/dns/previous") == nil)
    }

    @Test func `a removed app leaves nothing`() throws {
        let host = try TestHost()
        var both = first
        both.apps["web"] = .init(["index": .init("hello")], links: ["/srv/www/index": "index"])
        try host.deploy(both, 1)
        try host.deploy(first, 2, after: (both, 1))
        try host.expect(running: first, 2)
        #expect(!host.exists("/srv/www/index"))
        try host.deploy(Wanted(), 3, after: (first, 2))
        try host.expect(running: Wanted(), 3)
        #expect(host.names("/var/lib/deptool/apps") == [])
    }

    @Test func `an app may have the name of any of Deptool's own files`() throws {
        let host = try TestHost()
        var names = Wanted()
        for name in ["record", "lock", "journal", "undo", "file-0", "file-1", "current", "previous", "log", "bin"] {
            names.apps[name] = .init(["a": .init(name)], links: ["/etc/\(name)": "a"])
        }
        try host.write("/etc/file-0", "file-0")
        try host.write("/etc/file-1", "file-1")
        try host.deploy(names, 1)
        try host.expect(running: names, 1)
        // One displaces a file again while all others go.
        let last = Wanted(["new": .init(["a": .init("mine")], links: ["/etc/mine": "a"])])
        try host.write("/etc/mine", "mine")
        try host.deploy(last, 2, after: (names, 1))
        try host.expect(running: last, 2)
    }

    @Test func `a host may have no apps`() throws {
        let host = try TestHost()
        try host.deploy(Wanted(), 1)
        try host.expect(running: Wanted(), 1)
        try host.deploy(Wanted(["empty": .init([:])]), 2, after: (Wanted(), 1))
        try host.expect(running: Wanted(["empty": .init([:])]), 2)
    }

    @Test func `files of the same content are sent once`() throws {
        let host = try TestHost()
        let wanted = Wanted([
            "a": .init(["x": .init("same"), "y": .init("same", executable: true), "empty": .init("")]),
            "b": .init(["z/z": .init("same"), "nothing": .init("")]),
        ])
        let plan = Plan(from: nil, to: wanted, 1)
        #expect(plan.preparation.contents.count == 2)
        #expect(try host.deploy(plan) == .finished(.deployed))
        try host.expect(running: wanted, 1)
    }

    @Test func `a change of the executable bit alone sends nothing`() throws {
        let host = try TestHost()
        try host.deploy(first, 1)
        var second = first
        second.apps["dns"]!.files["check"]!.isExecutable = false
        second.apps["dns"]!.files["nsd.conf"]!.isExecutable = true
        let plan = Plan(from: (first, 1), to: second, 2)
        #expect(plan.preparation.contents == [])
        #expect(try host.deploy(plan) == .finished(.deployed))
        try host.expect(running: second, 2)
    }

    @Test func `an unchanged file keeps its modification time`() throws {
        let host = try TestHost()
        try host.deploy(first, 1)
        let path = host.real("/var/lib/deptool/apps/dns/\(Version(first.record(1).commit).text)/nsd.conf")
        #expect(csys_set_mtime(path, 1_000_000_000_123_456_789) == 0)
        var second = first
        second.apps["dns"]!.files["zones/a.zone"] = .init("b")
        try host.deploy(second, 2, after: (first, 1))
        var status = csys_stat()
        #expect(csys_lstat(host.real("/var/lib/deptool/apps/dns/\(Version(first.record(2).commit).text)/nsd.conf"), &status) == 0)
        #expect(status.mtime_ns == 1_000_000_000_123_456_789)
    }

    @Test(arguments: ["edited", ""])
    func `a file edited on the host is sent again`(text: String) throws {
        let host = try TestHost()
        try host.deploy(first, 1)
        try host.write("/var/lib/deptool/apps/dns/current/nsd.conf", text)
        var second = first
        second.apps["dns"]!.files["zones/a.zone"] = .init("b")
        let client = try host.session().client
        #expect(try client.deploy(Plan(from: (first, 1), to: second, 2)) == .finished(.deployed))
        #expect(client.replies.contains(.staged(missing: [Wanted.File("server:").id])))
        try host.end(client)
        try host.expect(running: second, 2)
    }

    @Test(arguments: ["remove", "directory", "symlink"])
    func `a file deleted on the host is sent again`(how: String) throws {
        let host = try TestHost()
        try host.deploy(first, 1)
        let path = "/var/lib/deptool/apps/dns/current/nsd.conf"
        try host.remove(path)
        if how == "directory" { try host.makeDirectory(path) }
        if how == "symlink" { try host.symlink(path, to: "zones/a.zone") }
        var second = first
        second.apps["dns"]!.files["zones/a.zone"] = .init("b")
        try host.deploy(second, 2, after: (first, 1))
        try host.expect(running: second, 2)
    }

    @Test func `content larger than a message arrives whole`() throws {
        let host = try TestHost()
        var random = Seeded()
        let big = random.bytes(3 * Frame.contentLimit + 17)
        let wanted = Wanted(["a": .init(["big": .init(bytes: big), "small": .init("s")])])
        let plan = Plan(from: nil, to: wanted, 1)
        let client = try host.session().client
        client.send(.prepare(plan.preparation))
        // All contents as one stream, in pieces that do not care where one ends.
        var stream = plan.preparation.contents.flatMap { plan.contents[$0.id]! }[...]
        while !stream.isEmpty {
            let piece = stream.prefix(random.int(1...Frame.contentLimit))
            client.send(.content(Array(piece)[...]), .content([]))
            stream = stream.dropFirst(piece.count)
        }
        while let reply = try client.receive(), reply != .staged(missing: []) {}
        client.send(.apply)
        while let reply = try client.receive(), reply != .finished(.deployed) {}
        try host.end(client)
        try host.expect(running: wanted, 1)
    }

    @Test func `a deploy removes the leftovers of killed ones`() throws {
        let host = try TestHost()
        try host.deploy(first, 1)
        let apps = "/var/lib/deptool/apps"
        try host.write(apps + "/dns/aaaaaaaaaa/file", "an unfinished version")
        try host.write(apps + "/dns/bbbbbbbbbb.staging/zones/x", "half")
        try host.symlink(apps + "/dns/.deptool-new", to: "aaaaaaaaaa")
        try host.write(apps + "/gone/cccccccccc.staging/file", "half")
        try host.write("/var/lib/deptool/store/record.new", "half")
        try host.write("/var/lib/deptool/store/journal.new", "half")
        try host.write("/var/lib/deptool/store/undo/web/x", "half")
        var second = first
        second.apps["dns"]!.files["nsd.conf"] = .init("server: two")
        try host.deploy(second, 2, after: (first, 1))
        try host.expect(running: second, 2)
    }

    @Test func `foreign files in the directory of apps stay and do no harm`() throws {
        let host = try TestHost()
        try host.write("/srv/precious/aaaaaaaaaa/file", "precious")
        try host.write("/var/lib/deptool/apps/README", "do not touch")
        try host.symlink("/var/lib/deptool/apps/elsewhere", to: host.real("/srv/precious"))
        try host.deploy(first, 1)
        #expect(host.read("/var/lib/deptool/apps/README") == "do not touch")
        #expect(host.read("/srv/precious/aaaaaaaaaa/file") == "precious")
        #expect(host.read("/var/lib/deptool/apps/dns/current/nsd.conf") == "server:")
    }

    @Test func `Deptool's directory may be a symlink to a larger disk`() throws {
        let host = try TestHost()
        try host.makeDirectory("/data/deptool")
        try host.symlink("/var/lib/deptool", to: "../../data/deptool")
        try host.deploy(first, 1)
        var second = first
        second.apps["web"] = second.apps.removeValue(forKey: "dns")
        try host.deploy(second, 2, after: (first, 1))
        #expect(host.read("/data/deptool/apps/web/current/nsd.conf") == "server:")
        #expect(host.names("/data/deptool/apps") == ["web"])
        #expect(host.names("/data/deptool/store") == ["lock", "log", "record"])
    }

    @Test func `a deploy keeps its own agent and the two newest others`() throws {
        let host = try TestHost()
        let bin = "/var/lib/deptool/bin/"
        for (age, name) in [
            TestHost.ownName, "deptool-agent-0-dddddddddd", "deptool-agent-2-cccccccccc", "deptool-agent-0-bbbbbbbbbb", "other",
        ].enumerated() {
            try host.write(bin + name, name)
            try #require(csys_set_mtime(host.real(bin + name), Int64(1_800_000_000 - age) * 1_000_000_000) == 0)
        }
        try host.deploy(first, 1)
        #expect(
            host.names("/var/lib/deptool/bin") == ["deptool-agent-0-dddddddddd", TestHost.ownName, "deptool-agent-2-cccccccccc", "other"])
    }

    @Test func `the log has a line for each deploy`() throws {
        let host = try TestHost()
        try host.deploy(first, 1)
        var second = first
        second.apps["dns"]!.files["nsd.conf"] = .init("two")
        var plan = Plan(from: (first, 1), to: second, 2)
        plan.preparation.holder = "Eve\nforged line\u{1b}[2J"
        #expect(try host.deploy(plan) == .finished(.deployed))
        let lines = try #require(host.read("/var/lib/deptool/store/log")).split(separator: "\n").map { line in
            line.split(separator: " ", maxSplits: 1)[1]
        }
        let (one, two) = (first.record(1).commit.hex, first.record(2).commit.hex)
        #expect(lines == ["none \(one) deployed Ada <ada@example.com>", "\(one) \(two) deployed Eveforged line[2J"])
    }

    @Test func `a log that cannot be written undoes nothing`() throws {
        let host = try TestHost()
        try host.makeDirectory("/var/lib/deptool/store/log")
        try host.deploy(first, 1)
        #expect(host.target("/etc/nsd/nsd.conf") != nil)
    }

    @Test func `a log that reaches its limit starts over`() throws {
        let host = try TestHost()
        try host.write("/var/lib/deptool/store/log", String(repeating: "x", count: 300 << 10))
        try host.deploy(first, 1)
        #expect(host.read("/var/lib/deptool/store/log")?.split(separator: "\n").count == 1)
        #expect(host.read("/var/lib/deptool/store/log.old")?.utf8.count == 300 << 10)
    }

    @Test func `several deploys can go through one session`() throws {
        let host = try TestHost()
        let client = try host.session().client
        var (now, number): (Wanted?, Int) = (nil, 0)
        var random = Seeded()
        for _ in 0..<10 {
            let next = random.wanted()
            let plan = Plan(from: now.map { ($0, number) }, to: next, number + 1)
            #expect(try client.deploy(plan) == .finished(.deployed), "seed \(random.seed)")
            (now, number) = (next, number + 1)
            try host.expect(running: next, number, "seed \(random.seed)")
        }
        try host.end(client)
    }
}
