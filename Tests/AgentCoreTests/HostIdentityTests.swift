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
        let (laptop, hello) = try host.session()
        #expect(hello.commit == nil)
        laptop.send(.record)
        #expect(try laptop.receive() == .record(nil))
        try host.end(laptop)
        // It is taken over again, links to directories and all.
        #expect(try host.deploy(Plan(from: (wanted, 1), to: wanted, 2)) == .stale(nil))
        try host.deploy(wanted, 3)
        try host.expect(running: wanted, 3)
    }

    @Test func `a host that had no machine id then keeps its record`() throws {
        let host = try TestHost()
        try host.deploy(wanted, 1)
        try host.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        #expect(try host.session().hello.commit == wanted.record(1).commit)
    }

    @Test func `a host that was wiped is taken over again`() throws {
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

    @Test func `a host that is emptied keeps no record`() throws {
        let host = try TestHost()
        try host.deploy(wanted, 1)
        #expect(try host.deploy(removal()) == .finished(.deployed))
        #expect(host.names("/var/lib/deptool/store") == ["lock", "log"])
        #expect(host.names("/var/lib/deptool/apps") == [])
        #expect(try host.session().hello.commit == nil)
        try host.deploy(wanted, 3)
        try host.expect(running: wanted, 3)
    }

    @Test func `whatever fails while a host is emptied, it is as before or empty`() throws {
        let counting = Breaker(at: .max)
        let whole = try TestHost()
        try whole.deploy(wanted, 1)
        #expect(try whole.deploy(removal(), gate: counting) == .finished(.deployed))
        for number in 1...counting.count {
            let host = try TestHost()
            try host.deploy(wanted, 1)
            let before = try host.listing()
            let ending = try host.deploy(removal(), gate: Breaker(at: number))
            try host.end(host.session().laptop)
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
        #expect(try host.deploy(plan) == .refused(Failure(.protocolViolation)))
        var first = Plan(from: nil, to: Wanted(), 2)
        first.preparation.leavesNothing = true
        #expect(try TestHost().deploy(first) == .refused(Failure(.protocolViolation)))
    }
}
