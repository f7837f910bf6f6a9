import Model
import TestSupport
import Testing

@testable import Planning

@Suite struct SafetyTests {
    private let sshd = [
        "manifest.json": manifest(links: ["/etc/ssh/sshd_config.d/x.conf": "conf/x.conf"]), "conf/x.conf": "1", "notes": "",
    ]

    /// The path that the plan's confirmation names; nil when it has none.
    private func touched(
        _ old: [String: [String: String]], _ new: [String: [String: String]], _ kind: Safety.Guard = .auto
    ) throws -> String? {
        let plan = try #require(HostPlan(base: nil, deployed: try tree(old), wanted: try tree(new), safety: Safety(guard: kind)))
        guard case .confirm(_, .login(let touched)) = plan.steps.last?.action else { return nil }
        return touched ?? "always"
    }

    @Test func `a changed file that sshd reads is guarded`() throws {
        let new = sshd.merging(["conf/x.conf": "2"]) { $1 }
        #expect(try touched(["a": sshd], ["a": new]) == "/etc/ssh/sshd_config.d/x.conf")
        #expect(try touched([:], ["a": sshd]) == "/etc/ssh/sshd_config.d/x.conf")
        #expect(try touched(["a": sshd], [:]) == "/etc/ssh/sshd_config.d/x.conf")
    }

    @Test func `another file of the same app is not guarded`() throws {
        #expect(try touched(["a": sshd], ["a": sshd.merging(["notes": "2"]) { $1 }]) == nil)
        #expect(try touched(["a": sshd, "b": ["f": "1"]], ["a": sshd, "b": ["f": "2"]]) == nil)
    }

    @Test func `a link to a directory exposes every file in it`() throws {
        func tree(_ content: String) -> [String: [String: String]] {
            ["a": ["manifest.json": manifest(links: ["/etc/wireguard": "wg"]), "wg/wg0.conf": content, "wg-other": content]]
        }
        #expect(try touched(tree("1"), tree("2")) == "/etc/wireguard")
    }

    @Test func `an added, retargeted or removed link is guarded`() throws {
        func tree(_ links: [String: String]) -> [String: [String: String]] {
            ["a": ["manifest.json": manifest(links: links), "f": "", "g": ""]]
        }
        #expect(try touched(tree([:]), tree(["/etc/sudoers.d/x": "f"])) == "/etc/sudoers.d/x")
        #expect(try touched(tree(["/etc/sudoers.d/x": "f"]), tree(["/etc/sudoers.d/x": "g"])) == "/etc/sudoers.d/x")
        #expect(try touched(tree(["/etc/sudoers.d/x": "f"]), tree([:])) == "/etc/sudoers.d/x")
    }

    @Test(arguments: [
        "/etc/ssh/sshd_config", "/etc/pam.d/sshd", "/etc/sudoers", "/etc/nftables.conf", "/etc/network/interfaces", "/etc/passwd",
        "/etc/systemd/network/10.network", "/root/.ssh/authorized_keys", "/home/me/.ssh/authorized_keys", "/etc/sysctl.d/1.conf",
    ])
    func `every path that the login depends on is guarded`(path: String) throws {
        #expect(try touched([:], ["a": ["manifest.json": manifest(links: [path: "f"]), "f": ""]]) == path)
    }

    @Test(arguments: ["/etc/sshx", "/etc/nginx/nginx.conf", "/etc/sudoersx/y", "/home/me/.ssh/known_hosts", "/etc/tmpfiles.d/x.conf"])
    func `other paths are not guarded`(path: String) throws {
        #expect(try touched([:], ["a": ["manifest.json": manifest(links: [path: "f"]), "f": ""]]) == nil)
    }

    @Test(arguments: [
        ("systemd/ssh.service", "/etc/systemd/system/ssh.service"),
        ("systemd/sshd.service.d/x.conf", "/etc/systemd/system/sshd.service.d/x.conf"),
        ("systemd/wg-quick@wg0.service", "/etc/systemd/system/wg-quick@wg0.service"),
        ("systemd/deptool-recover.service", "/etc/systemd/system/deptool-recover.service"),
        ("sysusers/x.conf", "/etc/sysusers.d/x.conf"),
    ])
    func `files of units that the login depends on are guarded`(file: String, path: String) throws {
        #expect(try touched([:], ["a": [file: ""]]) == path)
    }

    @Test func `any change of an app with a unit that the login depends on is guarded`() throws {
        func tree(_ content: String) -> [String: [String: String]] {
            ["a": ["manifest.json": manifest(units: ["a.service", "nftables.service"]), "f": content]]
        }
        #expect(try touched(tree("1"), tree("2")) == "nftables.service")
        #expect(try touched(tree("1"), ["a": ["f": "1"]]) == "nftables.service")
        #expect(try touched([:], ["a": ["manifest.json": manifest(units: ["sshguard.service"])]]) == nil)
    }

    /// The tests of a plan, and what nothing proves.
    private func tests(_ old: [String: [String: String]] = [:], _ new: [String: [String: String]]) throws -> String {
        let plan = try #require(HostPlan(base: nil, deployed: try tree(old), wanted: try tree(new)))
        let tests = plan.steps.compactMap { if case .test(let test) = $0.action { "\(test)" } else { nil } }
        return (tests + plan.unproven.map(\.text)).joined(separator: " ")
    }

