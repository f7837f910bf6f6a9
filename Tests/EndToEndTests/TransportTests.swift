import Foundation
import Testing

extension EndToEnd {
    /// The core of all that the other suites test, over the system's ssh. All of them run over it with
    /// `DEPTOOL_TRANSPORT=openssh`.
    @Suite final class TransportTests {
        let site: Site
        let cluster: Cluster
        let host: Host

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            cluster.transport = "openssh"
            cluster.environment["NO_COLOR"] = "1"
            host = try site.boot()
        }

        /// The ssh programs of this site.
        private func children() throws -> String {
            try Program(
                ["sh", "-c", "ps -eo args= | grep '^ssh.*\(site.directory)' || true"], environment: cluster.environment
            ).finish().text
        }

        @Test func `first deploy, update, rollback, guard and adoption work over ssh`() throws {
            try cluster.addService("app", on: "web1")
            let first = try cluster.deploy("--verbose").require(0)
            #expect(first.text.contains("\n  web1: over the system's ssh: as you said\n  web1: installing the agent\n"), "\(first)")
            #expect(try host.state(of: "app") == "active")

            // Many more bytes than any buffer on the way has.
            let large = String(repeating: "0123456789abcdef", count: 1 << 18)
            try cluster.write("web1/app/large", large)
            try cluster.deploy().require(0)
            #expect(
                try host.run("sha256sum </var/lib/deptool/apps/app/current/large")
                    == cluster.run("sha256sum", "prod/web1/app/large").replacing("prod/web1/app/large", with: "-"))

            let before = try host.snapshot()
            try cluster.addService("app", on: "web1", run: "/bin/false")
            try cluster.deploy().require(3)
            expect(try host.snapshot(), is: before)
            #expect(try host.state(of: "app") == "active")

            // The guard needs a new login, even with a shared connection.
            try cluster.addService("app", on: "web1")
            try cluster.write("web1/sshd/deny.conf", "DenyUsers root\n")
            try cluster.write(
                "web1/sshd/manifest.json",
                #"""
                {"systemd": {"units_enabled": ["ssh.service"]},
                 "symlinks": {"/etc/ssh/sshd_config.d/deny.conf": "deny.conf"}}
                """#)
            let locked = try cluster.deploy()
            #expect(locked.code == 3)
            #expect(locked.text.contains("web1: rolled back: no new login to the host worked"), "\(locked)")
            try cluster.write("web1/sshd/deny.conf", "PrintMotd no\n")
            try cluster.deploy().require(0)

            let bob = try Cluster(site, of: "Bob")
            bob.transport = "openssh"
            try bob.write("web1/other/file", "")
            try bob.deptool("sync", "--ssh-config", bob.sshConfiguration).require(0)
            #expect(try bob.references().contains("refs/remotes/web1 "))
            #expect(try bob.deptool("ping", "--count", "3", "--ssh-config", bob.sshConfiguration).require(0).text.contains("n=3"))
            #expect(try children() == "")
        }

        @Test func `an interrupted deploy ends in the old state`() throws {
            try cluster.addService("web", on: "web1")
            try cluster.deploy().require(0)
            let before = try host.snapshot()
            try cluster.addService("web", on: "web1", before: "/bin/sleep 2")
            func expectOldState(sourceLocation: SourceLocation = #_sourceLocation) throws {
                try host.wait(for: "flock --nonblock /var/lib/deptool/store/lock true")
                expect(try host.snapshot(), is: before, sourceLocation: sourceLocation)
                #expect(try host.state(of: "web") == "active", sourceLocation: sourceLocation)
                #expect(try children() == "", sourceLocation: sourceLocation)
            }
            func begin() throws -> Program {
                let deploy = try cluster.startAsking("--no-confirm")
                try deploy.expect("restarting web.service")
                return deploy
            }

            // The connection goes.
            let cut = try begin()
            try host.run("pkill -KILL -f '^sshd(-session)?: root@notty'")
            #expect(try cut.finish().code == 5)
            try expectOldState()

            // The operator gives up.
            let given = try begin()
            given.type("\u{3}")
            let output = try given.finish()
            #expect(output.code == 3)
            #expect(output.text.contains("\nweb1: cancelled by the operator\n"), "\(output)")
            try expectOldState()

            // And leaves without waiting.
            let left = try begin()
            left.type("\u{3}")
            try left.expect("Giving up")
            left.type("\u{3}")
            #expect(try left.finish().code == 130)
            try expectOldState()

            // The tool dies.
            let killed = try begin()
            killed.signal(SIGKILL)
            #expect(try killed.finish().code == 137)
            try expectOldState()
        }
    }
}
