import Foundation
import Testing

extension EndToEnd {
    /// Files that have to be there before `/var` is, or with a mode and owner.
    @Suite final class PlacedFileTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        /// A service that runs, in an app with a file for early boot.
        private func writeApp(_ content: String = "one", before: String? = nil) throws {
            try cluster.write(
                "web1/app/manifest.json",
                #"{"systemd": {"units_enabled": ["app.service"]}, "copies": {"/etc/sysctl.d/app.conf": "sysctl.conf"}}"#)
            try cluster.write("web1/app/sysctl.conf", "# \(content)\n")
            let first = before.map { "ExecStartPre=\($0)\n" } ?? ""
            try cluster.write(
                "web1/app/systemd/app.service",
                "[Service]\n\(first)ExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
        }

        @Test(arguments: [Site.Flavour.separateVar, .separateVar13])
        func `units run after a boot with a late /var`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            try writeApp()
            try cluster.deploy().require(0)
            #expect(try host.state(of: "app") == "active")
            let before = try host.units()
            try site.kill(host)
            try site.start(host)
            #expect(try host.state(of: "app") == "active")
            expect(try host.units(), is: before)
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")
        }

        @Test(arguments: [Site.Flavour.debian12, .separateVar])
        func `a link that early boot reads before /var is mounted is reported`(flavour: Site.Flavour) throws {
            _ = try site.boot("web1", flavour)
            func deploy(_ manifest: String) throws -> Output {
                try cluster.write("web1/app/file", "# \(manifest)\n")
                try cluster.write("web1/app/manifest.json", manifest)
                return try cluster.deploy().require(0)
            }
            let links =
                #"{"symlinks": {"/etc/motd.deptool": "file", "/etc/sysctl.d/app.conf": "file", "/etc/udev/rules.d/x.rules": "file"}}"#
            let warning = """
                  web1: warning: early boot reads /etc/sysctl.d/app.conf (and 1 more) before /var/lib/deptool is mounted: use "copies" instead of \
                "symlinks"

                """
            #expect(try deploy(links).text.contains(warning) == (flavour == .separateVar))
            // Unchanged links cause no second warning, and placed files cause none.
            #expect(try !deploy(links + " ").text.contains("warning"))
            #expect(try !deploy(#"{"copies": {"/etc/sysctl.d/app.conf": "file"}}"#).text.contains("warning"))
        }

        @Test(arguments: [Site.Flavour.separateVar, .separateVar13])
        func `a deploy that loses power is undone at boot with a late /var`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            try writeApp()
            try cluster.deploy().require(0)
            let files =
                "cd / && find etc var/lib/deptool -type f ! -name lock ! -name 'log*' -exec sha256sum {} + | sort; find etc -type l -printf '%p %l\\n' | sort"
            let (before, contents) = (try host.units(), try host.run(files))
            // The unit's file has changed by then, and the record has not.
            try writeApp("two", before: "/bin/sleep 600")
            let deploy = try cluster.startDeploy()
            try host.wait(for: "systemctl show -p SubState --value app.service | grep -q start-pre", within: .seconds(300))
            try site.kill(host)
            deploy.signal(SIGKILL)
            _ = try deploy.finish()
            try site.start(host)
            #expect(try host.state(of: "app") == "active")
            expect(try host.units(), is: before)
            expect(try host.run(files), is: contents)
            #expect(try host.read("/etc/sysctl.d/app.conf") == "# one\n")
        }

