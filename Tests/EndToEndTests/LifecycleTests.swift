import Foundation
import Testing

extension EndToEnd {
    /// Apps, units, links and files follow the config tree.
    @Suite final class LifecycleTests {
        let site: Site

        init() throws { site = try Site() }

        @Test func `apps, units, links and files are added, changed and removed`() throws {
            let host = try site.boot()
            let cluster = try Cluster(site)
            // A file that keeps the host in the tree when it has no app any more.
            try cluster.write("web1/host.json", "{}")
            try cluster.addService("web", on: "web1")
            try cluster.write("web1/web/site.conf", "one\n")
            try cluster.write(
                "web1/web/manifest.json",
                #"{"systemd": {"units_enabled": ["web.service"]}, "symlinks": {"/etc/web/site.conf": "site.conf"}}"#)
            try cluster.deploy().require(0)
            expect(
                try host.apps(),
                is: """
                    web/
                    web/current -> v1
                    web/v1/
                    web/v1/manifest.json
                    web/v1/site.conf
                    web/v1/systemd/
                    web/v1/systemd/web.service
                    """)
            expect(
                try host.links(),
                is: """
                    /etc/web/site.conf -> apps/web/current/site.conf
                    """)
            #expect(try host.run("cd /etc/systemd/system && stat -c '%F %a %U:%G' web.service") == "regular file 644 root:root\n")
            #expect(try host.run("readlink /etc/systemd/system/multi-user.target.wants/web.service") == "/etc/systemd/system/web.service\n")
            #expect(try host.read("/etc/web/site.conf") == "one\n")
            let first = try host.invocation(of: "web")

            // A file changes, a directory, a drop-in and a second app come.
            try cluster.write("web1/web/site.conf", "two\n")
            try cluster.write("web1/web/conf.d/extra.conf", "extra\n")
            try cluster.write("web1/web/systemd/web.service.d/env.conf", "[Service]\nEnvironment=SITE=2\n")
            try cluster.addService("db", on: "web1")
            let update = try cluster.deploy().require(0)
            expect(
                String(update.text.split(separator: "\n\n").first ?? ""),
                is: """
                    web1
                        add db
                            + manifest.json
                            + systemd/db.service
                            place unit db.service
                            reload systemd
                            enable unit db.service
                            start unit db.service (restart it if it runs with other files)
                        update web
                            + conf.d/extra.conf
                            ~ site.conf
                            + systemd/web.service.d/env.conf
                            place unit web.service.d/env.conf
                            restart unit web.service (conf.d/extra.conf and 2 other files changed)
                    """)
            expect(
                try host.apps(),
                is: """
                    db/
                    db/current -> v2
                    db/v2/
                    db/v2/manifest.json
                    db/v2/systemd/
                    db/v2/systemd/db.service
                    web/
                    web/current -> v2
                    web/previous -> v1
                    web/v1/
                    web/v1/manifest.json
                    web/v1/site.conf
                    web/v1/systemd/
                    web/v1/systemd/web.service
                    web/v2/
                    web/v2/conf.d/
                    web/v2/conf.d/extra.conf
                    web/v2/manifest.json
                    web/v2/site.conf
                    web/v2/systemd/
                    web/v2/systemd/web.service
                    web/v2/systemd/web.service.d/
                    web/v2/systemd/web.service.d/env.conf
                    """)
            #expect(try host.read("/etc/web/site.conf") == "two\n")
            #expect(try host.run("systemctl show -p Environment web") == "Environment=SITE=2\n")
            let second = try host.invocation(of: "web")
            #expect(second != first)
            let database = try host.invocation(of: "db")

            // The link, the drop-in and a file go; the other app is not touched.
            try cluster.remove("web1/web/systemd/web.service.d")
            try cluster.remove("web1/web/conf.d")
            try cluster.write("web1/web/manifest.json", #"{"systemd": {"units_enabled": ["web.service"]}}"#)
            try cluster.deploy().require(0)
            expect(try host.links(), is: "")
            #expect(
                try host.run(
                    "cd /etc/systemd/system && ls -d db.service web.service* multi-user.target.wants/db.service multi-user.target.wants/web.service"
                ) == """
                    db.service
                    multi-user.target.wants/db.service
                    multi-user.target.wants/web.service
                    web.service

                    """)
            #expect(try host.run("ls /var/lib/deptool/apps/web | wc -l") == "4\n")
            #expect(try host.run("systemctl show -p Environment web") == "Environment=\n")
            #expect(try host.invocation(of: "web") != second)
            #expect(try host.invocation(of: "db") == database)

            // The unit goes, its app stays.
            try cluster.remove("web1/db/systemd")
            try cluster.write("web1/db/manifest.json", "{}")
            try cluster.deploy().require(0)
            #expect(try host.state(of: "db") == "inactive")
            // systemd 257 has a word for it.
            #expect(["", "not-found"].contains(try host.enablement(of: "db")))
            #expect(try host.state(of: "web") == "active")

            // All apps go.
            try cluster.remove("web1/web")
            try cluster.remove("web1/db")
            let removal = try cluster.deploy().require(0)
            expect(
                String(removal.text.split(separator: "\n\n").first ?? ""),
                is: """
                    web1
                        remove db
                            - manifest.json
                        remove web
                            - manifest.json
                            - site.conf
                            - systemd/web.service
                            stop and disable unit web.service
                            remove unit web.service
                            reload systemd
                    """)
            #expect(try host.apps() == "")
            #expect(try host.links() == "")
            #expect(try host.state(of: "web") == "inactive")
            #expect(try host.run("find /etc/systemd/system -name 'web*' -o -name 'db*'") == "")
            #expect(try cluster.deptool("plan").text == nothingToDo)
        }

        @Test func `files are read-only, and executable if they are in the tree`() throws {
            let host = try site.boot()
            let cluster = try Cluster(site)
            try cluster.write("web1/tool/bin/run", "#!/bin/sh\necho ran\n")
            try cluster.write("web1/tool/data", "")
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o700], ofItemAtPath: "\(cluster.directory)/prod/web1/tool/bin/run")
            try cluster.deploy().require(0)
            let modes = "cd /var/lib/deptool/apps/tool/current && stat -c '%a %U %n' . bin bin/run data"
            expect(try host.run(modes), is: "755 root .\n755 root bin\n555 root bin/run\n444 root data\n")
            #expect(try host.run("/var/lib/deptool/apps/tool/current/bin/run") == "ran\n")

            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: "\(cluster.directory)/prod/web1/tool/bin/run")
            let output = try cluster.deploy().require(0)
            #expect(output.text.hasPrefix("web1\n    update tool\n        ~ bin/run (no longer executable)\n\n"))
            expect(try host.run(modes), is: "755 root .\n755 root bin\n444 root bin/run\n444 root data\n")
        }

        @Test func `a file with the link's content is adopted`() throws {
            let host = try site.boot()
            try host.write("/etc/app.conf", "same\n")
            let cluster = try Cluster(site)
            try cluster.write("web1/app/app.conf", "same\n")
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/app.conf": "app.conf"}}"#)
            try cluster.deploy().require(0)
            #expect(try host.links() == "/etc/app.conf -> apps/app/current/app.conf")
        }

        @Test func `a file that was edited on the host is sent again`() throws {
            let host = try site.boot()
            let cluster = try Cluster(site)
            try cluster.write("web1/app/edited", "right\n")
            try cluster.write("web1/app/lost", "here\n")
            try cluster.write("web1/app/changing", "1\n")
            try cluster.deploy().require(0)
            try host.run("cd /var/lib/deptool/apps/app/current && echo wrong >edited && rm lost")
            try cluster.write("web1/app/changing", "2\n")
            try cluster.deploy().require(0)
            #expect(try host.run("cd /var/lib/deptool/apps/app/current && cat edited lost changing") == "right\nhere\n2\n")
        }

        @Test func `an empty file, a large one and many small ones arrive whole`() throws {
            let host = try site.boot()
            let cluster = try Cluster(site)
            let large = String(repeating: "0123456789abcde\n", count: 1 << 18)
            try cluster.write("web1/app/large", large)
            try cluster.write("web1/app/empty", "")
            try cluster.write("web1/app/ünïcödé and spaces", "x")
            for number in 1...500 { try cluster.write("web1/app/many/\(number % 7)/\(number)", "\(number)\n") }
            try cluster.deploy().require(0)
            let script = "cd app && find . -type f -exec sha1sum {} + | LC_ALL=C sort -k 2"
            let theirs = try host.run("mkdir /root/copy && cd /root/copy && cp -r /var/lib/deptool/apps/app/current/. app && \(script)")
            let ours = try Program(
                ["sh", "-c", script], in: "\(cluster.directory)/prod/web1", environment: cluster.environment
            ).finish().text
            #expect(theirs == ours)
        }

        @Test func `an unchanged cluster needs no connection`() throws {
            let host = try site.boot()
            let cluster = try Cluster(site)
            try cluster.addService("web", on: "web1")
            try cluster.deploy().require(0)
            try site.kill(host)
            for output in [try cluster.deptool("plan"), try cluster.deptool("diff"), try cluster.deploy()] {
                #expect(output == Output(code: 0, text: nothingToDo, errors: ""))
            }
        }

        @Test func `status shows deployed and undeployed changes`() throws {
            _ = try site.boot()
            let cluster = try Cluster(site)
            try cluster.addService("web", on: "web1")
            try cluster.addService("db", on: "web1")
            try cluster.deploy().require(0)
            func status() throws -> String {
                try cluster.deptool("status", "--offline", "--all").require(0).stable
                    .replacing(/\b[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}\b/, with: "TIME")
            }
            expect(try status(), is: "1 host matches the config tree:\n    web1\n\nLast deploys:\n    web1  TIME  COMMIT  Ann\n")
            try cluster.write("web1/web/new", "")
            try cluster.write("web1/cache/new", "")
            try cluster.remove("web1/db")
            expect(try status(), is: "Undeployed changes:\n    web1: + cache, - db, ~ web\n\nLast deploys:\n    web1  TIME  COMMIT  Ann\n")
            try cluster.write("web2/web/new", "")
            try cluster.remove("web1")
            expect(
                try status(),
                is: """
                    Undeployed changes:
                        web2: new host

                    Not in the config tree any more, but still deployed:
                        web1

                    Last deploys:
                        web1  TIME  COMMIT  Ann
                        web2  never

                    """)
        }
    }
}
