import Foundation
import Testing

extension EndToEnd {
    /// The tutorial of the Deptool written in Rust, chapter by chapter, with files of our own
    /// (Manual/coming-from-deptool-rs.md).
    @Suite final class TutorialTests {
        let site: Site
        let host: Host
        let cluster: Cluster

        init() throws {
            site = try Site()
            host = try site.boot("webserver")
            cluster = try Cluster(site, isInitialized: false)
            cluster.environment["NO_COLOR"] = "1"
            try FileManager.default.removeItem(atPath: "\(cluster.directory)/prod")
        }

        private let prompt = "\nApply to 1 host in cluster 'prod'? [y/N/d] "

        /// Deploys as the tutorial does, with a look at the difference, and expects the plan, and a word at the end.
        private func deploy(
            _ plan: String, hint: String = "", diff: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let deploy = try cluster.startAsking()
            try deploy.expect("? [y/N/d] ")
            expect(deploy.text, is: plan + "\n" + hint + prompt.dropFirst(), sourceLocation: sourceLocation)
            if let diff {
                deploy.type(line: "d")
                try deploy.expect(diff + prompt.dropFirst())
            }
            deploy.type(line: "y")
            let output = try deploy.finish()
            #expect(output.code == 0, sourceLocation: sourceLocation)
            #expect(
                output.stable.hasSuffix("\n  webserver: done\n\nDeployed to 1 host in N s.\n"), "\(output)",
                sourceLocation: sourceLocation)
            #expect(try cluster.deptool("plan").text == nothingToDo, sourceLocation: sourceLocation)
        }

        @Test func `every chapter of the other tutorial works`() throws {
            try preparingAStore()
            try deploying()
            try makingChanges()
            try addingAUnit()
            try restartingUnits()
            try creatingSymlinks()
            try removingTheApp()
        }

        private func preparingAStore() throws {
            expect(
                try cluster.deptool("init", "prod").require(0).text,
                is: """
                    The store is \(cluster.directory)/.deptool.
                    The default cluster is \(cluster.directory)/prod.

                    """)
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(cluster.directory)/prod") == [])
        }

        private func deploying() throws {
            try cluster.write("webserver/caddy/Caddyfile", "listen 80\n")
            try deploy(
                """
                webserver (new host)
                    add caddy
                        + Caddyfile

                """, diff: "--- /dev/null\n+++ webserver/caddy/Caddyfile\n@@ -0,0 +1 @@\n+listen 80\n")
            expect(try host.apps(), is: "caddy/\ncaddy/current -> v1\ncaddy/v1/\ncaddy/v1/Caddyfile")
            // The directory of a version is called after the deploy's commit.
            let commit = try Program(
                ["git", "-C", "\(cluster.directory)/.deptool", "rev-parse", "main"], environment: cluster.environment
            ).finish().text.prefix(10)
            #expect(try host.run("readlink /var/lib/deptool/apps/caddy/current") == commit + "\n")
            #expect(try host.run("cd /var/lib/deptool && stat -c '%a %n' * && ls bin | wc -l") == "755 apps\n755 bin\n700 store\n1\n")
        }

        private func makingChanges() throws {
            try cluster.write("webserver/caddy/Caddyfile", "listen 8080\n")
            try deploy(
                "webserver\n    update caddy\n        ~ Caddyfile\n",
                diff: """
                    --- webserver/caddy/Caddyfile
                    +++ webserver/caddy/Caddyfile
                    @@ -1 +1 @@
                    -listen 80
                    +listen 8080

                    """)
            expect(
                try host.apps(),
                is: """
                    caddy/
                    caddy/current -> v2
                    caddy/previous -> v1
                    caddy/v1/
                    caddy/v1/Caddyfile
                    caddy/v2/
                    caddy/v2/Caddyfile
                    """)
        }

