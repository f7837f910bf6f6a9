import Foundation
import Model
import Testing
import Wire

@testable import AgentCore

/// A record counts on the host that wrote it, and is gone when the host was emptied.
@Suite struct HostIdentityTests {
    private let wanted = Wanted(["dns": .init(["a": .init("1"), "dir/b": .init("2")], links: ["/etc/dns": "dir", "/etc/a": "a"])])

    @Test func `the record of another host does not count`() throws {
        let host = try TestHost()
        try host.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        try host.deploy(wanted, 1)
        #expect(try host.session().hello.commit == wanted.record(1).commit)
        try host.write("/etc/machine-id", "fedcba9876543210fedcba9876543210\n")
        let (client, hello) = try host.session()
        #expect(hello.commit == nil)
        client.send(.record)
        #expect(try client.receive() == .record(nil))
        try host.end(client)
        // It is taken over again, links to directories and all.
        #expect(try host.deploy(Plan(from: (wanted, 1), to: wanted, 2)) == .stale(nil))
        try host.deploy(wanted, 3)
        try host.expect(running: wanted, 3)
    }

    /// The agent keeps directories open for a second, and looks them up again at each request.
    @Test(arguments: ["/var/lib/deptool", "/var/lib/deptool/store", "/var/lib"])
    func `a host that is emptied while a client is silent is another one`(removed: String) throws {
        let host = try TestHost()
        try host.deploy(wanted, 1)
        let (client, hello) = try host.session()
        #expect(hello.commit == wanted.record(1).commit)
        client.send(.record)
        #expect(try client.receive() == .record(wanted.record(1)))
        try FileManager.default.removeItem(atPath: host.real(removed))
        #expect(try client.deploy(Plan(from: (wanted, 1), to: wanted, 2)) == .stale(nil))
        try host.end(client)
        try host.deploy(wanted, 3)
        try host.expect(running: wanted, 3)
    }

    @Test func `a host that had no machine id then keeps its record`() throws {
        let host = try TestHost()
        try host.deploy(wanted, 1)
        try host.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        #expect(try host.session().hello.commit == wanted.record(1).commit)
    }

    @Test func `a transient machine id does not count`() throws {
        let host = try TestHost()
        for id in ["0123456789abcdef0123456789abcdef\n", "fedcba9876543210fedcba9876543210\n"] {
            try host.write("/run/machine-id", id)
            if host.exists("/etc/machine-id") { try host.remove("/etc/machine-id") }
            // One file by two names, as after a bind mount.
            try FileManager.default.linkItem(atPath: host.real("/run/machine-id"), toPath: host.real("/etc/machine-id"))
            #expect(try host.session().hello.machineID == "")
            if id.hasPrefix("0") { try host.deploy(wanted, 1) }
            #expect(try host.session().hello.commit == wanted.record(1).commit)
            try host.remove("/run/machine-id")
        }
        try host.write("/etc/machine-id", "uninitialized\n")
        #expect(try host.session().hello.machineID == "")
    }

    /// As with `/etc` read-only, or before systemd has written the id that it made up.
    @Test func `a transient machine id may equal the permanent one`() throws {
        let host = try TestHost()
        try host.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        try host.deploy(wanted, 1)
        for (id, commit) in [("0123456789abcdef0123456789abcdef\n", wanted.record(1).commit), ("fedcba9876543210fedcba9876543210\n", nil)] {
            try host.write("/run/machine-id", id)
            try host.remove("/etc/machine-id")
            try FileManager.default.linkItem(atPath: host.real("/run/machine-id"), toPath: host.real("/etc/machine-id"))
            #expect(try host.session().hello.commit == commit)
            try host.remove("/run/machine-id")
        }
    }

    /// A host whose agent was killed as soon as `isThere`, and that has another machine id since.
    private func cut(_ plan: Plan, when isThere: (TestHost) throws -> Bool) throws -> (TestHost, [String: String]) {
        let host = try TestHost()
        try host.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        try host.deploy(wanted, 1)
        try host.write("/etc/machine-id", "fedcba9876543210fedcba9876543210\n")
        var before = try host.listing()
        try host.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        for number in 1..<1000 {
            let copy = try TestHost(copyOf: host)
            _ = try ChildAgent.deploy(plan, to: copy, fault: .init(number: number, kind: "kill"))
            guard copy.exists("/var/lib/deptool/store/journal"), try isThere(copy) else { continue }
            try copy.write("/etc/machine-id", "fedcba9876543210fedcba9876543210\n")
            before["/etc/machine-id"] = try copy.listing()["/etc/machine-id"]
            return (copy, before)
        }
        throw Client.Gone()
    }

