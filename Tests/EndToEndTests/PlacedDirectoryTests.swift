import Foundation
import Testing

extension EndToEnd {
    /// The directories of an app whose files the host's own programs read: their effects, rollback, undo and errors.
    @Suite final class PlacedDirectoryTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        /// A service whose next start fails.
        private func breakService() throws {
            try cluster.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": ["bad.service"]}}"#)
            try cluster.write(
                "web1/app/systemd/bad.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n")
        }

        private func mendService() throws { try cluster.remove("web1/app") }

        @Test(arguments: [Site.Flavour.debian12, .debian13])
        func `settings of the kernel apply immediately, and a rollback restores the values`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            // As on a machine of its own.
            try host.run("mount -o remount,rw,bind /proc/sys && systemctl start systemd-sysctl.service")
            let keys = [
                "net/ipv4/ip_local_port_range", "net/ipv4/conf/lo/rp_filter", "net/ipv4/conf/all/log_martians", "net/ipv4/tcp_fin_timeout",
            ]
            let values = "cd /proc/sys; tail -n 1 \(keys.joined(separator: " "))"
            let before = try host.run(values)
            let (files, units) = (try host.run("find /etc -type f -exec sha256sum {} + | sort"), try host.units())
            try cluster.write(
                "web1/app/sysctl/50-app.conf",
                """
                # Keys in both notations, with a pattern, and one that the kernel does not have.
                net.ipv4.ip_local_port_range = 20000 30000
                  net/ipv4/conf/lo/rp_filter=2
                net.ipv4.conf.*.log_martians = 1
                -net.ipv4.no_such_key = 1
                -net.ipv4.conf.lo

                """)
            try breakService()
            try cluster.deploy().require(3)
            expect(try host.run(values), is: before)
            expect(try host.run("find /etc -type f -exec sha256sum {} + | sort"), is: files)
            expect(try host.units(), is: units)

