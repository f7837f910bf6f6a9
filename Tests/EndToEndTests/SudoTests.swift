import Foundation
import Testing

extension EndToEnd {
    /// Logins that are not root's.
    @Suite final class SudoTests {
        let site: Site
        let cluster: Cluster
        private var version = 0

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            cluster.environment["NO_COLOR"] = "1"
        }

        /// Lets the operator's sudo want a password.
        private func protect(_ host: Host, _ defaults: String = "") throws {
            try host.run("echo operator:letmein | chpasswd")
            try host.write("/etc/sudoers.d/operator", "\(defaults)\noperator ALL=(ALL) ALL\n")
        }

        private func change(_ hosts: String...) throws {
            version += 1
            for host in hosts { try cluster.write("\(host)/app/file", "\(version)") }
        }

        @Test func `a password for sudo goes to other hosts only with consent, and is stored nowhere`() throws {
            let (web1, web2) = try site.boot("web1", "web2")
            for host in [web1, web2] { try protect(host) }
            try cluster.configure(("User root", "User operator"))
            for transport in ["libssh2", "openssh"] {
                cluster.transport = transport
                try change("web1", "web2")
                let deploy = try cluster.startAsking()
                try deploy.expect("[y/N/d] ")
                deploy.type(line: "y")
                try deploy.expect("\nPassword of operator for sudo on web")
                deploy.type(line: "letmein")
                try deploy.expect(" to all hosts that ask? [y/N] ")
                // Over libssh2 the same for both, over OpenSSH each its own.
                deploy.type(line: transport == "libssh2" ? "y" : "n")
                if transport == "openssh" {
                    try deploy.expect("\nPassword of operator for sudo on web")
                    deploy.type(line: "letmein")
                }
                let output = try deploy.finish().require(0)
                #expect(output.text.split(separator: "Password of").count == (transport == "libssh2" ? 2 : 3), "\(output)")
                #expect(output.text.split(separator: "asks for it, too. Send the password for web").count == 2, "\(output)")
                #expect(!output.text.contains("letmein"))
            }
            for host in [web1, web2] {
                #expect(try host.agents() == [])
                let traces = try host.attempt("grep -rl letmein /var /etc /run/log /home /root /tmp 2>/dev/null; journalctl | grep letmein")
                #expect(traces.text == "")
            }
        }

        @Test func `a wrong or missing password and other failures of sudo are explained`() throws {
            let host = try site.boot()
            try protect(host)
            try cluster.configure(("User root", "User operator"))
            try change("web1")
            cluster.environment["NO_COLOR"] = "1"
            func refuse(_ passwords: String...) throws -> String {
                let deploy = try cluster.startAsking("--no-confirm")
                for password in passwords {
                    try deploy.expect("Password of operator for sudo on web1: ")
                    deploy.type(line: password)
                }
                return try deploy.finish().require(1).text
            }
            let wrong = try refuse("one", "two", "three")
            #expect(wrong.contains("\n  web1: wrong password for sudo\n"), "\(wrong)")
            #expect(wrong.contains("\nweb1: sudo rejected the password. Nothing was run.\n"))
            #expect(!wrong.contains("DEPTOOL-PASSWORD"))
            let none = try refuse("\u{4}")
            #expect(none.contains("\n  web1: sudo needs a password\n"), "\(none)")
            #expect(try host.attempt("test -e /var/lib/deptool").code == 1)

            // In a pseudo-terminal of its own, bytes still arrive as they were sent.
            try protect(host, "Defaults use_pty\nDefaults timestamp_timeout=0\nDefaults lecture=always\n")
            try cluster.write("web1/app/bytes", (0..<256).map { "\(UnicodeScalar(UInt8($0)))\u{3}\u{4}\r\n" }.joined())
            let deploy = try cluster.startAsking("--no-confirm")
            try deploy.expect("Password of operator for sudo on web1: ")
            deploy.type(line: "letmein")
            try deploy.finish().require(0)
            #expect(
                try host.run("sha256sum </var/lib/deptool/apps/app/current/bytes")
                    == cluster.run("sha256sum", "prod/web1/app/bytes").replacing("prod/web1/app/bytes", with: "-"))

            try change("web1")
            try host.write("/etc/sudoers.d/operator", "operator ALL=(nobody) ALL\n")
            let forbidden = try refuse("letmein")
            #expect(forbidden.contains("\n  web1: sudo does not allow it\n"), "\(forbidden)")
            try host.write("/etc/sudoers.d/operator", "Defaults requiretty\noperator ALL=(ALL) NOPASSWD: ALL\n")
            let output = try cluster.deploy().require(1)
            #expect(output.text.contains("\n  web1: sudo needs a terminal\n"), "\(output)")
            try host.run("rm /usr/bin/sudo")
            let missing = try cluster.deploy().require(1)
            #expect(missing.text.contains("\n  web1: no sudo there\n"), "\(missing)")
            // Root needs none.
            try cluster.configure()
            try cluster.deploy().require(0)
        }
    }
}
