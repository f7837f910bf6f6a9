import Model
import TestSupport
import Testing
import Wire

@testable import Deployment

@Suite struct LiveStatusTests {
    private let parts = [
        "0.12 0.08 0.05 1/234 5678\n", "MemTotal:        4000 kB\nMemFree:         100 kB\nMemAvailable:    1000 kB\n",
        "16655.21 64012.34\n", "1000 250", "2000 500", "yes", "deptool-agent-0.1.0-a60d34d827", "web a.service\nweb b.service\n",
        "ActiveState=active\nSubState=running\nStateChangeTimestampMonotonic=16000000000\n\n"
            + "ActiveState=inactive\nSubState=dead\nStateChangeTimestampMonotonic=0\n",
        "x.service loaded failed failed A service that failed\n",
    ]

    private func parse(_ parts: [String]) -> LiveStatus? { LiveStatus(Array(parts.joined(separator: "\0").utf8), commit: nil) }

    private func parse(replacing index: ReportPart, with part: String) throws -> LiveStatus {
        var parts = parts
        parts[index.rawValue] = part
        return try #require(parse(parts))
    }

    @Test func `the output of a host is parsed`() throws {
        let web = try #require(AppName("web"))
        #expect(
            parse(parts)
                == LiveStatus(
                    load: ["0.12", "0.08", "0.05"], memory: .init(total: 4_096_000, available: 1_024_000),
                    root: .init(total: 1000, available: 250), var: .init(total: 2000, available: 500), uptime: 16655, needsReboot: true,
                    agent: "deptool-agent-0.1.0-a60d34d827", commit: nil,
                    units: [
                        .init(app: web, name: try unitName("a.service"), state: "active", substate: "running", age: 655),
                        .init(app: web, name: try unitName("b.service"), state: "inactive", substate: "dead", age: nil),
                    ], failed: ["x.service"]))
    }

    @Test func `facts that a host does not send are unknown`() throws {
        let status = try #require(parse(Array(repeating: "", count: 10)))
        #expect(
            status
                == LiveStatus(
                    load: [], memory: nil, root: nil, var: nil, uptime: nil, needsReboot: false, agent: "", commit: nil, units: [],
                    failed: []))
        #expect(try parse(replacing: .states, with: "").units.map(\.state) == [nil, nil])
    }

    @Test func `false values are rejected`() throws {
        #expect(parse(Array(repeating: "", count: 9)) == nil)
        #expect(parse(Array(repeating: "", count: 11)) == nil)
        #expect(try parse(replacing: .load, with: "\u{1b}[2J 1 2").load == [])
        #expect(try parse(replacing: .memory, with: "MemTotal: 1 kB\nMemAvailable: 2 kB\n").memory == nil)
        #expect(
            try parse(replacing: .memory, with: "MemTotal: 99999999999999999999 kB\nMemAvailable: 18446744073709551615 kB\n").memory == nil)
        #expect(try parse(replacing: .uptime, with: "99999999999999999999.0").uptime == nil)
        #expect(try parse(replacing: .root, with: "10 20").root == nil)
        #expect(try parse(replacing: .root, with: "18446744073709551615 1").root == nil)
        // A unit that changes in the future, and invalid names.
        #expect(try parse(replacing: .uptime, with: "1.0").units.map(\.age) == [nil, nil])
        #expect(try parse(replacing: .units, with: "../x a.service\nweb /etc\nweb\n").units == [])
    }
}
