import Foundation
import Testing

extension EndToEnd {
    /// The links that enable units are exactly those of their `[Install]` sections.
    @Suite final class EnablementTests {
        private static let flavours = [Site.Flavour.debian12, .debian13]

        private func service(_ install: String) -> String {
            "[Service]\nExecStart=/bin/sleep infinity\n[Install]\n\(install)\n"
        }

        private func manifest(_ units: String...) -> String {
            let list = units.map { "\"\($0)\"" }.joined(separator: ", ")
            return "{\"systemd\": {\"units_enabled\": [\(list)]}}"
        }

        private func wants(_ host: Host) throws -> String {
            try host.run(
                "cd /etc/systemd/system && find . -name 'x-*.service' -path '*/*.*/*' -type l | sort; find . -maxdepth 1 -type l -name 'x-*' | sort"
            )
        }

        @Test(arguments: flavours) func `links no longer named are removed, and undo restores them`(flavour: Site.Flavour) throws {
            let site = try Site()
            let (host, cluster) = (try site.boot("web1", flavour), try Cluster(site))
            try cluster.write("web1/app/manifest.json", manifest("x-app.service"))
            try cluster.write("web1/app/systemd/x-app.service", service("WantedBy=multi-user.target\nAlias=x-alias.service"))
            try cluster.deploy().require(0)
            let first = try wants(host)
            #expect(first == "./multi-user.target.wants/x-app.service\n./x-alias.service\n")
            try cluster.write("web1/app/systemd/x-app.service", service("WantedBy=rescue.target\nRequiredBy=graphical.target"))
            try cluster.deploy().require(0)
            #expect(try wants(host) == "./graphical.target.requires/x-app.service\n./rescue.target.wants/x-app.service\n")
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")
            let before = try host.units()
            // Undone as a whole when another app fails.
            try cluster.write("web1/app/systemd/x-app.service", service("WantedBy=basic.target"))
            try cluster.addService("failing", on: "web1", run: "/bin/false")
            try cluster.deploy().require(3)
            expect(try host.units(), is: before)
            try cluster.remove("web1/failing")
            try cluster.write("web1/app/systemd/x-app.service", service("WantedBy=multi-user.target\nAlias=x-alias.service"))
            try cluster.deploy().require(0)
            #expect(try wants(host) == first)
            try cluster.remove("web1/app")
            try cluster.deploy().require(0)
            #expect(try wants(host) == "")
        }

