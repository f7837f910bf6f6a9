import Foundation
import Testing

extension EndToEnd {
    /// Config trees and command lines as the manual of the Deptool written in Rust has them.
    @Suite final class ConfigTreeTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        /// Makes a unit of each quadlet when systemd reloads, as Podman does.
        private let generator = #"""
            #!/bin/sh
            for file in /etc/containers/systemd/*.container; do
                [ -e "$file" ] || continue
                name=$(basename "$file" .container)
                printf "[Unit]\nDescription=%s\nSourcePath=%s\n[Service]\nExecStart=/bin/true\n" "$(sed -n s/^Image=//p "$file")" "$file" \
                    >"$1/$name.service"
            done

            """#

        @Test func `every directory and every key of the manifest does the same as in the other tool`() throws {
            let host = try site.boot()
            try host.run("mkdir -p /etc/systemd/system-generators")
            try host.write("/etc/systemd/system-generators/podman-system-generator", generator)
            try host.run("chmod 755 /etc/systemd/system-generators/podman-system-generator")
            try host.write("/etc/systemd/system/dns.service.d/theirs.conf", "[Service]\nEnvironment=THEIRS=1\n")
            // Files beside hosts and apps are ignored.
            try cluster.write("README", "The servers\n")
            try cluster.write("web1/README", "This one\n")
            try cluster.write("web1/dns/example.com.zone", "@ SOA\n")
            try cluster.write(
                "web1/dns/manifest.json",
                #"""
                {"systemd": {"units_enabled": ["dns.service", "report.timer"]},
                 "symlinks": {"/etc/dns/zones/example.com": "example.com.zone", "/srv/dns": "public"}}
                """#)
            try cluster.write("web1/dns/public/index.html", "<p>\n")
            try cluster.write(
                "web1/dns/systemd/dns.service",
                "[Service]\nUser=dnsd\nExecStart=/bin/sleep 1d\n[Install]\nWantedBy=multi-user.target\n")
            try cluster.write("web1/dns/systemd/dns.service.d/ours.conf", "[Service]\nEnvironment=OURS=1\n")
            try cluster.write("web1/dns/systemd/report.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
            try cluster.write("web1/dns/systemd/report.timer", "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n")
            try cluster.write("web1/dns/sysusers/dns.conf", "u dnsd - \"Name server\" /\n")
            try cluster.write("web1/db/quadlets/db.container", "[Container]\nImage=one\n")
            try cluster.write("web1/db/manifest.json", "{}")

            try cluster.deploy().require(0)

            let apps = "/var/lib/deptool/apps"
            for (link, target) in [
                ("/etc/dns/zones/example.com", "dns/current/example.com.zone"), ("/srv/dns", "dns/current/public"),
            ] { #expect(try host.run("readlink \(link)") == "\(apps)/\(target)\n") }
            for (file, source) in [
                ("/etc/systemd/system/dns.service", "dns/current/systemd/dns.service"),
                ("/etc/systemd/system/dns.service.d/ours.conf", "dns/current/systemd/dns.service.d/ours.conf"),
                ("/etc/systemd/system/report.timer", "dns/current/systemd/report.timer"),
                ("/etc/systemd/system/report.service", "dns/current/systemd/report.service"),
                ("/etc/sysusers.d/dns.conf", "dns/current/sysusers/dns.conf"),
                ("/etc/containers/systemd/db.container", "db/current/quadlets/db.container"),
            ] {
                #expect(try host.run("cmp \(file) \(apps)/\(source) && stat -c '%F %a' \(file)") == "regular file 644\n")
            }
            #expect(try host.read("/srv/dns/index.html") == "<p>\n")
            // The user was there before the unit that runs as it.
            #expect(try host.run("ps -o user= -C sleep") == "dnsd\n")
            #expect(try host.run("systemctl show --value -p Environment dns") == "OURS=1 THEIRS=1\n")
            #expect(try host.run("cd \(apps) && find . -name README") == "")
            for unit in ["dns.service", "report.timer"] {
                #expect(try host.state(of: unit) == "active")
                #expect(try host.enablement(of: unit) == "enabled")
            }
            // Available, but not enabled.
            #expect(try host.enablement(of: "report.service") == "static")
            let description = "systemctl show --value -p Description db"
            #expect(try host.run(description) == "one\n")

            // A changed quadlet is a reload; a readme is nothing.
            try cluster.write("web1/db/quadlets/db.container", "[Container]\nImage=two\n")
            try cluster.write("web1/README", "That one\n")
            let update = try cluster.deploy().require(0)
            expect(
                String(update.text.split(separator: "\n\n").first ?? ""),
                is: "web1\n    update db\n        ~ quadlets/db.container\n        reload systemd")
            #expect(try host.run(description) == "two\n")

            // Our files are removed, theirs and users stay.
            try cluster.remove("web1/dns/systemd/dns.service.d")
            try cluster.remove("web1/db")
            try cluster.remove("web1/dns/sysusers")
            try cluster.deploy().require(0)
            #expect(try host.run("ls /etc/systemd/system/dns.service.d") == "theirs.conf\n")
            #expect(try host.run("systemctl show --value -p Environment dns") == "THEIRS=1\n")
            #expect(try host.run("getent passwd dnsd | cut -d: -f1") == "dnsd\n")
            // Nor do the directories stay that were made for links.
            #expect(try host.run("ls -d /etc/sysusers.d /etc/containers 2>&- || true") == "")
        }

        @Test func `every command line of the other manual is accepted`() throws {
            let (web1, web2) = try site.boot("web1", "web2")
            for host in ["web1", "web2", "web3"] { try cluster.write("\(host)/app/file", "one\n") }
            try cluster.write("web2/app/key", "poison-12345\n")
            let ssh = ["--ssh-config", cluster.sshConfiguration]
            func run(_ arguments: String..., over: [String] = []) throws -> Output {
                try Program(
                    [Tools.deptool] + arguments.prefix(1) + over + arguments.dropFirst(), in: cluster.directory,
                    environment: cluster.environment
                ).finish()
            }
            #expect(try run("--version").require(0).text.prefixMatch(of: /[0-9]+\.[0-9]+\.[0-9]+\n/) != nil)
            for help in ["-h", "--help"] { #expect(try run(help).require(0).text.contains("deploy")) }
            #expect(try run().code == 0)
            #expect(try run("init").require(0).errors == "")

            let limits = ["--limit", "web1,web2", "--limit", "web1"]
            #expect(
                try run("deploy", "--plan-only", "--limit", "web1", "--", "prod").require(0).text
                    == "web1 (new host)\n    add app\n        + file\n")
            #expect(try run("deploy", "--no-confirm", "--", "prod", over: ssh + limits).require(0).text.hasSuffix(" s.\n"))
            // Each has its own files, once, and nothing of the others but their names.
            let find = "grep -rl -e poison-12345 -e \"$(printf poison-12345 | base64)\" /var/lib/deptool | wc -l"
            #expect(try web1.run(find) == "0\n")
            #expect(try web2.run(find) == "1\n")

            let status = try run("status", "--offline", "--all", "--limit", "web1", "--limit", "web3", "--", "prod").require(0).text
            #expect(status.contains(/: new host\n(.|\n)*    web1  .*  Ann\n    web3  never\n/))
            try cluster.write("web1/app/file", "two\n")
            #expect(
                try run("diff", "--stat", "--limit", "web1,web2", "--", "prod").require(0).text
                    == " web1/app/file | +1 -1\n 1 file changed, 1 line added, 1 line removed\n")

            // Only hosts that a deploy would connect to: the other is not even there.
            try site.kill(web2)
            expect(
                try run("sync", "--changed", "--", "prod", over: ssh + limits).require(0).stable,
                is: "  web1: runs COMMIT, as known\n\nThe store is up to date for 1 host.\n")
            let sync = try run("sync", "prod", over: ssh + limits)
            #expect(sync.code == 1)
            #expect(sync.text.contains(#/\ \ web2: (no route to host|no answer while connecting)\n/#))

            let ping = try run("ping", "--limit", "web1", "--", "prod", over: ssh).require(0)
            #expect(
                ping.text.wholeMatch(
                    of: /\ \ web1: +[0-9]+\.[0-9] ms \| +[0-9]+\.[0-9] ms \| +[0-9]+\.[0-9] ms  \(min\/p50\/p95 rtt, n=150\)\n/)
                    != nil, "\(ping)")
            // Live on a terminal.
            let live = try cluster.start("ping", "--ssh-config", cluster.sshConfiguration, "--limit", "web1", on: .terminal)
            for count in [1, 150] { try live.expect("rtt, n=\(count))") }
            try live.finish().require(0)

            // The variable names the store.
            cluster.environment["DEPTOOL_STORE"] = "elsewhere"
            #expect(try run("init", "staging").require(0).text.hasPrefix("The store is \(cluster.directory)/elsewhere.\n"))
            try cluster.write(outside: "staging/web9/app/file", "")
            #expect(try run("status", "--offline").require(0).text == "Undeployed changes:\n    web9: new host\n")
        }
    }
}
