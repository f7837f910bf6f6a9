import Foundation
import Testing

extension EndToEnd {
    /// What has to be sure before hosts keep their new state.
    @Suite final class SafetyTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        @Test func `a deploy that locks the operator out undoes itself`() throws {
            let host = try site.boot()
            try cluster.write("web1/sshd/deny.conf", "DenyUsers root\n")
            try cluster.write(
                "web1/sshd/manifest.json",
                #"""
                {"systemd": {"units_enabled": ["ssh.service"]},
                 "symlinks": {"/etc/ssh/sshd_config.d/deny.conf": "deny.conf"}}
                """#)

            let output = try cluster.deploy()

            #expect(output.code == 3)
            #expect(output.text.contains("    keep it only if a new login works (/etc/ssh/sshd_config.d/deny.conf is touched)\n"))
            #expect(output.text.contains("web1: rolled back: no new login to the host worked"))
            #expect(try host.run("ls /etc/ssh/sshd_config.d /var/lib/deptool/apps") == "/etc/ssh/sshd_config.d:\n\n/var/lib/deptool/apps:\n")
            #expect(try host.state(of: "ssh") == "active")
            #expect(try cluster.references() == "")

            // The same without the guard does what it says; the next login fails.
            try cluster.deploy("--guard", "never").require(0)
            try cluster.edit("web1/sshd/deny.conf", replacing: "root", with: "nobody")
            let refused = try cluster.deploy()
            #expect(refused.code == 1)
            #expect(refused.text.contains("Nothing was changed."))
        }

        @Test func `a harmless change of what the login depends on is kept`() throws {
            let host = try site.boot()
            try cluster.write("web1/sshd/banner.conf", "PrintMotd no\n")
            try cluster.write(
                "web1/sshd/manifest.json", #"{"symlinks": {"/etc/ssh/sshd_config.d/banner.conf": "banner.conf"}}"#)
            let output = try cluster.deploy()
            #expect(output.code == 0)
            #expect(output.text.contains("web1: trying a new login\n"))
            #expect(try host.run("cat /etc/ssh/sshd_config.d/banner.conf") == "PrintMotd no\n")
        }

        @Test func `with --atomic all hosts roll back when one fails`() throws {
            let (one, other) = try site.boot("web1", "web2")
            try cluster.addService("app", on: "web1")
            try cluster.addService("app", on: "web2", run: "/bin/false")

            let output = try cluster.deploy("--atomic")

            #expect(output.code == 3)
            #expect(output.text.contains("web1: rolled back: another host did not succeed\n"))
            #expect(output.text.contains("web2: rolled back: unit app.service failed"))
            for host in [one, other] {
                #expect(try host.apps() == "")
                #expect(try host.state(of: "app") == "inactive")
            }
            #expect(try cluster.references() == "")

            try cluster.remove("web2/app")
            try cluster.addService("app", on: "web2")
            try cluster.deploy("--atomic").require(0)
            for host in [one, other] { #expect(try host.enablement(of: "app") == "enabled") }
        }

        @Test func `a host that left the tree is emptied or forgotten`() throws {
            let (one, other) = try site.boot("web1", "web2")
            for name in ["web1", "web2"] { try cluster.addService("app", on: name) }
            try cluster.deploy().require(0)
            try cluster.remove("web1")
            try cluster.remove("web2")
            try cluster.addService("app", on: "web3")

            let plan = try cluster.deptool("plan", "--limit", "web*").require(0).text
            #expect(plan.contains("Not in the config tree any more, but still deployed:\n    web1\n    web2\n"))

            try cluster.deploy("--remove-host", "web1").require(0)
            #expect(try one.apps() == "")
            #expect(try one.links() == "")
            try cluster.deptool("forget", "web2").require(0)
            #expect(try other.apps() != "")
            #expect(try cluster.references() == "")
            #expect(try cluster.deptool("forget", "web2").code == 1)
        }

        @Test func `a lost store becomes whole again with sync, and ping reaches every host`() throws {
            let host = try site.boot()
            try cluster.addService("app", on: "web1")
            try cluster.deploy().require(0)
            try FileManager.default.removeItem(atPath: cluster.directory + "/.deptool")
            try cluster.deptool("init", "prod").require(0)
            #expect(try cluster.deptool("status").text == "web1  new host\n")

            let sync = try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(sync.text.contains(", which was not known\n"))
            #expect(try cluster.deptool("plan").text.hasPrefix("Nothing to do"))

            let ping = try cluster.deptool("ping", "--count", "5", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(ping.text.contains("(min/p50/p95 rtt, n=5)\n"))

            try site.kill(host)
            #expect(try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration).code == 1)
            #expect(try cluster.deptool("ping", "--ssh-config", cluster.sshConfiguration).code == 1)
        }
    }
}
