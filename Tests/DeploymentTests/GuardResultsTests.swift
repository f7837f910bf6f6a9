import Model
import TestSupport
import Testing
import Wire

@testable import Deployment

/// The conclusions from the output of programs that test their files.
@Suite struct GuardResultsTests {
    private let root = OwnLogin(user: "root", connection: ["10.0.0.1", "40000", "10.0.0.2", "22"], groups: ["root"])
    private let ann = OwnLogin(user: "ann", connection: ["10.0.0.1", "40000", "10.0.0.2", "22"], groups: ["users", "sudo"])

    private func objection(_ before: String, _ after: String, _ login: OwnLogin? = nil) -> HostError? {
        let tests: GuardResults = [.sshdBefore: (0, Array(before.utf8)), .sshd: (0, Array(after.utf8))]
        return tests.objection(to: login ?? root)
    }

    @Test func `the host reports the user and address of the login`() throws {
        let login = try #require(OwnLogin(Array("Welcome\n\nDEPTOOL-LOGIN ann,10.0.0.1 40000 10.0.0.2 22,users sudo\n".utf8)))
        #expect(login == ann)
        #expect(login.specification == "user=ann,host=10.0.0.1,addr=10.0.0.1,laddr=10.0.0.2,lport=22")
        #expect(OwnLogin(Array("DEPTOOL-LOGIN ann,,\n".utf8))?.specification == "user=ann,host=UNKNOWN,addr=UNKNOWN")
        #expect(OwnLogin(Array("DEPTOOL-LOGIN ,,\n".utf8)) == nil)
        #expect(OwnLogin(Array("Welcome\n".utf8)) == nil)
        for control in ["\r", "\u{7f}", "\u{0}", "\t"] {
            #expect(OwnLogin(Array("DEPTOOL-LOGIN ann\(control),10.0.0.1,users\n".utf8)) == nil)
        }
        #expect(objection("port 22\r\n", "port 22\r\ndenyusers root\n") == .sshdRefuses(setting: "denyusers root"))
    }

    @Test(arguments: [
        ("allowusers nobody\n", "allowusers nobody"), ("allowusers ro?t\n", nil), ("allowusers nobody\nallowusers root@10.0.*\n", nil),
        ("denyusers r*\n", "denyusers r*"), ("denyusers nobody\n", nil), ("allowgroups wheel\n", "allowgroups wheel"),
        ("allowgroups wheel\nallowgroups root\n", nil), ("denygroups root\n", "denygroups root"),
        ("permitrootlogin no\n", "permitrootlogin no"),
        ("permitrootlogin forced-commands-only\n", "permitrootlogin forced-commands-only"), ("permitrootlogin without-password\n", nil),
        ("pubkeyauthentication no\n", "pubkeyauthentication no"), ("refuseconnection yes\n", "refuseconnection yes"),
        ("passwordauthentication no\nx11forwarding no\nacceptenv LANG\nacceptenv LC_*\n", nil),
    ])
    func `a setting that keeps root out is an objection`(after: String, setting: String?) {
        #expect(objection("", after) == setting.map { .sshdRefuses(setting: $0) })
        // A setting that was in force before did not keep the login out.
        #expect(objection(after, after) == nil)
    }

    @Test func `no output of a host traps`() {
        var random = Seeded()
        let pieces = [
            "", " ", "   ", "\n", "\n \n", "allowusers", " ", "root@", "@", "denygroups *", "\u{0}", "permitrootlogin", "é\n", ",",
        ]
        for _ in 0..<3000 {
            let (before, after) = (random.list { $0.pick(pieces) }.joined(), random.list { $0.pick(pieces) }.joined())
            _ = objection(before, after, random.pick([root, ann]))
            _ = OwnLogin(Array("DEPTOOL-LOGIN \(after)\n".utf8))?.specification
        }
        #expect(objection("   \n", " \n\n   \nport 22\n") == .sshdUntested(["port"]))
    }

    @Test func `other users than root have other rules`() {
        #expect(objection("", "permitrootlogin no\nallowgroups sudo\n", ann) == nil)
        #expect(objection("", "allowusers root\n", ann) == .sshdRefuses(setting: "allowusers root"))
        #expect(objection("", "denygroups su*\n", ann) == .sshdRefuses(setting: "denygroups su*"))
    }

    @Test func `settings that Deptool cannot judge count as untested`() {
        #expect(objection("port 22\n", "port 2222\nciphers x\n") == .sshdUntested(["ciphers", "port"]))
        #expect(objection("forcecommand none\n", "") == .sshdUntested(["forcecommand"]))
        #expect(objection("", "allowusers root@10.0.0.0/8\n") == .sshdUntested(["allowusers"]))
        #expect(objection("", "denyusers root@*.example.com\n") == .sshdUntested(["denyusers"]))
        #expect(objection("", "port 1\ndenyusers root\n") == .sshdRefuses(setting: "denyusers root"))
        #expect(GuardResults().objection(to: root) == .sshdUntested([]))
        #expect(
            objection("", "gssapiauthentication yes\nusedns yes\nsetenv PATH=/\n")
                == .sshdUntested(["gssapiauthentication", "setenv", "usedns"]))
        #expect(([.sshd: (0, [])] as GuardResults).objection(to: root) == .sshdUntested([]))
        #expect(([.sshdBefore: (127, []), .sshd: (127, [])] as GuardResults).objection(to: root) == .sshdUntested([]))
    }

    @Test func `a mistake is a failure of a program that exists`() {
        let tests: GuardResults = [.sudo: (1, Array("syntax error".utf8)), .nftables: (127, []), .sshd: (255, [])]
        #expect(tests.mistake(in: .sudo) == .command(arguments: ["visudo", "-c", "-f", "/etc/sudoers"], status: 1, output: "syntax error"))
        #expect(tests.mistake(in: .nftables) == nil)
        #expect(GuardResults().mistake(in: .nftables) == .notConfirmed(seconds: 0))
        #expect(tests.mistake(in: .sshd) == .command(arguments: ["/usr/sbin/sshd", "-T"], status: 255, output: ""))
    }
}
