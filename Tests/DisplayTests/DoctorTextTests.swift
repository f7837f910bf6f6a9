import Deployment
import Model
import SSH
import TestSupport
import Testing

@testable import Display

@Suite struct DoctorTextTests {
    @Test func `findings are grouped by hosts, with remedies`() throws {
        let host = try hostname("web1")
        let findings =
            [Diagnosis("store", .ok, "/s, 1 host deployed")]
            + Diagnosis.about(
                host,
                [
                    .settings(user: "root", endpoint: "10.0.0.1:22", over: nil),
                    .failed(.ssh(.refused(SSHEndpoint(address: "10.0.0.1", port: 22)))),
                ])
        #expect(
            DoctorText(style: .plain).render(findings) == """
                this machine
                  ok    store         /s, 1 host deployed

                web1
                  ok    ssh settings  root@10.0.0.1:22
                  ok    name          works
                  fail  port          connection refused
                        10.0.0.1:22 refuses connections. Either sshd does not run on web1, or it listens on another port: give web1 a Port in ~/.ssh/config.

                1 failure, 0 warnings.

                """)
        #expect(DoctorText(style: .plain).render([findings[0]]).hasSuffix("\nAll is well.\n"))
    }

    @Test func `no finding has control characters`() throws {
        let host = try hostname("web1")
        let steps: [Doctor.Observation] = [
            .noise("a\u{1b}[2J"), .cpu("\u{1b}x", isCarried: false), .hostname("\u{7}", expected: "web1"),
            .hostname("\u{7}", expected: nil),
            .programs(missing: ["\u{9b}"]), .systemd("\u{1b}c", isNeeded: true), .settings(user: "\u{1b}", endpoint: "", over: nil),
        ]
        let text = DoctorText(style: .plain).render(Diagnosis.about(host, steps))
        #expect(!text.unicodeScalars.contains { $0 != "\n" && $0.properties.generalCategory == .control }, "\(text)")
    }

    @Test(arguments: [(UInt64(1 << 20), Diagnosis.Verdict.fail), (50 << 20, .warn), (1 << 30, .ok)])
    func `doctor warns of little space`(_ bytes: UInt64, _ verdict: Diagnosis.Verdict) throws {
        #expect(Diagnosis.about(try hostname("web1"), [.space(bytes)]).map(\.verdict) == [verdict])
    }
}