    private func commit(on host: TestHost) throws -> ObjectID? {
        let record = FileManager.default.contents(atPath: host.real("/var/lib/deptool/store/record"))
        return try record.map { try StoredRecord(decoding: Array($0)).record.commit }
    }

    @Test func `a committed deploy stays committed when the machine id changes`() throws {
        let new = Wanted(["dns": .init(["a": .init("2")], links: ["/etc/a": "a"])])
        let (host, _) = try cut(Plan(from: (wanted, 1), to: new, 2)) { try commit(on: $0) == new.record(2).commit }
        let (client, hello) = try host.session()
        try host.end(client)
        #expect(hello.recovery == .deployed)
        #expect(host.read("/etc/a") == nil)
        #expect(host.target("/etc/a") == "/var/lib/deptool/apps/dns/current/a")
        #expect(!host.exists("/etc/dns"))
    }

    @Test func `a changed machine id does not make a host count as emptied`() throws {
        let (host, before) = try cut(removal()) { host in try commit(on: host) != nil && !host.exists("/etc/a") }
        let (client, hello) = try host.session()
        try host.end(client)
        #expect(hello.recovery == .rolledBack(AgentError(.interrupted)))
        try host.expect(unchangedSince: before)
    }

    @Test func `an emptied host stays emptied with any machine id`() throws {
        let (host, _) = try cut(removal()) { try commit(on: $0) == nil }
        let (client, hello) = try host.session()
        try host.end(client)
        #expect(hello.recovery == .deployed)
        #expect(!host.exists("/etc/a"))
    }

    @Test func `a wiped host is taken over again`() throws {
        let host = try TestHost()
        try host.deploy(wanted, 1)
        try host.remove("/var/lib/deptool")
        #expect(try host.deploy(Plan(from: (wanted, 1), to: wanted, 2)) == .stale(nil))
        try host.deploy(wanted, 3)
        try host.expect(running: wanted, 3)
    }

    private func removal() -> Plan {
        var plan = Plan(from: (wanted, 1), to: Wanted(), 2)
        plan.preparation.leavesNothing = true
        return plan
    }

    @Test func `an emptied host keeps no record`() throws {
        let host = try TestHost()
        try host.deploy(wanted, 1)
        #expect(try host.deploy(removal()) == .finished(.deployed))
        #expect(host.names("/var/lib/deptool/store") == ["lock", "log"])
        #expect(host.names("/var/lib/deptool/apps") == [])
        #expect(try host.session().hello.commit == nil)
        try host.deploy(wanted, 3)
        try host.expect(running: wanted, 3)
    }

    @Test func `after any failure while it is emptied, a host is as before or empty`() throws {
        let counting = Breaker(at: .max)
        let whole = try TestHost()
        try whole.deploy(wanted, 1)
        #expect(try whole.deploy(removal(), gate: counting) == .finished(.deployed))
        for number in 1...counting.count {
            let host = try TestHost()
            try host.deploy(wanted, 1)
            let before = try host.listing()
            let ending = try host.deploy(removal(), gate: Breaker(at: number))
            try host.end(host.session().client)
            if try host.session().hello.commit == nil {
                #expect(ending == .finished(.deployed), "operation \(number)")
                #expect(host.names("/var/lib/deptool/apps") == [], "operation \(number)")
                #expect(!host.exists("/etc/dns"), "operation \(number)")
            } else {
                #expect(ending != .finished(.deployed), "operation \(number)")
                try host.expect(unchangedSince: before, "operation \(number)")
            }
        }
    }

    @Test func `a host that keeps apps keeps its record`() throws {
        let host = try TestHost()
        try host.deploy(wanted, 1)
        var plan = Plan(from: (wanted, 1), to: wanted, 2)
        plan.preparation.leavesNothing = true
        #expect(try host.deploy(plan) == .refused(AgentError(.protocolViolation)))
        var first = Plan(from: nil, to: Wanted(), 2)
        first.preparation.leavesNothing = true
        #expect(try TestHost().deploy(first) == .refused(AgentError(.protocolViolation)))
    }
}
