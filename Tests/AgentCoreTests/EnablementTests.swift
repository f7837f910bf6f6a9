import Foundation
import Testing

@testable import AgentCore

@Suite struct `Links that systemctl enable makes` {
    private let units = "/etc/systemd/system"

    private func host() throws -> TestHost {
        let host = try TestHost()
        let version = "/var/lib/deptool/apps/dns/0123456789/systemd/"
        try host.symlink(units + "/nsd.service", to: "/var/lib/deptool/apps/dns/current/systemd/nsd.service")
        try host.symlink(units + "/multi-user.target.wants/nsd.service", to: version + "nsd.service")
        try host.symlink(units + "/dbus-org.example.service", to: version + "nsd.service")
        try host.symlink(units + "/x.target.requires/y.service", to: "/usr/lib/systemd/system/y.service")
        try host.symlink(units + "/x.target.wants/odd.service", to: "/var/lib/deptool/apps/dns/other/odd.service")
        try host.write(units + "/theirs.service", "[Service]")
        return host
    }

    @Test func `links into a version lead through current, others stay`() throws {
        let host = try host()
        let before = try host.listing()
        try Enablement(system: System(root: host.root)).leadThroughCurrent()
        let current = "/var/lib/deptool/apps/dns/current/systemd/nsd.service"
        let old = "/var/lib/deptool/apps/dns/0123456789/systemd/nsd.service"
        #expect(
            difference(before, try host.listing()) == [
                units + "/dbus-org.example.service: symlink to \(old) -> symlink to \(current)",
                units + "/multi-user.target.wants/nsd.service: symlink to \(old) -> symlink to \(current)",
            ])
    }

    @Test func `where it is killed, nothing is left once that is undone`() throws {
        var number = 0
        while true {
            number += 1
            let host = try host()
            let gate = Breaker(at: number)
            let isDone = (try? Enablement(system: System(root: host.root, gate: gate)).leadThroughCurrent()) != nil
            try Enablement(system: System(root: host.root)).removeUnfinished()
            #expect(try !host.listing().keys.contains { $0.hasSuffix("-new") })
            if isDone { break }
        }
        #expect(number > 4)
    }

    @Test func `a host without such directories has none`() throws {
        let host = try TestHost()
        let enablement = Enablement(system: System(root: host.root))
        try enablement.leadThroughCurrent()
        try enablement.removeUnfinished()
    }
}
