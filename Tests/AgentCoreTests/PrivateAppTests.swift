import CSystem
import Foundation
import Model
import Testing
import Wire

@testable import AgentCore

/// An app that not everybody may read.
@Suite struct PrivateAppTests {
    private let host: TestHost
    private let first = Wanted(["dns": .init(["key": .init("secret"), "run": .init("#!", executable: true), "conf/zone": .init("1")])])
    private let second = Wanted(["dns": .init(["key": .init("secret"), "run": .init("#!", executable: true), "conf/zone": .init("2")])])

    init() throws {
        host = try TestHost()
        try host.write("/etc/group", "root:x:0:\nbroken\nlarge:x:4294967296:\nnone:x:4294967295:\nnsd:x:4711:ada\nnsd:x:12:\n")
    }

    /// A deploy that makes the app readable by root alone, and by a group then.
    private func plan(_ old: (wanted: Wanted, number: Int)?, _ new: Wanted, _ number: Int, group: String? = nil) throws -> Plan {
        var plan = Plan(from: old, to: new, number)
        let dns = try #require(AppName("dns"))
        plan.preparation.steps = plan.preparation.steps.map {
            $0.action == .checkout(for: .everybody) ? Step(dns, .checkout(for: .root)) : $0
        }
        if let group { plan.preparation.steps.append(Step(dns, .grant(try #require(GroupName(group))))) }
        return plan
    }

    /// Mode and group of a version of the app.
    private func access(_ link: String) throws -> String {
        let version = "/var/lib/deptool/apps/dns/" + (try #require(host.target("/var/lib/deptool/apps/dns/" + link)))
        let attributes = try FileManager.default.attributesOfItem(atPath: host.real(version))
        let group = try #require(attributes[.groupOwnerAccountID] as? Int)
        return "\(try #require(host.mode(version))) \(group)"
    }

    /// Mode and group of each file of the version that is current.
    private func files() throws -> [String] {
        try ["key", "run", "conf/zone"].map { name in
            var status = csys_stat()
            try #require(csys_lstat(host.real("/var/lib/deptool/apps/dns/current/" + name), &status) == 0)
            return "\(String(status.mode, radix: 8)) \(status.gid)"
        }
    }

    private func drift(_ group: String? = nil) throws -> [Drift] {
        let (client, _) = try host.session()
        client.send(.verify([PrivateApp(try #require(AppName("dns")), group: group.flatMap { GroupName($0) })]))
        var drift: [Drift] = []
        while case .drift(let some)? = try client.receive(), !some.isEmpty { drift += some }
        try host.end(client)
        return drift
    }

    @Test func `nobody else can read the files of a private app`() throws {
        #expect(try host.deploy(plan(nil, first, 1)) == .finished(.deployed))
        #expect(try files() == ["400 0", "500 0", "400 0"])
        #expect(try drift() == [])
        #expect(try host.deploy(plan((first, 1), second, 2, group: "nsd")) == .finished(.deployed))
        #expect(try files() == ["440 4711", "550 4711", "440 4711"])
        #expect(try drift("nsd") == [])
        #expect(try drift().count == 4)
        try host.deploy(first, 3, after: (second, 2))
        #expect(try files() == ["444 0", "555 0", "444 0"])
    }

    @Test func `the modes that an older agent set count as correct until the next change`() throws {
        #expect(try host.deploy(plan(nil, first, 1, group: "nsd")) == .finished(.deployed))
        for (name, mode) in [("key", 0o444), ("run", 0o555), ("conf/zone", 0o444)] as [(String, UInt32)] {
            let path = host.real("/var/lib/deptool/apps/dns/current/" + name)
            try #require(lchown(path, 0, 0) == 0)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }
        #expect(try drift("nsd") == [])
        #expect(try host.deploy(plan((first, 1), second, 2, group: "nsd")) == .finished(.deployed))
        #expect(try files() == ["440 4711", "550 4711", "440 4711"])
        #expect(try drift("nsd") == [])
    }

    @Test func `only root can read a private app, and a group if there is one`() throws {
        #expect(try host.deploy(plan(nil, first, 1)) == .finished(.deployed))
        #expect(try access("current") == "700 0")
        #expect(try host.deploy(plan((first, 1), second, 2, group: "nsd")) == .finished(.deployed))
        #expect(try access("current") == "750 4711")
        #expect(try access("previous") == "700 0")
        try host.deploy(first, 3, after: (second, 2))
        #expect(try access("current") == "755 0")
    }

    @Test func `the previous version is closed too, and opens again after a rollback`() throws {
        try host.deploy(first, 1)
        let before = try host.listing()
        var failing = try plan((first, 1), second, 2, group: "nsd")
        // No confirmation comes.
        failing.preparation.steps.append(Step(nil, .confirm(within: .zero, because: .everyHost)))
        let ending = try host.deploy(failing)
        guard case .finished(.rolledBack) = ending else {
            Issue.record("\(ending)")
            return
        }
        try host.expect(unchangedSince: before)

        #expect(try host.deploy(plan((first, 1), second, 3, group: "nsd")) == .finished(.deployed))
        #expect(try access("previous") == "700 0")
    }

    @Test(arguments: ["absent", "large", "none", "broken"])
    func `a group that cannot be found changes nothing`(name: String) throws {
        try host.deploy(first, 1)
        let before = try host.listing()
        let ending = try host.deploy(plan((first, 1), second, 2, group: name))
        let expected = AgentError(step: 2, .noGroup(try #require(GroupName(name))))
        #expect(ending == .refused(expected), "\(ending)")
        try host.expect(unchangedSince: before)
    }

    @Test func `a group that systemd-sysusers did not make undoes the deploy`() throws {
        try host.deploy(first, 1)
        let before = try host.listing()
        var plan = try plan((first, 1), second, 2, group: "absent")
        plan.preparation.steps.insert(Step(nil, .sysusers), at: plan.preparation.steps.count - 1)
        #expect(try host.deploy(plan) == .finished(.rolledBack(AgentError(step: 3, .noGroup(try #require(GroupName("absent")))))))
        try host.expect(unchangedSince: before)
    }

    @Test func `a group without a private app is refused`() throws {
        var plan = Plan(from: nil, to: first, 1)
        plan.preparation.steps.insert(Step(AppName("dns"), .grant(try #require(GroupName("nsd")))), at: 0)
        #expect(try host.deploy(plan) == .refused(AgentError(.protocolViolation)))
    }
}
