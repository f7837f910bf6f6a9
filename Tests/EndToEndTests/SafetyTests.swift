import Foundation
import Testing

extension EndToEnd {
    /// Conditions under which hosts keep their new state.
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
            #expect(
                output.text.contains(
                    "web1: rolled back: no new login to the host worked (login failed), so this would have locked you out\n"))
            #expect(
                output.stable.hasSuffix(
                    """
                    web1: no new login to the host worked, so this would have locked you out:
                        | web1 does not let root in.
                        |     \(site.lab)/key (ssh-ed25519): refused
                        | The server offers: publickey, password.
                    The previous state is back.

                    Rolled back 1 host, in N s.

                    """), "\(output)")
            #expect(
                try host.run("ls /etc/ssh/sshd_config.d /var/lib/deptool/apps") == "/etc/ssh/sshd_config.d:\n\n/var/lib/deptool/apps:\n")
            #expect(try host.state(of: "ssh") == "active")
            #expect(try cluster.references() == "")

            // The same without the guard is kept; the next login fails.
            try cluster.deploy("--guard", "never").require(0)
            try cluster.edit("web1/sshd/deny.conf", replacing: "root", with: "nobody")
            let refused = try cluster.deploy()
            #expect(refused.code == 1)
            #expect(refused.text.contains("Nothing was changed."))
        }

        @Test func `a deploy that takes sudo from the operator undoes itself`() throws {
            let host = try site.boot()
            try cluster.write(outside: "ssh_config", "User operator\nInclude \(site.lab)/ssh_config\n")
            cluster.sshConfiguration = "\(cluster.directory)/ssh_config"
            try cluster.write("web1/sudo/rules", "operator ALL=(ALL) PASSWD: ALL\n")
            try cluster.write("web1/sudo/manifest.json", #"{"symlinks": {"/etc/sudoers.d/zz-deptool": "rules"}}"#)
            let plan = "    keep it only if a new login works (/etc/sudoers.d/zz-deptool is touched)\n"
            #expect(try cluster.deptool("plan").text.contains(plan))
            #expect(try cluster.deptool("plan", "--guard", "never").text.contains(plan) == false)

            let output = try cluster.deploy()

            #expect(output.code == 3)
            #expect(
                output.text.contains("The login is not root's, and sudo needs a password. Deptool could not ask you for it."), "\(output)")
            #expect(try host.run("ls /etc/sudoers.d") == "README\noperator\n")
            #expect(try host.isLocked == false)
            try cluster.edit("web1/sudo/rules", replacing: "PASSWD", with: "NOPASSWD")
            try cluster.deploy().require(0)
        }

        @Test(.enabled(if: Torture.isWhole, "the host waits for 45 s"))
        func `a firewall that drops the operator's packets undoes itself`() throws {
            let host = try site.boot("web1", .services)
            try cluster.write(
                "web1/firewall/systemd/nftables.service",
                """
                [Service]
                Type=oneshot
                RemainAfterExit=yes
                ExecStart=/usr/sbin/nft -f /var/lib/deptool/apps/firewall/current/rules
                ExecStop=/usr/sbin/nft flush ruleset

                [Install]
                WantedBy=multi-user.target

                """)
            func rules(_ port: Int) -> String {
                "flush ruleset\ntable inet filter {\n chain input {\n  type filter hook input priority 0;\n  tcp dport \(port) drop\n }\n}\n"
            }
            try cluster.write("web1/firewall/rules", rules(23))
            try cluster.write("web1/firewall/manifest.json", #"{"systemd": {"units_enabled": ["nftables.service"]}}"#)
            try cluster.deploy().require(0)
            let before = try host.snapshot()
            try cluster.write("web1/firewall/rules", rules(22))

            let output = try cluster.startDeploy().finish(within: .seconds(150))

            // The connection that there is breaks as well, before the host has waited long enough.
            #expect(output.code == 5, "\(output)")
            #expect(output.text.contains("    keep it only if a new login works (nftables.service is touched)\n"))
            #expect(output.text.contains("The host rolls back by itself unless the deploy was complete."), "\(output)")
            try host.wait(for: "flock --nonblock /var/lib/deptool/store/lock true", within: .seconds(100))
            expect(try host.snapshot(), is: before)
            #expect(try host.run("nft list ruleset").contains("tcp dport 23 drop"))
            #expect(try cluster.deptool("ping", "--count", "1", "--ssh-config", cluster.sshConfiguration).code == 0)
        }

        @Test func `a harmless change of sshd's settings is kept`() throws {
            let host = try site.boot()
            try cluster.write("web1/sshd/banner.conf", "PrintMotd no\n")
            try cluster.write(
                "web1/sshd/manifest.json", #"{"symlinks": {"/etc/ssh/sshd_config.d/banner.conf": "banner.conf"}}"#)
            let output = try cluster.deploy()
            #expect(output.code == 0)
            #expect(output.text.contains("web1: trying a new login\n"))
            #expect(try host.run("cat /etc/ssh/sshd_config.d/banner.conf") == "PrintMotd no\n")
        }

        private func link(_ path: String, _ content: String) throws {
            try cluster.write("web1/guarded/file", content)
            try cluster.write("web1/guarded/manifest.json", #"{"symlinks": {"\#(path)": "file"}}"#)
        }

        @Test(arguments: Site.Flavour.debians)
        func `a change that sshd reads at its next restart is kept only if it lets the operator in`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            // A first deploy makes it.
            try host.run("mkdir -p /var/lib/deptool/apps")
            let before = try host.snapshot()
            let invocation = try host.invocation(of: "ssh")
            try link("/etc/ssh/sshd_config.d/x.conf", "AllowUsers nobody\n")

            let output = try cluster.deploy()

            #expect(output.code == 3, "\(output)")
            #expect(
                output.text.contains(
                    """
                        test what sshd reads when it restarts, and whether that lets you in
                        keep it only if a new login works (/etc/ssh/sshd_config.d/x.conf is touched)

                    """), "\(output)")
            #expect(
                output.stable.hasSuffix(
                    """
                    web1: sshd would not let you in from its next restart on (allowusers nobody).
                    A new login proves what sshd runs with. List its unit (ssh.service or sshd.service) in "units_enabled", so that it \
                    restarts; `--guard never` skips the test.
                    The previous state is back.

                    Rolled back 1 host, in N s.

                    """), "\(output)")
            expect(try host.snapshot(), is: before)

            // A mistake, and a change that Deptool cannot judge.
            try link("/etc/ssh/sshd_config.d/x.conf", "AllowUser root\n")
            let mistake = try cluster.deploy()
            #expect(mistake.code == 3)
            #expect(mistake.text.contains("Bad configuration option: AllowUser"), "\(mistake)")
            try link("/etc/ssh/sshd_config.d/x.conf", "Port 2222\n")
            let unknown = try cluster.deploy()
            #expect(unknown.code == 3)
            #expect(unknown.text.contains(", as listenaddress, port change"), "\(unknown)")
            expect(try host.snapshot(), is: before)
            try link("/etc/ssh/sshd_config.d/x.conf", "Match Address 10.0.0.0/8,fd00::/8\n  DenyUsers root\n")
            #expect(try cluster.deploy().text.contains("(denyusers root)"))

            // A harmless change is kept, and stays harmless when sshd restarts.
            try link("/etc/ssh/sshd_config.d/x.conf", "AllowUsers root nobody\nPasswordAuthentication no\nX11Forwarding no\n")
            try cluster.deploy().require(0)
            #expect(try host.invocation(of: "ssh") == invocation)
            try host.run("systemctl restart ssh")
            try cluster.edit("web1/guarded/file", replacing: " nobody", with: "")
            try cluster.deploy().require(0)
            #expect(try host.read("/etc/ssh/sshd_config.d/x.conf").hasPrefix("AllowUsers root\n"))
        }

        @Test func `a changed placed file is loaded before the login is tried`() throws {
            let host = try site.boot()
            func place(_ content: String, units: String) throws {
                try cluster.write("web1/sshd/x.conf", content)
                try cluster.write(
                    "web1/sshd/manifest.json",
                    #"{"copies": {"/etc/ssh/sshd_config.d/x.conf": "x.conf"}, "systemd": {"units_enabled": [\#(units)]}}"#)
            }
            try place("PrintMotd no\n", units: "")
            try cluster.deploy().require(0)
            let before = try host.snapshot()
            let invocation = try host.invocation(of: "ssh")

            // Its unit runs, and becomes listed in the same commit.
            try place("AllowUsers nobody\n", units: #""ssh.service""#)
            let output = try cluster.deploy()
            #expect(output.code == 3, "\(output)")
            #expect(output.text.contains("no new login to the host worked"), "\(output)")
            expect(try host.snapshot(), is: before)

            try place("PrintMotd yes\n", units: #""ssh.service""#)
            let restarted = try host.invocation(of: "ssh")
            #expect(restarted != invocation)
            try cluster.deploy().require(0)
            #expect(try host.invocation(of: "ssh") != restarted)
        }

        @Test func `an adopted file with another mode is loaded before the login is tried`() throws {
            let host = try site.boot()
            try host.write("/etc/ssh/sshd_config.d/x.conf", "PrintMotd no\n")
            try host.run("chmod 600 /etc/ssh/sshd_config.d/x.conf")
            for (app, mode, restarts) in [("one", "0600", false), ("two", "0640", true)] {
                let invocation = try host.invocation(of: "ssh")
                try cluster.write("web1/\(app)/x.conf", "PrintMotd no\n")
                try cluster.write(
                    "web1/\(app)/manifest.json",
                    #"""
                    {"copies": {"/etc/ssh/sshd_config.d/x.conf": {"source": "x.conf", "mode": "\#(mode)"}},
                     "systemd": {"units_enabled": ["ssh.service"]}}
                    """#)
                try cluster.deploy().require(0)
                #expect(try (host.invocation(of: "ssh") != invocation) == restarts, "\(mode)")
                // The file goes with the app; the host's own comes back by hand.
                try cluster.write("web1/other/file", "")
                try cluster.remove("web1/\(app)")
                try cluster.deploy("--guard", "never").require(0)
                try host.write("/etc/ssh/sshd_config.d/x.conf", "PrintMotd no\n")
                try host.run("chmod 600 /etc/ssh/sshd_config.d/x.conf; systemctl enable --now ssh.service")
            }
        }

        @Test func `a file of a removed program is not tested`() throws {
            let host = try site.boot("web1", .services)
            let origin = try host.read("/etc/nftables.conf")
            try host.run("rm /etc/nftables.conf")
            try link("/etc/nftables.conf", origin)
            try cluster.deploy().require(0)
            try cluster.write("web1/guarded/manifest.json", "{}")
            let output = try cluster.deploy()
            #expect(output.code == 0, "\(output)")
            #expect(try host.run("test -e /etc/nftables.conf || echo gone") == "gone\n")
        }

        @Test func `rules of sudo are tested, also for a login other than root`() throws {
            let host = try site.boot()
            try host.run("mkdir -p /var/lib/deptool/apps")
            let before = try host.snapshot()
            // Root needs no sudo: the login alone would not find out.
            try link("/etc/sudoers.d/zz", "operator ALL=(ALL) NOPASSWD ALL\n")
            let output = try cluster.deploy()
            #expect(output.code == 3, "\(output)")
            #expect(output.text.contains("    test what sudo reads\n"))
            #expect(
                output.text.contains("web1: `visudo -c -f /etc/sudoers` failed with status 1:\n    | /etc/sudoers.d/zz:1:"), "\(output)")
            expect(try host.snapshot(), is: before)
            try link("/etc/sudoers.d/zz", "operator ALL=(ALL) NOPASSWD: ALL\n")
            try cluster.deploy().require(0)

            try cluster.write(outside: "ssh_config", "User operator\nInclude \(site.lab)/ssh_config\n")
            cluster.sshConfiguration = "\(cluster.directory)/ssh_config"
            try link("/etc/ssh/sshd_config.d/x.conf", "AllowUsers root\n")
            let other = try cluster.deploy()
            #expect(other.code == 3)
            #expect(other.text.contains("sshd would not let you in from its next restart on (allowusers root)"), "\(other)")
            try link("/etc/ssh/sshd_config.d/x.conf", "PermitRootLogin no\nAllowGroups users\n")
            try cluster.deploy().require(0)
        }

        @Test func `rules of a firewall are tested for syntax, and their effect is unknown`() throws {
            let host = try site.boot("web1", .services)
            try host.run("mkdir -p /var/lib/deptool/apps")
            let before = try host.snapshot()
            try link("/etc/nftables.conf", "flush rule\n")
            let output = try cluster.deploy()
            #expect(output.code == 1, "\(output)")
            try host.run("mv /etc/nftables.conf /etc/nftables.old")
            let second = try cluster.deploy()
            #expect(second.code == 3, "\(second)")
            #expect(second.text.contains("    test what nftables reads when it restarts\n"))
            #expect(second.text.contains("    the login proves nothing about /etc/nftables.conf, which is read at a restart or boot\n"))
            #expect(second.text.contains("`nft -c -f /etc/nftables.conf` failed with status 1"), "\(second)")
            try host.run("mv /etc/nftables.old /etc/nftables.conf")
            expect(try host.snapshot(), is: before)
            try host.run("rm /etc/nftables.conf")
            try link("/etc/nftables.conf", "flush ruleset\n")
            try cluster.deploy().require(0)
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

        @Test func `a host removed from the tree is emptied or forgotten`() throws {
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

        @Test func `sync rebuilds a lost store, and ping reaches every host`() throws {
            let host = try site.boot()
            try cluster.addService("app", on: "web1")
            try cluster.deploy().require(0)
            try FileManager.default.removeItem(atPath: cluster.directory + "/.deptool")
            try cluster.deptool("init", "prod").require(0)
            #expect(try cluster.deptool("status", "--offline").text == "Undeployed changes:\n    web1: new host\n")

            let sync = try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(sync.text.contains(", which the store had no record of\n"))
            #expect(try cluster.deptool("plan").text.hasPrefix("Nothing to do"))

            let ping = try cluster.deptool("ping", "--count", "5", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(ping.text.contains("(min/p50/p95 rtt, n=5)\n"))

            try site.kill(host)
            #expect(try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration).code == 1)
            #expect(try cluster.deptool("ping", "--ssh-config", cluster.sshConfiguration).code == 1)
        }
    }
}
