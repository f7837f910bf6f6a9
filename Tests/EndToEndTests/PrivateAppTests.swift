import Foundation
import Testing

extension EndToEnd {
    /// Apps whose files not everybody with an account on the host may read.
    @Suite final class PrivateAppTests: OneHost {
        private func write(_ manifest: String, key: String = "POISON-1") throws {
            try cluster.write("web1/dns/manifest.json", manifest)
            try cluster.write("web1/dns/key", key)
            try cluster.write("web1/dns/sysusers/dns.conf", "u dns - \"Name server\"\n")
        }

        /// Where an account finds the key, in all that Deptool has there.
        private func places(readBy user: String) throws -> String {
            try host.attempt("setpriv --reuid=\(user) --regid=\(user) --clear-groups grep -rl POISON /var/lib/deptool").text
                .split(separator: "\n").map { $0.hasSuffix("/key") ? "key" : String($0) }.joined(separator: " ")
        }

        @Test func `a private app is for root and its group`() throws {
            let (shared, closed) = (
                #"{"private": true, "group": "dns", "symlinks": {"/etc/dns.key": "key"}}"#,
                #"{"private": true, "symlinks": {"/etc/dns.key": "key"}}"#
            )
            // The group is one that this very deploy makes.
            try write(shared)
            let first = try cluster.deploy().require(0)
            #expect(first.text.contains("        only root can read it\n"), "\(first)")
            #expect(first.text.contains("        run systemd-sysusers\n        let the group dns read it\n"), "\(first)")
            #expect(try places(readBy: "operator") == "")
            #expect(try places(readBy: "dns") == "key")
            #expect(try host.read("/etc/dns.key") == "POISON-1")
            #expect(try attributes() == "440 root:dns\n")

            // A rollback brings back who could read it.
            try cluster.addService("failing", on: "web1", run: "/bin/false")
            try write(closed)
            let before = try host.snapshot()
            try cluster.deploy().require(3)
            expect(try host.snapshot(), is: before)
            #expect(try places(readBy: "dns") == "key")

            // The same files, for root only, and their previous version, too.
            try cluster.remove("web1/failing")
            try cluster.deploy().require(0)
            #expect(try places(readBy: "operator") == "")
            #expect(try places(readBy: "dns") == "")
            #expect(try host.read("/etc/dns.key") == "POISON-1")
            #expect(try attributes() == "400 root:root\n")

            // For everybody.
            try write("{}", key: "POISON-2")
            try cluster.deploy().require(0)
            #expect(try places(readBy: "operator") == "key")

            // And private again, where the version before is the public one.
            try write(closed, key: "POISON-2")
            try cluster.deploy().require(0)
            #expect(try places(readBy: "operator") == "")
        }

        private func attributes() throws -> String { try host.run("stat -L -c '%a %U:%G' /etc/dns.key") }

        @Test func `a program that rejects readable keys accepts the key of a private app`() throws {
            try cluster.run("ssh-keygen -q -t ed25519 -N '' -f key && mkdir -p prod/web1/sshd && mv key prod/web1/sshd/")
            func deploy(_ manifest: String) throws -> Output {
                try cluster.write("web1/sshd/manifest.json", manifest)
                try cluster.deploy().require(0)
                return try host.attempt("sshd -t -h /var/lib/deptool/apps/sshd/current/key -f /dev/null 2>&1")
            }
            #expect(try deploy("{}").text.contains("UNPROTECTED PRIVATE KEY FILE"))
            #expect(try deploy(#"{"private": true}"#) == Output(code: 0, text: "", errors: ""))

            // Modes set by an earlier agent are no drift, and an undo corrects them.
            try host.run("chmod 444 /var/lib/deptool/apps/sshd/current/*")
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")
            try cluster.write("web1/sshd/note", "")
            try cluster.deploy().require(0)
            try cluster.deptool("undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(try host.run("stat -c '%a' /var/lib/deptool/apps/sshd/current/*") == "400\n400\n")
        }

        @Test func `a missing group is named, and nothing changes`() throws {
            try cluster.write("web1/dns/manifest.json", #"{"private": true, "group": "nobody-has-it"}"#)
            let output = try cluster.deploy()
            #expect(output.code == 1)
            #expect(
                output.text.hasSuffix(
                    """

                    web1: /etc/group has no group 'nobody-has-it'.
                    Correct "group" in the app's manifest.json, or create the group with a line `g nobody-has-it -` in a file of \
                    the app's sysusers directory.

                    Nothing was changed.

                    """), "\(output)")
            #expect(try host.apps() == "")
            #expect(try host.isLocked == false)
        }
    }
}