    @Test(arguments: [
        ("/etc/ssh/sshd_config.d/x.conf", nil, "sshdBefore sshd"), ("/etc/ssh", nil, "sshdBefore sshd"),
        ("/etc/ssh/sshd_config.d/x.conf", "ssh.service", ""), ("/etc/ssh/sshd_config.d/x.conf", "sshguard.service", "sshdBefore sshd"),
        ("/etc/ssh/keys", nil, "sshdBefore sshd /etc/ssh/keys"), ("/etc/ssh/own.d/x.conf", nil, "sshdBefore sshd /etc/ssh/own.d/x.conf"),
        ("/etc/ssh/ssh_config.d/x.conf", nil, ""),
        ("/etc/ssh/ssh_known_hosts", nil, ""), ("/etc/ssh/moduli", nil, ""),
        ("/etc/ssh/ssh_host_rsa_key", nil, "/etc/ssh/ssh_host_rsa_key"),
        ("/etc/ssh/ssh_host_rsa_key", "sshd.service", ""), ("/etc/pam.d/sshd", nil, ""), ("/root/.ssh/authorized_keys", nil, ""),
        ("/etc/sudoers.d/x", nil, "sudo"), ("/etc/sudoers.d/x", "ssh.service", "sudo"),
        ("/etc/nftables.conf", nil, "nftables /etc/nftables.conf"), ("/etc/nftables.conf", "nftables.service", ""),
        ("/etc/sysctl.d/x.conf", nil, "/etc/sysctl.d/x.conf"), ("/etc/wireguard/wg0.conf", "wg-quick@wg0.service", ""),
    ])
    func `settings read at the next start are tested, or reported as untested`(path: String, unit: String?, expected: String) throws {
        #expect(
            try tests([:], ["a": ["manifest.json": manifest(units: unit.map { [$0] } ?? [], links: [path: "f"]), "f": ""]]) == expected)
    }

    /// An app that adopts a file of a unit leaves the unit running (`IfUp.restart`), regardless of other changes.
    @Test func `a unit that another app lists need not restart`() throws {
        let files = ["manifest.json": manifest(links: ["/etc/ssh/sshd_config.d/x.conf": "f"]), "f": ""]
        let unit = ["manifest.json": manifest(units: ["ssh.service"]), "g": "1"]
        #expect(try tests([:], ["a": files, "b": unit]) == "sshdBefore sshd")
        #expect(try tests(["b": unit], ["a": files, "b": unit]) == "sshdBefore sshd")
        #expect(try tests(["b": unit], ["a": files, "b": unit.merging(["g": "2"]) { $1 }]) == "")
    }

    @Test func `a change of a file's readers counts as a change of the file`() throws {
        func tree(_ readers: String) -> [String: [String: String]] {
            ["a": ["manifest.json": "{\(readers)\"symlinks\": {\"/etc/ssh/sshd_config.d/x.conf\": \"f\"}}", "f": ""]]
        }
        let readers = ["", #""private": true, "#, #""private": true, "group": "adm", "#]
        for old in readers {
            for new in readers where old != new {
                #expect(try touched(tree(old), tree(new)) == "/etc/ssh/sshd_config.d/x.conf")
                #expect(try tests(tree(old), tree(new)) == "sshdBefore sshd")
            }
        }
    }

    @Test func `a unit that restarts reads its files`() throws {
        let drop = ["systemd/sshd.service.d/x.conf": "", "systemd/wg-quick@wg0.service": ""]
        #expect(
            try tests([:], ["a": drop])
                == "/etc/systemd/system/sshd.service.d/x.conf /etc/systemd/system/wg-quick@wg0.service")
        let units = manifest(units: ["sshd.service", "wg-quick@wg0.service"])
        #expect(try tests([:], ["a": drop.merging(["manifest.json": units]) { $1 }]) == "")
    }

    @Test func `sshd is queried before anything changes, and at the end`() throws {
        let plan = try #require(HostPlan(base: nil, deployed: try tree([:]), wanted: try tree(["a": sshd])))
        #expect(
            plan.steps.map(text) == [
                "a: checkout", "test sshdBefore", "a: activate", "a: link /etc/ssh/sshd_config.d/x.conf -> conf/x.conf", "test sshd",
                "confirm login (/etc/ssh/sshd_config.d/x.conf) 45.0 seconds",
            ])
    }

    @Test func `the reason names a changed file`() throws {
        func tree(_ extra: [String: String]) -> [String: [String: String]] {
            let links = ["/etc/ssh/sshd_config.d/x.conf": "f"].merging(extra) { $1 }
            return ["a": ["manifest.json": manifest(links: links), "f": "", "g": ""]]
        }
        #expect(try touched(tree([:]), tree(["/etc/sudoers.d/x": "g"])) == "/etc/sudoers.d/x")
        #expect(try touched(tree([:]), tree(["/etc/motd": "g"])) == nil)
    }

    @Test func `the operator can guard always or never`() throws {
        #expect(try touched([:], ["a": sshd], .never) == nil)
        #expect(try touched([:], ["a": sshd], .always) == "/etc/ssh/sshd_config.d/x.conf")
        #expect(try touched([:], ["a": ["f": ""]], .always) == "always")
        #expect(try touched([:], ["a": ["f": ""]], .auto) == nil)
    }
}