        @Test(arguments: [Site.Flavour.debian12, .debian13])
        func `foreign errors in sysusers.d and tmpfiles.d fail no deploy`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            // Below a directory of an unprivileged user, which systemd-tmpfiles refuses to follow (73); and invalid lines (65).
            try host.run("install -d -o operator /srv/theirs")
            try host.write(
                "/etc/tmpfiles.d/a-theirs.conf", "d /srv/theirs/a 0755 root root -\nd /srv/theirs/a/b 0755 root root -\nnonsense\n")
            #expect(try host.attempt("systemd-tmpfiles --create").code != 0)
            try cluster.write("web1/app/sysusers/app.conf", "u shop - -\n")
            try cluster.write("web1/app/tmpfiles/app.conf", "d /srv/shop 0750 shop shop -\n")
            try cluster.write("web1/other/tmpfiles/other.conf", "d /srv/other 0700 root root -\n")
            try cluster.deploy().require(0)
            #expect(try host.run("stat -c '%U %a' /srv/shop /srv/other") == "shop 750\nroot 700\n")
            // A manual change to a file of an unchanged app is that app's drift.
            try host.run("rm /etc/tmpfiles.d/other.conf; echo nonsense >/etc/sysusers.d/app.conf")
            try cluster.write("web1/app/tmpfiles/app.conf", "d /srv/shop 0755 shop shop -\n")
            try cluster.deploy().require(0)
            #expect(try host.run("stat -c %a /srv/shop") == "755\n")
            // One's own fails it still.
            try cluster.write("web1/app/tmpfiles/app.conf", "nonsense\n")
            let failed = try cluster.deploy().require(3)
            #expect(failed.text.contains("`systemd-tmpfiles --create /etc/tmpfiles.d/app.conf` failed"), "\(failed)")
        }

        @Test func `a copy has its mode and owner, changes with its file, and is removed with its line`() throws {
            let host = try site.boot()
            let before = try host.snapshot()
            func write(_ copies: String) throws {
                try cluster.write("web1/app/manifest.json", #"{"copies": {\#(copies)}}"#)
            }
            try cluster.write("web1/app/rules", "operator ALL=(ALL) ALL\n")
            try write(#""/etc/sudoers.d/app": {"source": "rules", "mode": "0440", "owner": "operator", "group": "users"}"#)
            let plan = try cluster.deptool("plan").require(0)
            #expect(plan.text.contains("\n        copy rules to /etc/sudoers.d/app (0440, operator:users)\n"), "\(plan)")
            try cluster.deploy("--guard", "never").require(0)
            let stat = "stat -c '%F %a %U:%G' /etc/sudoers.d/app"
            #expect(try host.run(stat) == "regular file 440 operator:users\n")
            #expect(try host.read("/etc/sudoers.d/app") == "operator ALL=(ALL) ALL\n")
            // The manual change is shown.
            try cluster.write("web1/app/systemd/app.service", "[Service]\nExecStart=/bin/true\n")
            try cluster.deploy("--guard", "never").require(0)
            try host.run("echo '# mine' >>/etc/sudoers.d/app; echo '# mine, too' >>/etc/systemd/system/app.service")
            let diff = try cluster.deptool("verify", "--diff", "--ssh-config", cluster.sshConfiguration).require(0).text
            #expect(diff.contains("\n+# mine\n") && diff.contains("\n+# mine, too\n"), "\(diff)")
            try host.run("sed -i '/# mine/d' /etc/sudoers.d/app /etc/systemd/system/app.service")
            try cluster.remove("web1/app/systemd")

            try write(#""/etc/sudoers.d/app": {"source": "rules", "mode": "0400"}"#)
            try cluster.deploy("--guard", "never").require(0)
            #expect(try host.run(stat) == "regular file 400 root:root\n")

            // A manual edit is not lost.
            try host.run("echo mine >>/etc/sudoers.d/app")
            try cluster.write("web1/app/rules", "# none\n")
            let refused = try cluster.deploy("--guard", "never").require(1)
            #expect(refused.text.contains("/etc/sudoers.d/app was changed on the host since it was deployed"), "\(refused)")
            #expect(try host.read("/etc/sudoers.d/app") == "operator ALL=(ALL) ALL\nmine\n")
            try cluster.deploy("--guard", "never", "--repair").require(0)
            #expect(try host.read("/etc/sudoers.d/app") == "# none\n")
            #expect(try host.run("cat /var/lib/deptool/store/kept/*/etc/sudoers.d/app") == "operator ALL=(ALL) ALL\nmine\n")

            // Neither is a file replaced by a failed deploy.
            let good = try host.snapshot()
            try cluster.write("web1/app/rules", "# other\n")
            try cluster.addService("failing", on: "web1", run: "/bin/false")
            try cluster.deploy("--guard", "never").require(3)
            expect(try host.snapshot(), is: good)

            try cluster.remove("web1/failing")
            try cluster.write("web1/app/manifest.json", "{}")
            try cluster.deploy("--guard", "never").require(0)
            #expect(try host.attempt("ls /etc/sudoers.d/app").code != 0)
            try cluster.remove("web1/app")
            try cluster.deploy().require(0)
            try host.run("rm -r /var/lib/deptool/store/kept")
            #expect(Set(try host.snapshot().split(separator: "\n")).isSuperset(of: before.split(separator: "\n")))
        }

        /// As NixOS has it.
        @Test func `without a writable unit directory, files are deployed and units are refused`() throws {
            let host = try site.boot()
            try host.run("mount --bind /etc/systemd/system /etc/systemd/system && mount -o remount,ro,bind /etc/systemd/system")
            try cluster.write("web1/app/manifest.json", #"{"copies": {"/etc/app.conf": "conf"}}"#)
            try cluster.write("web1/app/conf", "one\n")
            let output = try cluster.deploy().require(0)
            #expect(
                output.text.contains(
                    "  web1: warning: /etc/systemd/system cannot be written: if this deploy is cut off, the host rolls back at the next contact, not at boot\n"
                ))
            #expect(try host.read("/etc/app.conf") == "one\n")
            try cluster.write("web1/app/conf", "two\n")
            let json = try cluster.deploy("--json").require(0)
            #expect(json.text.contains(#""state":"warning","message":"/etc/systemd/system cannot be written"#), "\(json)")
            let before = try host.snapshot()
            try cluster.addService("web", on: "web1")
            let refused = try cluster.deploy().require(1)
            #expect(refused.text.contains("Nothing was changed."), "\(refused)")
            expect(try host.snapshot(), is: before)
        }

        @Test func `a foreign file with the name of the boot unit is left alone`() throws {
            let host = try site.boot()
            try host.run("echo '[Service]' >/etc/systemd/system/deptool-recover.service")
            try cluster.addService("web", on: "web1")
            let refused = try cluster.deploy().require(1)
            #expect(refused.text.contains("/etc/systemd/system/deptool-recover.service is a file that is not Deptool's"), "\(refused)")
            #expect(try host.read("/etc/systemd/system/deptool-recover.service") == "[Service]\n")
        }
    }
}
