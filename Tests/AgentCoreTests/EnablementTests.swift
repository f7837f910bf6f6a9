import Foundation
import Model
import TestSupport
import Testing

@testable import AgentCore

@Suite struct EnablementTests {
    private let units = "/etc/systemd/system"

    private func host() throws -> TestHost {
        let host = try TestHost()
        try host.write(units + "/nsd.service", "[Service]")
        try host.symlink(units + "/multi-user.target.wants/nsd.service", to: units + "/nsd.service")
        try host.symlink(units + "/dbus-org.example.service", to: units + "/nsd.service")
        try host.symlink(units + "/x.target.requires/y.service", to: "/usr/lib/systemd/system/y.service")
        try host.symlink(units + "/masked.service", to: "/dev/null")
        try host.symlink("/etc/rc2.d/S01nsd", to: "../init.d/nsd")
        try host.write(units + "/theirs.service", "[Service]")
        return host
    }

    /// The changes that `systemctl enable`, `disable` and an administrator may make between the snapshot and its restoration.
    private func change(_ host: TestHost, _ random: inout Seeded) throws {
        let links =
            [
                "/multi-user.target.wants/nsd.service", "/rescue.target.wants/nsd.service", "/x.target.requires/y.service",
                "/a.target.upholds/b.service", "/dbus-org.example.service", "/other.service",
            ].map { units + $0 } + ["/etc/rc2.d/S01nsd", "/etc/rc2.d/K01nsd", "/etc/rc0.d/K01nsd"]
        for link in links where random.bool() {
            if host.target(link) != nil { try host.remove(link) }
            if random.bool() { try host.symlink(link, to: random.pick(["/usr/lib/systemd/system/y.service", "../init.d/nsd"])) }
        }
    }

    @Test func `a restoration brings back all links after random changes`() throws {
        var random = Seeded()
        for _ in 0..<100 {
            let host = try host()
            let before = try host.listing().filter { !$0.value.hasPrefix("directory") || $0.key.hasPrefix("/etc/systemd") }
            let enablement = EnabledLinks(system: System(root: host.root))
            let snapshot = try enablement.snapshot()
            try change(host, &random)
            try enablement.restore(snapshot)
            let after = try host.listing().filter { !$0.value.hasPrefix("directory") || $0.key.hasPrefix("/etc/systemd") }
            #expect(difference(before, after) == [], "seed \(random.seed)")
        }
    }

    @Test func `a restoration can run again after a kill at any operation`() throws {
        var random = Seeded()
        for number in 1... {
            let host = try host()
            let before = try host.listing().filter { $0.value.hasPrefix("symlink") }
            let snapshot = try EnabledLinks(system: System(root: host.root)).snapshot()
            try change(host, &random)
            let gate = Breaker(at: number)
            try? EnabledLinks(system: System(root: host.root, gate: gate)).restore(snapshot)
            try EnabledLinks(system: System(root: host.root)).restore(snapshot)
            #expect(difference(before, try host.listing().filter { $0.value.hasPrefix("symlink") }) == [], "seed \(random.seed)")
            if number > 30 { break }
        }
    }

    @Test func `a file in the place of a link stays`() throws {
        let host = try host()
        let enablement = EnabledLinks(system: System(root: host.root))
        let snapshot = try enablement.snapshot()
        try host.remove(units + "/masked.service")
        try host.write(units + "/masked.service", "[Service]")
        try enablement.restore(snapshot)
        #expect(host.read(units + "/masked.service") == "[Service]")
    }

    @Test func `a host without unit directories has no links`() throws {
        let host = try TestHost()
        let snapshot = try EnabledLinks(system: System(root: host.root)).snapshot()
        #expect(snapshot.directories == [] && snapshot.links == [])
    }

    @Test(arguments: [
        ("multi-user.target.wants/web.service", "/etc/systemd/system/web.service", true),
        ("alias.service", "/usr/lib/systemd/system/web.service", true),
        ("web.service", "/dev/null", false),
        ("web.service", "/var/lib/deptool/apps/web/current/systemd/web.service", false),
        ("x.target.wants/myweb.service", "/etc/systemd/system/myweb.service", false),
        ("x.target.wants/web@a.service", "/etc/systemd/system/web@.service", false),
    ])
    func `a link belongs to a unit by its name or its target`(path: String, target: String, enables: Bool) throws {
        let link = EnabledLinks.Symlink(path: try AbsolutePath(units + "/" + path), target: target)
        #expect(link.enables(try #require(UnitName("web.service"))) == enables)
    }
}
