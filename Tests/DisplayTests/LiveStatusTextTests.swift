import Model
import SSH
import TestSupport
import Testing

@testable import Deployment
@testable import Display

@Suite struct LiveStatusTextTests {
    private func status(_ change: (inout LiveStatus) throws -> Void = { _ in }) throws -> LiveStatus {
        let web = try #require(AppName("web"))
        var status = LiveStatus(
            load: ["0.12", "0.08", "0.05"], memory: .init(total: 4_000_000_000, available: 1_000_000_000),
            root: .init(total: 20_000_000_000, available: 15_000_000_000), var: .init(total: 0, available: 0), uptime: 90_061,
            needsReboot: true, agent: "deptool-agent-0.1.0-a60d34d827", commit: .of(.blob, [1]),
            units: [
                .init(app: web, name: try unitName("a.service"), state: "active", substate: "running", age: 3599),
                .init(app: web, name: try unitName("b.service"), state: "fail\u{1b}ed", substate: nil, age: nil),
                .init(app: web, name: try unitName("c.service"), state: nil, substate: nil, age: nil),
            ], failed: ["x.service", "y\u{1b}.service"])
        try change(&status)
        return status
    }

    @Test func `hosts that answer, fail or have not answered yet each have a line`() throws {
        let hosts: [(Hostname, Result<LiveStatus, HostError>?)] = [
            (try hostname("web1"), .success(try status())), (try hostname("web2"), .failure(.ssh(.interrupted))),
            (try hostname("web3"), nil),
            (
                try hostname("web4"),
                .success(
                    try status {
                        $0 = LiveStatus(
                            load: [], memory: nil, root: $0.root, var: $0.root, uptime: 59, needsReboot: false, agent: "\u{1b}x",
                            commit: nil, units: [],
                            failed: [])
                    })
            ),
        ]
        #expect(
            LiveStatusText(style: .plain).lines(hosts).joined(separator: "\n") == """
                web1  up 1 d 1 h, load 0.12 0.08 0.05, memory 75% of 4.0 GB, / 25% of 20.0 GB, /var 0% of 0 B
                    runs \(ObjectID.of(.blob, [1]).short), agent 0.1.0-a60d34d827
                    reboot required
                    web  a.service  active (running) for 59 min
                    web  b.service  fail^[ed
                    web  c.service  state not known
                    failed units: x.service, y^[.service
                web2  interrupted
                web3  connecting
                web4  up 59 s, disk 25% of 20.0 GB
                    nothing is deployed, agent ^[x
                """)
    }

    @Test func `the display is cut to the terminal`() {
        let lines = (1...20).map { "\u{1b}[1mweb\($0)\u{1b}[0m and so on" }
        #expect(
            LiveStatusText.cut(lines, columns: 11, rows: 4) == [
                "\u{1b}[1mweb1\u{1b}[0m and s\u{1b}[0m", "\u{1b}[1mweb2\u{1b}[0m and s\u{1b}[0m", "(18 more l",
            ])
        #expect(LiveStatusText.cut(lines, columns: 80, rows: 24) == lines)
    }
}
