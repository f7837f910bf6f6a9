import Foundation
import Testing

extension EndToEnd {
    /// All obstacles on a host are found before any host changes, and reported together.
    @Suite final class ObstacleTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        /// The output of a deploy that changes nothing on any host.
        private func refused(_ hosts: [Host], _ arguments: String...) throws -> Output {
            let before = try hosts.map { (try $0.snapshot(), try units($0)) }
            let output = try cluster.deploy(arguments).require(1)
            if arguments != ["--json"] { #expect(output.text.hasSuffix("\n\nNothing was changed.\n"), "\(output)") }
            for (host, (files, units)) in zip(hosts, before) {
                expect(try host.snapshot(), is: files)
                expect(try self.units(host), is: units)
                #expect(try !host.isLocked)
            }
            return output
        }

        /// Without mounts, which are the test's own: systemd notices them when it likes.
        private func units(_ host: Host) throws -> String {
            try host.units().split(separator: "\n").filter { !$0.contains(".mount ") }.joined(separator: "\n")
        }

        /// Links from names below a directory of the host to files of an app.
        private func link(_ names: [String], below directory: String, on host: String) throws {
            let links = names.map { #""\#(directory)/\#($0)": "\#($0)""# }.joined(separator: ", ")
            try cluster.write("\(host)/app/manifest.json", #"{"symlinks": {\#(links)}}"#)
            for name in names { try cluster.write("\(host)/app/\(name)", "of the tree\n") }
        }

        /// Makes the directory of Deptool and the agent, so that what comes later changes nothing there.
        private func introduce(_ hosts: [String]) throws {
            for host in hosts { try cluster.write("\(host)/first/file", "") }
            try cluster.deploy().require(0)
        }

        @Test func `nine foreign files, a mount point and a missing group are reported at once, for all hosts`() throws {
            let (one, other) = try site.boot("web1", "web2")
            try introduce(["web1", "web2"])
            let names = (1...9).map { "file\($0)" }
            for name in ["web1", "web2"] {
                try link(names, below: "/etc/app", on: name)
                try cluster.addService("unit", on: name)
            }
            for name in names { try one.write("/etc/app/\(name)", "of the host\n") }
            try other.run("touch /run/hosts && mkdir /etc/app && touch /etc/app/file1 && mount --bind /run/hosts /etc/app/file1")
            try other.run("mkdir /etc/app/file2 && ln -s nowhere /etc/app/file3")
            try cluster.write("web2/secret/manifest.json", #"{"private": true, "group": "nobody-there"}"#)
            try cluster.write("web2/secret/file", "")
            let output = try refused([one, other])
            let lines = names.map { name in
                "    /etc/app/\(name) is a file that is not Deptool's, and differs from the config tree's app/\(name), which would take its place\n"
            }.joined()
            #expect(
                output.text.hasSuffix(
                    """

                    web1: 9 obstacles:
                    \(lines)Compare each with the config tree. Move them away on the host, or copy their content into the \
                    config tree.

                    web2: 4 obstacles:
                        /etc/app/file1 is a mount point
                    Unmount /etc/app/file1, or take it out of the config tree. Container software writes the files that it mounts.
                        /etc/app/file2 is a directory that is not Deptool's, where the config tree's app/file2 would be linked
                        /etc/app/file3 is a symlink to nowhere that is not Deptool's, where the config tree's app/file3 would be linked
                    Move them away on the host, or remove the links from the config tree.
                        /etc/group has no group 'nobody-there'
                    Correct "group" in the app's manifest.json, or create the group with a line `g nobody-there -` in a file of the \
                    app's sysusers directory.

                    Nothing was changed.

                    """), "\(output)")
            #expect(output.text.contains("\n  web1: /etc/app/file1 is a file that is not Deptool's, and 8 other obstacles\n"), "\(output)")

            let json = try refused([one, other], "--json")
            let result = try #require(json.text.split(separator: "\n").first { $0.contains(#""type":"result","host":"web2""#) })
            #expect(
                result.hasSuffix(
                    #""obstacles":["/etc/app/file1 is a mount point","/etc/app/file2 is a directory that is not Deptool's","/etc/app/file3 is a symlink to nowhere that is not Deptool's","/etc/group has no group 'nobody-there'"]}"#
                ), "\(result)")
        }

        @Test(arguments: Site.Flavour.debians)
        func `immutable and read-only paths are found before any host changes`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            // Placed, linked, and of both kinds there already.
            try cluster.write(
                "web1/app/manifest.json",
                #"{"symlinks": {"/etc/links/old": "a"}, "copies": {"/etc/places/old": "a", "/etc/places/same": "a"}}"#)
            try cluster.write("web1/app/a", "one\n")
            try cluster.deploy().require(0)
            func write(_ manifest: String) throws { try cluster.write("web1/app/manifest.json", manifest) }

            // A file that another is mounted over, as in a container.
            try host.run("echo '127.0.0.1 localhost' >/run/hosts && mount --bind /run/hosts /etc/hosts")
            for kind in ["symlinks", "copies"] {
                try write(#"{"\#(kind)": {"/etc/hosts": "hosts", "/etc/links/old": "a"}, "systemd": {}}"#)
                try cluster.write("web1/app/hosts", "127.0.0.1 localhost\n")
                #expect(try refused([host]).text.contains("web1: /etc/hosts is a mount point.\nUnmount /etc/hosts"))
            }
            try host.run("umount /etc/hosts")
            try cluster.remove("web1/app/hosts")

            // One that is Deptool's already, which changes, or goes.
            try host.run("cp /etc/places/old /run/old && mount --bind /run/old /etc/places/old")
            try cluster.write("web1/app/a", "two\n")
            for manifest in [#"{"copies": {"/etc/places/old": "a"}}"#, "{}"] {
                try write(manifest)
                #expect(try refused([host]).text.contains("/etc/places/old is a mount point"))
            }
            try host.run("umount /etc/places/old")

            // A read-only file system: where links and files come, change, and go.
            for (place, manifest) in [
                ("/etc/links", "{}"), ("/etc/places", "{}"), ("/etc/links", #"{"symlinks": {"/etc/links/new/deep": "a"}}"#),
                ("/etc/places", #"{"copies": {"/etc/places/new/deep": "a"}}"#),
                ("/etc/places", #"{"symlinks": {"/etc/links/old": "a"}, "copies": {"/etc/places/old": "a"}}"#),
            ] {
                try host.run("mount --bind \(place) \(place) && mount -o remount,ro,bind \(place)")
                try write(manifest)
                let output = try refused([host])
                #expect(output.text.contains(" cannot be changed: the file system is read-only"), "\(output)")
                try host.run("umount \(place)")
            }

            // Units, on a host where another has to wait for that.
            try host.run("mount --bind /etc/systemd/system /etc/systemd/system && mount -o remount,ro,bind /etc/systemd/system")
            try write(#"{"systemd": {"units_enabled": ["cron.service"]}}"#)
            let output = try refused([host])
            #expect(output.text.contains("/etc/systemd/system/deptool-recover.service cannot be changed"), "\(output)")
            try host.run("umount /etc/systemd/system")

            // Immutable files, if the file system supports them.
            if try host.attempt("chattr +i /etc/places/old").code == 0 {
                try write("{}")
                #expect(try refused([host]).text.contains("/etc/places/old cannot be changed: it or its directory is immutable"))
                try host.run("chattr -i /etc/places/old")
            }
            try write("{}")
            try cluster.deploy().require(0)
            #expect(try host.attempt("ls /etc/places/old /etc/links/old").text == "")
        }

        @Test func `a disk with too little room is reported before anything is sent`() throws {
            let host = try site.boot()
            func mount(_ options: String) throws {
                try host.run(
                    "umount /var/lib/deptool 2>/dev/null; mkdir -p /var/lib/deptool && mount -t tmpfs -o mode=755,\(options) none /var/lib/deptool"
                )
            }
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/app": "conf"}}"#)
            try cluster.write("web1/app/conf", "one\n")

            // For the agent itself.
            try mount("size=200k")
            var output = try refused([host])
            #expect(
                output.text.contains(
                    /web1: not enough space in \/var\/lib\/deptool: [0-9.]+ kB needed, [0-9.]+ kB free\.\nMake room there, then deploy again\.\n/
                ),
                "\(output)")
            try mount("nr_inodes=2")
            output = try refused([host])
            #expect(output.text.contains("web1: not enough inodes in /var/lib/deptool: 1 needed, 0 free.\n"), "\(output)")

            // For one large file, and for many small ones.
            try mount("size=2m")
            try cluster.deploy().require(0)
            try Data(count: 3 << 20).write(to: URL(filePath: "\(cluster.directory)/prod/web1/app/large"))
            output = try refused([host])
            #expect(output.text.contains(/web1: not enough space in \/var\/lib\/deptool: 3\.1 MB needed, [0-9.]+ MB free\.\n/), "\(output)")
            try cluster.remove("web1/app/large")
            for number in 0..<300 { try cluster.write("web1/app/small/\(number)", String(repeating: "\(number)\n", count: 2000)) }
            output = try refused([host])
            #expect(
                output.text.contains(/web1: not enough space in \/var\/lib\/deptool: [0-9.]+ MB needed, [0-9.]+ MB free\.\n/), "\(output)")
            #expect(try host.read("/etc/app") == "one\n")
            try cluster.remove("web1/app/small")
            #expect(try cluster.deploy().text == nothingToDo)

            // For a copy that comes to another file system.
            try host.run("mkdir /etc/small && mount -t tmpfs -o size=64k none /etc/small")
            try cluster.write("web1/app/large", String(repeating: "0123456789abcdef", count: 8192))
            try cluster.write(
                "web1/app/manifest.json", #"{"symlinks": {"/etc/app": "conf"}, "copies": {"/etc/small/deep/large": "large"}}"#)
            output = try refused([host])
            #expect(output.text.contains(/web1: not enough space in \/etc\/small: 131\.0 kB needed, 65\.5 kB free\.\n/), "\(output)")
            // Also where a symlink leads there.
            try host.run("ln -s /etc/small /etc/linked")
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/app": "conf"}, "copies": {"/etc/linked/large": "large"}}"#)
            output = try refused([host])
            #expect(output.text.contains(/web1: not enough space in \/etc\/linked: 131\.0 kB needed, 65\.5 kB free\.\n/), "\(output)")
            try host.run("umount /etc/small && rmdir /etc/small && rm /etc/linked")
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/app": "conf"}}"#)
            try cluster.remove("web1/app/large")

            // For the names of files.
            for number in 0..<100 { try cluster.write("web1/app/small/\(number)", "") }
            try host.run("mount -o remount,size=10m,nr_inodes=60 /var/lib/deptool")
            output = try refused([host])
            #expect(
                output.text.contains(/web1: not enough inodes in \/var\/lib\/deptool: 103 needed, [0-9]+ free\.\n/), "\(output)"
            )
        }
    }

    /// An existing file with the same content is adopted, if it has the same meaning.
    @Suite struct AdoptionTests {
        @Test func `a drop-in that a new app takes over restarts nothing, and a new one restarts`() throws {
            let site = try Site()
            let cluster = try Cluster(site)
            let host = try site.boot()
            try cluster.addService("web", on: "web1")
            try cluster.write("web1/login/manifest.json", #"{"systemd": {"units_enabled": ["ssh.service"]}}"#)
            try cluster.deploy().require(0)
            let units = ["ssh.service", "web.service"], limits = "[Service]\nLimitNOFILE=4096\n"
            for unit in units {
                try host.run("mkdir -p /etc/systemd/system/\(unit).d")
                try host.write("/etc/systemd/system/\(unit).d/limits.conf", limits)
                try cluster.write("web1/limits/systemd/\(unit).d/limits.conf", limits)
            }
            try host.run("systemctl daemon-reload; systemctl restart \(units.joined(separator: " "))")
            func invocations() throws -> [String] { try units.map { try host.run("systemctl show -P InvocationID \($0)") } }
            let before = try invocations()
            let adopted = try cluster.deploy().require(0)
            for unit in units {
                #expect(adopted.text.contains("        start unit \(unit) (restart it if it runs with other files)\n"), "\(adopted)")
            }
            #expect(try invocations() == before)
            for unit in units { try cluster.write("web1/more/systemd/\(unit).d/more.conf", "[Service]\nLimitCORE=1\n") }
            let added = try cluster.deploy().require(0)
            for (now, old) in zip(try invocations(), before) { #expect(now != old, "\(added)") }
        }

        @Test func `a unit that an app takes over restarts for another app's new drop-in`() throws {
            let site = try Site()
            let cluster = try Cluster(site)
            let host = try site.boot()
            let unit = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
            try host.write("/etc/systemd/system/web.service", unit)
            try host.run("systemctl daemon-reload; systemctl enable --now web.service")
            let before = try host.run("systemctl show -P MainPID web.service")
            try cluster.write("web1/web/systemd/web.service", unit)
            try cluster.write("web1/web/manifest.json", #"{"systemd": {"units_enabled": ["web.service"]}}"#)
            try cluster.write("web1/limits/systemd/web.service.d/limits.conf", "[Service]\nLimitNOFILE=4096\n")
            try cluster.deploy().require(0)
            #expect(try host.run("systemctl show -P MainPID web.service") != before)
            #expect(try host.run("systemctl show -P LimitNOFILE web.service") == "4096\n")
        }

        @Test(arguments: Site.Flavour.debians)
        func `a file whose mode or owner would be lost is an obstacle, until the tree keeps it`(flavour: Site.Flavour) throws {
            let site = try Site()
            let cluster = try Cluster(site)
            let host = try site.boot("web1", flavour)
            try cluster.write(
                "web1/app/manifest.json",
                #"{"symlinks": {"/usr/local/sbin/backup": "backup", "/etc/app/secret": "secret", "/etc/app/plain": "plain"}}"#)
            try host.write("/usr/local/sbin/backup", "#!/bin/sh\ntouch /run/backup-was-made\n")
            try host.write("/etc/app/secret", "password\n")
            try host.write("/etc/app/plain", "text\n")
            try host.run(
                "chmod 755 /usr/local/sbin/backup; chmod 640 /etc/app/secret; chgrp mail /etc/app/secret; chmod 644 /etc/app/plain")
            try cluster.write("web1/app/backup", "#!/bin/sh\ntouch /run/backup-was-made\n")
            try cluster.write("web1/app/secret", "password\n")
            try cluster.write("web1/app/plain", "text\n")
            let before = try host.snapshot()
            let output = try cluster.deploy().require(1)
            #expect(
                output.text.hasSuffix(
                    #"""

                    web1: 2 obstacles:
                        /etc/app/secret is 0640, root:mail on the host, and would be 0444, root:root as the config tree's app/secret
                    This line in "copies" of app/manifest.json keeps that; or change it on the host:
                        "/etc/app/secret": {"source": "secret", "mode": "0640", "group": "mail"}
                        /usr/local/sbin/backup is 0755, root:root on the host, and would be 0444, root:root as the config tree's app/backup
                    `chmod +x app/backup` in the config tree keeps that; or change it on the host.

                    Nothing was changed.

                    """#), "\(output)")
            let left = try host.snapshot().split(separator: "\n").filter { !$0.contains("/var/lib/deptool") }
            #expect(left == before.split(separator: "\n").filter { !$0.contains("/var/lib/deptool") })

            // As the message advises.
            try cluster.run("chmod +x prod/web1/app/backup")
            try cluster.write(
                "web1/app/manifest.json",
                #"{"symlinks": {"/usr/local/sbin/backup": "backup", "/etc/app/plain": "plain"}, "copies": {"/etc/app/secret": {"source": "secret", "mode": "0640", "group": "mail"}}}"#
            )
            try cluster.deploy().require(0)
            #expect(try host.run("stat -c '%a %U:%G' /etc/app/secret") == "640 root:mail\n")
            try host.run("/usr/local/sbin/backup && ls /run/backup-was-made")
        }

        @Test(arguments: Site.Flavour.debians)
        func `a symlink to a file with the same content is taken over, and a rollback restores it`(flavour: Site.Flavour) throws {
            let site = try Site()
            let cluster = try Cluster(site)
            let host = try site.boot("web1", flavour)
            try host.write("/etc/nginx/sites-available/blog", "server {}\n")
            try host.run(
                """
                mkdir /etc/nginx/sites-enabled; ln -s ../sites-available/blog /etc/nginx/sites-enabled/blog
                ln -s nginx/sites-available/blog /etc/app.conf; mkfifo /etc/fifo
                """)
            try cluster.write("web1/first/file", "")
            try cluster.deploy().require(0)
            let before = try host.snapshot()
            try cluster.write("web1/app/blog", "server {}\n")
            try cluster.write(
                "web1/app/manifest.json",
                #"{"symlinks": {"/etc/nginx/sites-enabled/blog": "blog"}, "copies": {"/etc/app.conf": "blog"}}"#)
            try cluster.addService("failing", on: "web1", run: "/bin/false")
            try cluster.deploy().require(3)
            expect(try host.snapshot(), is: before)
            #expect(
                try host.run("readlink /etc/nginx/sites-enabled/blog /etc/app.conf")
                    == "../sites-available/blog\nnginx/sites-available/blog\n")

            try cluster.remove("web1/failing")
            try cluster.deploy().require(0)
            #expect(try host.run("readlink /etc/nginx/sites-enabled/blog") == "/var/lib/deptool/apps/app/current/blog\n")
            #expect(try host.run("stat -c %F /etc/app.conf") == "regular file\n")
            #expect(try host.read("/etc/nginx/sites-available/blog") == "server {}\n")
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")

            // A symlink to something else is not read.
            try host.run("ln -s fifo /etc/pipe; ln -s /etc/nginx/sites-available/blog /etc/other")
            try cluster.write(
                "web1/app/manifest.json",
                #"{"symlinks": {"/etc/nginx/sites-enabled/blog": "blog", "/etc/pipe": "blog", "/etc/other": "other"}, "copies": {"/etc/app.conf": "blog"}}"#
            )
            try cluster.write("web1/app/other", "server { }\n")
            let output = try cluster.deploy().require(1)
            #expect(
                output.text.contains("\n    /etc/other is a symlink to /etc/nginx/sites-available/blog that is not Deptool's, where"),
                "\(output)")
            #expect(output.text.contains("\n    /etc/pipe is a symlink to fifo that is not Deptool's, where"), "\(output)")
        }
    }
}
