import Model
import Planning
import TestSupport
import Testing

@testable import Deployment

@Suite struct HostFactsTests {
    private let printed = """
        hello

        DEPTOOL-PROBE-BEGIN
        cpu Linux x86_64
        hostname web1
        space /dev/sda1 20000 5000 15000 25% /var
        options rw,nosuid
        options rw,noexec
        systemd systemd 252 (252.1)
        quadlets yes
        missing dd
        DEPTOOL-PROBE-END

        """

    @Test func `the output of a host is parsed`() throws {
        let probe = try #require(HostFacts(Array(printed.utf8)))
        #expect(probe.noise == "hello")
        #expect(probe.cpu == "Linux x86_64" && probe.hostname == "web1" && probe.available == 15_360_000)
        #expect(
            probe.options == ["rw", "noexec"] && probe.systemd == "systemd 252 (252.1)" && probe.hasQuadlets && probe.missing == ["dd"])
    }

    @Test func `truncated output is refused, and nonsense is skipped`() {
        for length in 0..<printed.utf8.count - 18 { #expect(HostFacts(Array(printed.utf8.prefix(length))) == nil) }
        let nonsense = "DEPTOOL-PROBE-BEGIN\nspace a b c 99999999999999999999 e f\nspace\nwhat ever\n\u{1b}\nDEPTOOL-PROBE-END\n"
        #expect(HostFacts(Array(nonsense.utf8))?.available == nil)
        #expect(HostFacts(Array("DEPTOOL-PROBE-END\nDEPTOOL-PROBE-BEGIN\n".utf8)) == nil)
    }

    @Test func `any shell accepts the script`() throws {
        let app = try #require(AppName("app"))
        let needed: [Requirement] = [
            .program("a"), .package("b", relation: ">=", version: "1"), .package("c", relation: nil, version: nil), .systemd(1),
        ]
        #expect(!HostFacts.script([(app, needed)]).contains(where: { "'\\!\n".contains($0) }))
    }
}
