import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Manual changes on a host are found, shown and restored.
    @Suite final class VerifyTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        private func run(_ arguments: [String]) throws -> Output {
            try Program(
                [Tools.deptool] + arguments + ["--ssh-config", cluster.sshConfiguration], in: cluster.directory,
                environment: cluster.environment
            ).finish()
        }

        private func verify(_ arguments: String...) throws -> Output { try run(["verify"] + arguments) }

        /// Without asking.
        private func repair(_ arguments: String...) throws -> Output { try run(["deploy", "--repair", "--no-confirm"] + arguments) }

        private let clean = "1 host as deployed.\n"
        private let nothing = "Nothing to do: every host of cluster 'prod' matches the config tree.\n"

        private func deployed() throws -> Host {
            let host = try site.boot()
            try cluster.addService("clock", on: "web1")
            try cluster.write("web1/clock/conf", "one\ntwo\nthree\n")
            try cluster.write("web1/clock/dir/more", "")
            try cluster.write(
                "web1/motd/manifest.json", #"{"symlinks": {"/etc/motd.d/10-deptool": "text", "/etc/motd.d/20-deptool": "text"}}"#)
            try cluster.write("web1/motd/text", "Hello\n")
            try cluster.deploy().require(0)
            return host
        }

        /// Finds the script's change, restores it, and then finds nothing.
        private func check(
            _ host: Host, _ script: String, finds expected: String, _ arguments: String..., plan: String? = nil,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            try host.run("cd /var/lib/deptool/apps/clock/current && \(script)")
            let found = try verify("--exit-code").require(2)
            expect(
                found.stable,
                is: "web1\n" + expected
                    + "\n0 hosts as deployed, 1 not.\n\n`deptool deploy --repair` shows the plan that restores them, and applies it.\n",
                sourceLocation: sourceLocation)
            let repaired = try repair().require(0)
            if let plan { expect(repaired.stable.components(separatedBy: "\n\n")[0] + "\n", is: plan, sourceLocation: sourceLocation) }
            #expect(try verify("--exit-code") == Output(code: 0, text: clean, errors: ""), sourceLocation: sourceLocation)
            #expect(try repair().text == nothing, sourceLocation: sourceLocation)
            #expect(try host.state(of: "clock.service") == "active", sourceLocation: sourceLocation)
            #expect(try host.enablement(of: "clock.service") == "enabled", sourceLocation: sourceLocation)
        }

        @Test func `any change on a host is found and restored`() throws {
            #expect(try cluster.deptool("verify").text == "Nothing was deployed to cluster 'prod' yet.\n")
            let host = try deployed()
            // An untouched host stays untouched.
            let before = try host.snapshot()
            #expect(try verify("--exit-code") == Output(code: 0, text: clean, errors: ""))
            #expect(try repair() == Output(code: 0, text: nothing, errors: ""))
            expect(try host.snapshot(), is: before)
            #expect(try host.outcomes() == ["deployed"])

            try check(
                host, "echo edited >conf; chmod 600 dir/more; touch $(printf 'add\\351d'); chown 65534:65534 manifest.json",
                finds: """
                        clock
                            ! conf was edited
                            ! dir/more has mode 0600 instead of 0444
                            ! manifest.json belongs to 65534:65534 instead of root
                            ! add\\xe9d was added

                    """,
                plan: """
                    web1
                        repair clock
                            ! conf was edited
                            ! dir/more has mode 0600 instead of 0444
                            ! manifest.json belongs to 65534:65534 instead of root
                            ! add\\xe9d was added
                            restart unit clock.service (add\\xe9d and 2 other files changed)

                    """)
            #expect(try host.read("/var/lib/deptool/apps/clock/current/conf") == "one\ntwo\nthree\n")
            try check(
                host, "rm -r conf dir; mkdir conf",
                finds: "    clock\n        ! conf was replaced by a directory\n        ! dir/more is missing\n")
            // In place of links: nothing, another link, and a file, which is kept.
            try check(
                host,
                """
                cd /etc/motd.d && ln -sf /dev/null 10-deptool && rm 20-deptool && echo mine >20-deptool
                rm /etc/systemd/system/clock.service
                """,
                finds: """
                        clock
                            ! /etc/systemd/system/clock.service is missing
                        motd
                            ! /etc/motd.d/10-deptool was replaced by a symlink to /dev/null
                            ! /etc/motd.d/20-deptool was replaced by a file

                    """,
                plan: """
                    web1
                        repair clock
                            ! /etc/systemd/system/clock.service is missing
                            reload systemd
                            restart unit clock.service (systemd/clock.service changed)
                        repair motd
                            ! /etc/motd.d/10-deptool was replaced by a symlink to /dev/null
                            ! /etc/motd.d/20-deptool was replaced by a file
                            replace /etc/motd.d/10-deptool, which is not Deptool's
                            link /etc/motd.d/10-deptool -> text
                            keep /etc/motd.d/20-deptool as it is in /var/lib/deptool/store/kept
                            link /etc/motd.d/20-deptool -> text

                    """)
            #expect(try host.run("cat /var/lib/deptool/store/kept/*/etc/motd.d/20-deptool") == "mine\n")
            #expect(try host.read("/etc/motd.d/20-deptool") == "Hello\n")
            // A unit disabled by an administrator is enabled again, and its file was always there.
            try check(
                host, "systemctl --quiet disable --now clock.service && test -f /etc/systemd/system/clock.service",
                finds: """
                        clock
                            ! unit clock.service is disabled
                            ! unit clock.service is stopped

                    """)
            try check(
                host, "systemctl --quiet add-wants rescue.target clock.service",
                finds: """
                        clock
                            ! unit clock.service is also enabled by /etc/systemd/system/rescue.target.wants/clock.service

                    """)
            #expect(try host.attempt("ls -d /etc/systemd/system/rescue.target.wants/clock.service").code != 0)
            try check(
                host, "cd /etc/systemd/system && echo '# mine' >>clock.service",
                finds: "    clock\n        ! /etc/systemd/system/clock.service was edited\n",
                plan: """
                    web1
                        repair clock
                            ! /etc/systemd/system/clock.service was edited
                            keep /etc/systemd/system/clock.service as it is in /var/lib/deptool/store/kept
                            reload systemd
                            restart unit clock.service (systemd/clock.service changed)

                    """)
            try check(
                host, "chmod 600 /etc/systemd/system/clock.service",
                finds: "    clock\n        ! /etc/systemd/system/clock.service has mode 0600 instead of 0644\n")
            try check(host, "systemctl stop clock.service", finds: "    clock\n        ! unit clock.service is stopped\n")
            try check(
                host, "rm /etc/systemd/system/multi-user.target.wants/clock.service && systemctl daemon-reload",
                finds: "    clock\n        ! unit clock.service is disabled\n",
                plan: "web1\n    repair clock\n        ! unit clock.service is disabled\n        enable unit clock.service\n")
            try check(
                host, "rm ../current", finds: "    clock\n        ! current is missing\n")
            try check(
                host,
                """
                cd .. && mkdir -p 0123456789.staging ../old/0123456789 && ln -s 0123456789 ../old/current
                touch /var/lib/deptool/store/record.new && chmod 755 /var/lib/deptool/store
                """,
                finds: """
                        ! /var/lib/deptool/store has mode 0755 instead of 0700
                        ! /var/lib/deptool/store/record.new is left over
                        ! /var/lib/deptool/apps/clock/COMMIT.staging is left over
                        ! /var/lib/deptool/apps/old is left over

                    """)
            #expect(try Set(host.outcomes()) == ["deployed"])
            #expect(try cluster.deptool("log", "-n", "1").stable.contains("  Ann  repair prod\n"))
        }

        @Test func `a failed repair leaves the manual changes in place`() throws {
            let host = try deployed()
            try host.run("cd /etc/motd.d && rm 10-deptool && echo mine >10-deptool; rm /etc/systemd/system/clock.service")
            try host.run("cd /var/lib/deptool/apps/clock/current && echo edited >conf")
            try cluster.addService("failing", on: "web1", run: "/bin/false")
            let before = try host.snapshot()
            #expect(try repair().require(3).text.contains("unit failing.service failed"))
            expect(try host.snapshot(), is: before)
            #expect(try host.attempt("ls /var/lib/deptool/store/kept").code != 0)
            // A directory in the place of a link is named before any host changes.
            try cluster.remove("web1/failing")
            try host.run("rm /etc/motd.d/10-deptool && mkdir /etc/motd.d/10-deptool")
            #expect(try repair().require(1).text.contains("/etc/motd.d/10-deptool is a directory that is not Deptool's"))
            try host.run("rmdir /etc/motd.d/10-deptool")
            try repair().require(0)
            #expect(try verify().text == clean)
        }

        @Test func `an unchanged host is left alone`() throws {
            let (web, db) = try site.boot("web1", "db1")
            for host in ["web1", "db1"] { try cluster.write("\(host)/app/file", "content of \(host)\n") }
            try cluster.deploy().require(0)
            try web.run("cd /var/lib/deptool/apps/app/current && echo edited >file")
            let before = try db.snapshot()
            let repaired = try repair("--json").require(0)
            let objects = try Schema().objects(repaired.text)
            #expect(objects.compactMap { $0["type"] as? String == "result" ? $0["host"] as? String : nil } == ["web1"])
            expect(try db.snapshot(), is: before)
            #expect(try db.outcomes() == ["deployed"])
            // The first content comes again; the host has the version before as well.
            try web.run("cd /var/lib/deptool/apps/app/current && echo edited >file")
            try cluster.write("db1/app/file", "changed\n")
            let both = try repair().require(0)
            #expect(both.stable.hasSuffix("Deployed to 2 hosts in N s.\n"))
            #expect(try verify().text == "2 hosts as deployed.\n")
            // An unreachable host is reported, and a repair refuses.
            try cluster.configure(("HostName \(db.address)", "HostName 127.0.0.1"), ("Port 22", "Port 1"))
            let partly = try verify("--exit-code", "--limit", "db1").require(1)
            #expect(partly.text.hasPrefix("db1\n    "))
            #expect(partly.text.hasSuffix("\n0 hosts as deployed, 1 could not be reached.\n"))
            #expect(try repair().require(1).errors.hasPrefix("Error: the drift is unknown, so nothing was changed: db1: "))
        }

        @Test func `another operator's deploy is reported and recorded`() throws {
            let host = try deployed()
            let bob = try Cluster(site, of: "Bob")
            try bob.write("web1/other/file", "")
            try bob.deploy().require(1)
            try bob.deploy().require(0)
            try host.run("cd /var/lib/deptool/apps/other/current && echo edited >file")
            let found = try verify("--exit-code").require(2)
            expect(
                found.stable,
                is: """
                    web1
                        runs COMMIT, not COMMIT: somebody else deployed to it since
                        other
                            ! file was edited

                    0 hosts as deployed, 1 not.

                    `deptool deploy --repair` shows the plan that restores them, and applies it.

                    """)
            try host.run("rm -r /var/lib/deptool/store")
            #expect(try verify("--exit-code").require(2).text.hasPrefix("web1\n    nothing is deployed on it any more"))
            #expect(try cluster.deptool("verify").text == "Nothing was deployed to cluster 'prod' yet.\n")
        }

        @Test func `private apps are compared with their readers`() throws {
            let host = try site.boot()
            try cluster.write("web1/dns/manifest.json", #"{"private": true, "group": "dns"}"#)
            try cluster.write("web1/dns/sysusers/dns.conf", "u dns - \"Name server\"\n")
            try cluster.write("web1/key/manifest.json", #"{"private": true}"#)
            try cluster.deploy().require(0)
            #expect(try verify().text == clean)
            try host.run("cd /var/lib/deptool/apps && chmod 755 key/current/. && chgrp root dns/current/.")
            let found = try verify()
            #expect(found.text.contains("    key\n        ! its directory has mode 0755 instead of 0700\n"))
            #expect(found.text.contains("    dns\n        ! its directory belongs to root instead of 0:"))
            try repair().require(0)
            #expect(try verify().text == clean)
        }

        @Test func `verify and repair work without systemd`() throws {
            let host = try site.boot("web1", .busybox)
            try cluster.write("web1/app/file", "content\n")
            try cluster.deploy().require(0)
            #expect(try verify().text == clean)
            try host.run("cd /var/lib/deptool/apps/app/current && echo edited >file")
            #expect(try verify("--exit-code").require(2).text.hasPrefix("web1\n    app\n        ! file was edited\n"))
            try repair().require(0)
            #expect(try verify().text == clean)
        }

        @Test func `the JSON of verify follows its schema`() throws {
            let host = try deployed()
            let schema = try Schema()
            try host.run(
                """
                cd /var/lib/deptool/apps/clock/current && echo edited >conf; chmod 600 dir/more; touch added
                cd /etc/motd.d && rm 10-deptool && echo mine >10-deptool; systemctl stop clock.service
                ln -sf /dev/null 20-deptool; touch /var/lib/deptool/store/record.new
                rm /etc/systemd/system/multi-user.target.wants/clock.service; systemctl daemon-reload
                """)
            let found = try schema.objects(try verify("--json").require(0).text)
            let hosts = try #require(found.first?["hosts"] as? [[String: Any]])
            let drift = try #require(hosts.first?["drift"] as? [[String: Any]])
            #expect(
                drift.compactMap { $0["drift"] as? String }
                    == ["leftover", "edited", "attributes", "added", "link", "link", "disabled", "unit"])
            let objects = try schema.objects(try repair("--json").require(0).text)
            #expect(objects.first?["type"] as? String == "plan")
            #expect(objects.last?["exit"] as? Int == 0)
            try cluster.configure(("HostName \(host.address)", "HostName 127.0.0.1"), ("Port 22", "Port 1"))
            #expect(try schema.objects(try verify("--json").require(1).text).count == 1)
            #expect(try schema.objects(try repair("--json").require(1).text).compactMap { $0["type"] as? String } == ["error"])
        }
    }
}