        @Test(arguments: flavours) func `a listed unit stays enabled when a unit with Also= is removed`(flavour: Site.Flavour) throws {
            let site = try Site()
            let (host, cluster) = (try site.boot("web1", flavour), try Cluster(site))
            try cluster.write("web1/app/manifest.json", manifest("x-main.service", "x-helper.service"))
            try cluster.write(
                "web1/app/systemd/x-main.service", service("WantedBy=multi-user.target\nAlso=x-helper.service x-other.service"))
            for unit in ["x-helper", "x-other"] {
                try cluster.write("web1/app/systemd/\(unit).service", service("WantedBy=multi-user.target"))
            }
            let plan = try cluster.deploy().require(0)
            #expect(plan.text.contains("    enable unit x-main.service and, along with it, x-other.service (Also=)\n"), "\(plan)")
            #expect(
                try wants(host)
                    == "./multi-user.target.wants/x-helper.service\n./multi-user.target.wants/x-main.service\n./multi-user.target.wants/x-other.service\n"
            )
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")
            try cluster.write("web1/app/manifest.json", manifest("x-helper.service"))
            let leaving = try cluster.deploy().require(0)
            #expect(
                leaving.text.contains("    stop and disable unit x-main.service, and disable x-other.service along with it (Also=)\n"),
                "\(leaving)")
            #expect(try wants(host) == "./multi-user.target.wants/x-helper.service\n")
            #expect(try host.enablement(of: "x-helper") == "enabled")
            #expect(try host.state(of: "x-helper") == "active")
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")
        }

        @Test(arguments: flavours) func `units enabled through Also= come and go as the plan shows`(flavour: Site.Flavour) throws {
            let site = try Site()
            let (host, cluster) = (try site.boot("web1", flavour), try Cluster(site))
            let before = try host.units()
            try cluster.write("web1/app/manifest.json", manifest("x-main@one.service"))
            try cluster.write(
                "web1/app/systemd/x-main@.service", service("WantedBy=multi-user.target\nAlso = \\\n# comment\n  x-next@%i.service"))
            try cluster.write(
                "web1/app/systemd/x-next@.service", service("WantedBy=multi-user.target\nAlso=x-main@%i.service x-last.service"))
            try cluster.write("web1/app/systemd/x-last.service", service("WantedBy=multi-user.target"))
            let plan = try cluster.deploy().require(0)
            #expect(
                plan.text.contains(
                    "    enable unit x-main@one.service and, along with it, x-last.service, x-next@one.service (Also=)\n"), "\(plan)")
            #expect(try wants(host) == ["last", "main@one", "next@one"].map { "./multi-user.target.wants/x-\($0).service\n" }.joined())
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")
            // One that joins them.
            try cluster.write("web1/app/systemd/x-more.service", service("WantedBy=multi-user.target"))
            try cluster.edit("web1/app/systemd/x-main@.service", replacing: "x-next@", with: "x-more.service x-next@")
            let more = try cluster.deploy().require(0)
            #expect(more.text.contains("    enable x-more.service along with unit x-main@one.service (Also=)\n"), "\(more)")
            #expect(try host.enablement(of: "x-more") == "enabled")
            try cluster.remove("web1/app")
            try cluster.write("web1/other/file", "")
            try cluster.deploy().require(0)
            #expect(try wants(host) == "")
            // systemd keeps the slice of a template's instances.
            try host.run("systemctl stop 'system-x\\x2dmain.slice'")
            expect(try host.units(), is: before)
        }

        @Test(arguments: flavours) func `links made by others during a deploy stay`(flavour: Site.Flavour) throws {
            let site = try Site()
            let (host, cluster) = (try site.boot("web1", flavour), try Cluster(site))
            try host.write("/etc/systemd/system/x-theirs.service", service("WantedBy=multi-user.target"))
            try cluster.write("web1/app/manifest.json", manifest("x-main.service"))
            let main = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/systemctl enable x-theirs.service\n"
            try cluster.write("web1/app/systemd/x-main.service", main + "[Install]\nWantedBy=multi-user.target\nAlso=x-other.service\n")
            try cluster.write("web1/app/systemd/x-other.service", service("WantedBy=multi-user.target"))
            try cluster.deploy().require(0)
            #expect(try ["x-main", "x-other", "x-theirs"].map { try host.enablement(of: $0) } == ["enabled", "enabled", "enabled"])
            // Enabled again, then removed: only links of the app go with it.
            try cluster.edit(
                "web1/app/systemd/x-main.service", replacing: "ExecStart=/bin/systemctl enable x-theirs.service",
                with: "ExecStart=/bin/true")
            try cluster.deploy().require(0)
            #expect(try ["x-main", "x-other", "x-theirs"].map { try host.enablement(of: $0) } == ["enabled", "enabled", "enabled"])
            try cluster.write("web1/app/manifest.json", "{}")
            try cluster.deploy().require(0)
            #expect(try wants(host) == "./multi-user.target.wants/x-theirs.service\n")
        }

        @Test(arguments: flavours) func `a rollback asks the disk, not systemd's memory`(flavour: Site.Flavour) throws {
            let site = try Site()
            let (host, cluster) = (try site.boot("web1", flavour), try Cluster(site))
            // A disabled unit of the distribution, loaded by systemd since a running one is ordered after it.
            try host.run(
                """
                printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' >/usr/lib/systemd/system/x-theirs.service
                printf '[Unit]\\nAfter=x-theirs.service nsd.service\\n[Service]\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/x-runs.service
                systemctl daemon-reload; systemctl start x-runs
                """)
            let before = try host.units()
            let links = try host.run("find /etc/rc?.d | sort")
            try cluster.write("web1/app/manifest.json", manifest("x-theirs.service", "nsd.service"))
            try cluster.addService("failing", on: "web1", run: "/bin/false")
            try cluster.deploy().require(3)
            expect(try host.units(), is: before)
            #expect(try host.run("find /etc/rc?.d | sort") == links)
        }

        @Test func `a disabled System V script is found`() throws {
            let site = try Site()
            let (host, cluster) = (try site.boot(), try Cluster(site))
            try host.write(
                "/etc/init.d/x-old",
                "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: x-old\n# Required-Start:\n# Required-Stop:\n# Default-Start: 2 3 4 5\n# Default-Stop: 0 1 6\n### END INIT INFO\nexit 0\n"
            )
            try host.run("chmod 755 /etc/init.d/x-old; systemctl daemon-reload")
            try cluster.write("web1/app/manifest.json", manifest("x-old.service"))
            try cluster.deploy().require(0)
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")
            try host.run("update-rc.d x-old disable")
            #expect(
                try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text.contains("! unit x-old.service is disabled"))
        }

        @Test(arguments: flavours) func `a unit is listed by its own name`(flavour: Site.Flavour) throws {
            let site = try Site()
            let (host, cluster) = (try site.boot("web1", flavour), try Cluster(site))
            // As on every Debian with an SSH server that was enabled.
            try host.run("systemctl enable ssh")
            let before = try host.snapshot()
            try cluster.write("web1/app/manifest.json", manifest("sshd.service"))
            let refused = try cluster.deploy().require(1)
            #expect(refused.text.contains("unit sshd.service is another name of ssh.service"), "\(refused)")
            #expect(refused.text.contains("List it as 'ssh.service'"), "\(refused)")
            #expect(Set(try host.snapshot().split(separator: "\n")).isSuperset(of: before.split(separator: "\n")))
        }
    }
}