            try cluster.write("web1/app/manifest.json", "{}")
            try cluster.remove("web1/app/systemd")
            let output = try cluster.deploy().require(0)
            #expect(
                output.text.contains(
                    "        place sysctl 50-app.conf\n        start unit systemd-sysctl.service (restart it if it runs with other files)\n"
                ))
            #expect(try host.run("cat /proc/sys/\(keys[0])") == "20000\t30000\n")
            #expect(try host.run("cat /proc/sys/\(keys[1]) /proc/sys/\(keys[2])") == "2\n1\n")
            #expect(try host.run("stat -c '%a %U %F' /etc/sysctl.d/50-app.conf") == "644 root regular file\n")
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")

            // A value set at run time is restored, not that of the files; and files in a user's own directory are not read.
            try host.run(
                """
                sysctl -q -w net.ipv4.tcp_fin_timeout=33 2>/dev/null || echo 33 >/proc/sys/net/ipv4/tcp_fin_timeout
                echo 'net.ipv4.tcp_fin_timeout = 44' >/etc/sysctl.d/10-host.conf
                mkdir -p /tmp/sysctl.d; printf '/tmp/evil = 1\\n/dev/zero = 1\\n' >/tmp/sysctl.d/x.conf; printf '1\\nnet.ipv4.tcp_fin_timeout = 22\\n' >/tmp/evil
                mkfifo /tmp/sysctl.d/y.conf
                printf '/tmp/evil = 1\\n../../tmp/evil = 1\\n/dev/zero = 1\\n' >/etc/sysctl.d/11-odd.conf
                """)
            try cluster.write("web1/app/sysctl/60-more.conf", "net.ipv4.conf.lo.rp_filter = 1\nnet.ipv4.tcp_fin_timeout = 55\n")
            try breakService()
            try cluster.deploy().require(3)
            #expect(try host.run("cat /proc/sys/net/ipv4/tcp_fin_timeout /proc/sys/net/ipv4/conf/lo/rp_filter") == "33\n2\n")
            try host.run("rm -r /tmp/sysctl.d /tmp/evil /etc/sysctl.d/10-host.conf /etc/sysctl.d/11-odd.conf")
            try cluster.remove("web1/app/sysctl/60-more.conf")
            try cluster.write("web1/app/manifest.json", "{}")
            try cluster.remove("web1/app/systemd")

            // A change, and its undo: the value of before, which a file has.
            try cluster.write("web1/app/sysctl/50-app.conf", "net.ipv4.ip_local_port_range = 25000 30000\n")
            try cluster.deploy().require(0)
            #expect(try host.run("cat /proc/sys/\(keys[0])") == "25000\t30000\n")
            try cluster.deptool("undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(try host.run("cat /proc/sys/\(keys[0])") == "20000\t30000\n")
        }

        /// Other resources of the host's programs.
        private func writeFiles(_ word: String) throws {
            for (path, text) in [
                ("journald/app.conf", "[Journal]\nMaxLevelConsole=\(word == "one" ? "err" : "crit")\n"),
                ("networkd/50-app.network", "[Match]\nName=nosuch0\n[Network]\nAddress=192.0.2.1/24\n"),
                ("networkd/50-app.network.d/more.conf", "[Network]\nDescription=\(word)\n"),
                ("udev/70-app.rules", "KERNEL==\"nosuch\", SYMLINK+=\"\(word)\"\n"),
                ("modules-load/app.conf", "# \(word)\n"),
                ("cron/app", "# \(word)\n0 3 * * * root /bin/true\n"),
                ("cron.daily/app", "#!/bin/sh\n# \(word)\n"),
                ("logrotate/app", "/var/log/app/*.log {\n    rotate \(word.count)\n    missingok\n}\n"),
                ("resolved/app.conf", "[Resolve]\nLLMNR=\(word == "one" ? "no" : "resolve")\n"),
                (
                    "apparmor/app",
                    "#include <tunables/global>\nprofile app-\(word) /opt/app {\n  #include <abstractions/base>\n  /opt/app/** r,\n}\n"
                ),
                ("apparmor/local/app", "# \(word)\n"),
                ("nftables/app.nft", "table inet \(word) { chain input { type filter hook input priority 0; policy accept; }; }\n"),
            ] { try cluster.write("web1/app/\(path)", text) }
        }

        @Test func `files of the host's programs take effect and are removed`() throws {
            let host = try site.boot("web1", .services)
            try host.run(
                """
                printf '#!/usr/sbin/nft -f\\nflush ruleset\\ninclude "/etc/nftables.d/*.nft"\\n' >/etc/nftables.conf
                mkdir -p /etc/systemd/network
                systemctl unmask systemd-modules-load.service
                printf '[Match]\\nName=host0\\n[Link]\\nUnmanaged=yes\\n' >/etc/systemd/network/10-host0.network
                systemctl start nftables.service systemd-networkd.service systemd-resolved.service
                """)
            let (files, units) = (try host.run("find /etc -type f -exec sha256sum {} + | sort"), try host.units())
            let rules = "nft list tables | sort"
            func invocations() throws -> [Substring] {
                try host.run(
                    "for u in systemd-journald systemd-networkd systemd-resolved nftables; do systemctl show -p InvocationID --value $u; done"
                )
                .split(separator: "\n")
            }
            let before = try invocations()
            try writeFiles("one")
            let output = try cluster.deploy().require(0)
            expect(
                output.stable.components(separatedBy: "\n\n")[0] + "\n",
                is: """
                    web1 (new host)
                        add app
                            + apparmor/app
                            + apparmor/local/app
                            + cron.daily/app
                            + cron/app
                            + journald/app.conf
                            + logrotate/app
                            + modules-load/app.conf
                            + networkd/50-app.network
                            + networkd/50-app.network.d/more.conf
                            + nftables/app.nft
                            + resolved/app.conf
                            + udev/70-app.rules
                            check udevadm verify --no-style /etc/udev/rules.d/70-app.rules before anything changes
                            check logrotate --debug /etc/logrotate.d/app before anything changes
                            check /usr/bin/grep -qE ^[[:space:]]*include "/etc/nftables\\.d/\\*(\\.nft)?" /etc/nftables.conf before anything changes
                            check /usr/sbin/nft -c -f /etc/nftables.conf before anything changes
                            check apparmor_parser --skip-kernel-load --skip-cache /etc/apparmor.d/app before anything changes
                            place apparmor app
                            place apparmor local/app
                            place cron app
                            place daily program app
                            place logrotate app
                            place modules-load app.conf
                            place nftables app.nft
                            place journald app.conf
                            place networkd 50-app.network
                            place networkd 50-app.network.d/more.conf
                            place resolved app.conf
                            place udev 70-app.rules
                            restart unit systemd-journald.service if it runs with other files (journald/app.conf changed)
                            start unit systemd-modules-load.service (restart it if it runs with other files)
                            restart unit systemd-networkd.service if it runs with other files (networkd/50-app.network and 1 other file changed)
                            restart unit systemd-resolved.service if it runs with other files (resolved/app.conf changed)
                            reload unit apparmor.service if it runs with other files (apparmor/app and 1 other file changed)
                            reload unit nftables.service if it runs with other files (nftables/app.nft changed)
                            reload unit systemd-udevd.service if it runs with other files (udev/70-app.rules changed)
                        test what nftables reads when it restarts
                        keep it only if a new login works (/etc/nftables.d/app.nft is touched)
                        the login proves nothing about /etc/nftables.d/app.nft, which is read at a restart or boot
                        the login proves nothing about /etc/systemd/network/50-app.network, which is read at a restart or boot
                        the login proves nothing about /etc/systemd/network/50-app.network.d/more.conf, which is read at a restart or boot

                    """)
            #expect(try host.run(rules) == "table inet one\n")
            #expect(
                try host.run("cd /etc; stat -c '%a %U %F %n' cron.d/app cron.daily/app logrotate.d/app nftables.d/app.nft") == """
                    644 root regular file cron.d/app
                    755 root regular file cron.daily/app
                    644 root regular file logrotate.d/app
                    644 root regular file nftables.d/app.nft

                    """)
            #expect(try host.run("run-parts --test /etc/cron.daily").contains("/etc/cron.daily/app\n"))
            #expect(
                try host.run("networkctl cat 50-app.network 2>/dev/null || cat /etc/systemd/network/50-app.network.d/more.conf").contains(
                    "one"))
            let after = try invocations()
            #expect(after[0] != before[0] && after[1] != before[1] && after[2] != before[2] && after[3] == before[3])
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")

            // A rollback has every program read the old files.
            try writeFiles("three")
            try breakService()
            try cluster.deploy().require(3)
            #expect(try host.run(rules) == "table inet one\n")
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")

            // A file that its program rejects changes nothing.
            try cluster.write("web1/app/manifest.json", "{}")
            try cluster.remove("web1/app/systemd")
            try cluster.write("web1/app/logrotate/app", "/var/log/app/*.log {\n    rotate many\n}\n")
            let refusal = try cluster.deploy().require(1)
            #expect(
                refusal.text.contains("web1: check `logrotate --debug /etc/logrotate.d/app` of app failed (status 1):\n    | warning: "),
                "\(refusal)")
            try writeFiles("three")
            try cluster.write("web1/app/apparmor/app", "profile app /opt/app {\n  /opt/app/** nonsense,\n}\n")
            let second = try cluster.deploy().require(1)
            #expect(
                second.text.contains(
                    "check `apparmor_parser --skip-kernel-load --skip-cache /etc/apparmor.d/app` of app failed (status 1)")
                    && second.text.contains("| AppArmor parser error for /etc/apparmor.d/app"),
                "\(second)")
            #expect(try host.run(rules) == "table inet one\n")

            try cluster.remove("web1/app")
            try cluster.deploy().require(0)
            expect(try host.run("find /etc -type f -exec sha256sum {} + | sort"), is: files)
            expect(try host.units(), is: units)
            #expect(try host.run(rules) == "")
        }

        @Test func `adopted files restart and reload nothing`() throws {
            let host = try site.boot("web1", .services)
            let units = ["systemd-journald", "systemd-networkd", "nftables", "systemd-sysctl"]
            try host.run(
                """
                mount -o remount,rw,bind /proc/sys
                mkdir -p /etc/systemd/network /etc/systemd/journald.conf.d /etc/nftables.d
                printf '[Match]\\nName=host0\\n[Link]\\nUnmanaged=yes\\n' >/etc/systemd/network/10-host0.network
                printf '[Journal]\\nMaxLevelConsole=err\\n' >/etc/systemd/journald.conf.d/own.conf
                printf 'net.ipv4.tcp_fin_timeout = 50\\n' >/etc/sysctl.d/own.conf
                printf 'table inet own { chain input { type filter hook input priority 0; policy accept; }; }\\n' >/etc/nftables.d/own.nft
                printf '#!/usr/sbin/nft -f\\nflush ruleset\\ninclude "/etc/nftables.d/*.nft"\\n' >/etc/nftables.conf
                systemctl restart \(units.joined(separator: " "))
                nft add table inet mine
                """)
            let state =
                "systemctl show -p InvocationID,NRestarts,StateChangeTimestampMonotonic \(units.joined(separator: " ")); nft list ruleset"
            let before = try host.run(state)
            try cluster.write("web1/network/networkd/10-host0.network", "[Match]\nName=host0\n[Link]\nUnmanaged=yes\n")
            try cluster.write("web1/base/journald/own.conf", "[Journal]\nMaxLevelConsole=err\n")
            try cluster.write("web1/base/sysctl/own.conf", "net.ipv4.tcp_fin_timeout = 50\n")
            try cluster.write(
                "web1/firewall/nftables/own.nft",
                "table inet own { chain input { type filter hook input priority 0; policy accept; }; }\n")
            try cluster.deploy().require(0)
            expect(try host.run(state), is: before)

            // Drift that a repair mends is no such file, nor is a new one.
            try host.run("printf 'net.ipv4.tcp_fin_timeout = 40\\n' >/etc/sysctl.d/own.conf")
            try cluster.deploy("--repair").require(0)
            #expect(try host.run("cat /proc/sys/net/ipv4/tcp_fin_timeout") == "50\n")
            #expect(try host.run(state) != before)
            let then = try host.run("systemctl show -p InvocationID systemd-journald")
            try cluster.write("web1/more/journald/more.conf", "[Journal]\nMaxLevelWall=err\n")
            try cluster.deploy().require(0)
            #expect(try host.run("systemctl show -p InvocationID systemd-journald") != then)
        }

        @Test func `a power loss restores the files that the firewall and the kernel read at boot`() throws {
            let host = try site.boot("web1", .services)
            try host.run(
                """
                printf '#!/usr/sbin/nft -f\\nflush ruleset\\ninclude "/etc/nftables.d/*.nft"\\n' >/etc/nftables.conf
                systemctl -q enable --now nftables.service
                """)
            func write(_ word: String, before: String = "") throws {
                try cluster.write(
                    "web1/app/nftables/app.nft",
                    "table inet \(word) { chain input { type filter hook input priority 0; policy accept; }; }\n")
                try cluster.write("web1/app/sysctl/app.conf", "# \(word)\nnet.ipv4.tcp_fin_timeout = \(word == "one" ? 50 : 40)\n")
                try cluster.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": ["app.service"]}}"#)
                try cluster.write(
                    "web1/app/systemd/app.service",
                    "[Service]\n\(before)ExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
            }
            try write("one")
            try cluster.deploy().require(0)
            #expect(try host.run("nft list tables") == "table inet one\n")
            try write("two", before: "ExecStartPre=/bin/sleep 600\n")
            let deploy = try cluster.startDeploy()
            try host.wait(for: "nft list tables | grep -q two", within: .seconds(300))
            try host.wait(for: "systemctl show -p SubState --value app.service | grep -q start-pre", within: .seconds(300))
            try site.kill(host)
            deploy.signal(SIGKILL)
            _ = try deploy.finish()
            try site.start(host)
            #expect(try host.run("nft list tables") == "table inet one\n")
            #expect(try host.read("/etc/sysctl.d/app.conf").contains("# one\n"))
            #expect(try host.run("journalctl -b -o cat | grep -i 'ordering cycle' || true") == "")
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")
        }
    }
}
