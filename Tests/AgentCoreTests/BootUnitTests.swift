import Testing

@testable import AgentCore

@Suite struct BootUnitTests {
    @Test func `no link to the boot unit stays after an interruption at any operation`() throws {
        for number in 1... {
            let host = try TestHost()
            try host.makeDirectory("/etc/systemd/system/sysinit.target.wants")
            try host.makeDirectory("/var/lib/deptool/store")
            let before = try host.listing().keys.filter { $0.hasPrefix("/etc/") }
            let breaker = Breaker(at: number)
            try? BootUnit(system: System(root: host.root, gate: breaker)).install("deptool-agent-1-aaaaaaaaaa")
            try BootUnit(system: System(root: host.root)).remove()
            #expect(try Set(host.listing().keys.filter { $0.hasPrefix("/etc/") }) == Set(before), "operation \(number)")
            if breaker.count < number { break }
        }
    }
}