        private func addingAUnit() throws {
            try cluster.write(
                "webserver/caddy/systemd/caddy.service",
                """
                [Unit]
                Description=Web server
                After=network-online.target nss-lookup.target

                [Service]
                ExecStart=/bin/sh -c 'grep ^listen /var/lib/deptool/apps/caddy/current/Caddyfile && exec sleep 1d'

                [Install]
                WantedBy=multi-user.target

                """)
            try cluster.write(
                "webserver/caddy/manifest.json",
                """
                {
                  "systemd": {
                    "units_enabled": ["caddy.service"]
                  }
                }

                """)
            try deploy(
                """
                webserver
                    update caddy
                        + manifest.json
                        + systemd/caddy.service
                        place unit caddy.service
                        reload systemd
                        enable unit caddy.service
                        start unit caddy.service (restart it if it runs with other files)

                Deptool cannot determine whether caddy.service is ready, since it has no probe (`health` in the manifest) and no Type=notify.

                """)
            #expect(try host.state(of: "caddy") == "active")
            #expect(try host.enablement(of: "caddy") == "enabled")
            let unit = "/etc/systemd/system/caddy.service"
            #expect(
                try host.run("cmp \(unit) /var/lib/deptool/apps/caddy/current/systemd/caddy.service && stat -c %F \(unit)")
                    == "regular file\n")
            #expect(try host.run("readlink /etc/systemd/system/multi-user.target.wants/caddy.service") == unit + "\n")
        }

        private func restartingUnits() throws {
            let before = try host.invocation(of: "caddy")
            try cluster.write("webserver/caddy/Caddyfile", "listen 443\n")
            try deploy(
                """
                webserver
                    update caddy
                        ~ Caddyfile
                        restart unit caddy.service (Caddyfile changed)

                """)
            let after = try host.invocation(of: "caddy")
            #expect(after != before)

            // A file that the program refuses is rolled back, and the unit runs with the old one.
            try cluster.write("webserver/caddy/Caddyfile", "lisen 443\n")
            let output = try cluster.deploy()
            #expect(output.code == 3)
            #expect(output.text.contains("\n  webserver: rolled back: unit caddy.service failed (exit-code, status 1)\n"))
            #expect(try host.read("/var/lib/deptool/apps/caddy/current/Caddyfile") == "listen 443\n")
            #expect(try host.state(of: "caddy") == "active")
            try cluster.write("webserver/caddy/Caddyfile", "listen 443\n")
            #expect(try cluster.deptool("plan").text == nothingToDo)
        }

        private func creatingSymlinks() throws {
            let manifest = try cluster.read("webserver/caddy/manifest.json")
            try cluster.write("webserver/caddy/tmpfiles.conf", "d /var/lib/caddy 0700 root root - -\n")
            try cluster.edit(
                "webserver/caddy/manifest.json", replacing: "  }\n}",
                with: "  },\n  \"symlinks\": {\n    \"/etc/tmpfiles.d/caddy.conf\": \"tmpfiles.conf\"\n  }\n}")
            try deploy(
                """
                webserver
                    update caddy
                        ~ manifest.json
                        + tmpfiles.conf
                        link /etc/tmpfiles.d/caddy.conf -> tmpfiles.conf
                        restart unit caddy.service (manifest.json and 1 other file changed)

                """)
            let link = "readlink /etc/tmpfiles.d/caddy.conf"
            #expect(try host.run(link) == "/var/lib/deptool/apps/caddy/current/tmpfiles.conf\n")

            // The link does not change when the file does.
            try cluster.write("webserver/caddy/tmpfiles.conf", "d /var/lib/caddy 0770 root users - -\n")
            try deploy(
                """
                webserver
                    update caddy
                        ~ tmpfiles.conf
                        restart unit caddy.service (tmpfiles.conf changed)

                """)
            #expect(try host.run(link) == "/var/lib/deptool/apps/caddy/current/tmpfiles.conf\n")
            #expect(try host.read("/etc/tmpfiles.d/caddy.conf") == "d /var/lib/caddy 0770 root users - -\n")

            try cluster.remove("webserver/caddy/tmpfiles.conf")
            try cluster.write("webserver/caddy/manifest.json", manifest)
            try deploy(
                """
                webserver
                    update caddy
                        ~ manifest.json
                        - tmpfiles.conf
                        unlink /etc/tmpfiles.d/caddy.conf (nothing takes its place)
                        restart unit caddy.service (manifest.json and 1 other file changed)

                """, hint: "1 path goes, and nothing takes its place: `deptool deploy --leave-files` leaves what is there.\n")
            #expect(try host.attempt("test -L /etc/tmpfiles.d/caddy.conf").code == 1)
        }

        private func removingTheApp() throws {
            // The host's directory stays, empty.
            try cluster.remove("webserver/caddy")
            try deploy(
                """
                warning: prod/webserver has no apps, so nothing would be deployed to it
                webserver
                    remove caddy
                        - Caddyfile
                        - manifest.json
                        - systemd/caddy.service
                        stop and disable unit caddy.service
                        remove unit caddy.service
                        reload systemd

                """)
            #expect(try host.apps() == "")
            #expect(try host.links() == "")
            #expect(try host.run("systemctl show --value -p LoadState caddy") == "not-found\n")
            #expect(try host.run("systemctl is-system-running || true") == "running\n")
            #expect(try host.run("ls /var/lib/deptool") == "apps\nbin\nstore\n")
            #expect(try cluster.deptool("status", "--offline").text.contains("Undeployed") == false)
        }
    }
}
