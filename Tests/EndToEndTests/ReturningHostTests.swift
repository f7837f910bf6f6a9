import Foundation
import Testing

extension EndToEnd {
    /// Hosts that differ from the store's record: wiped, copied, emptied, forgotten.
    @Suite final class ReturningHostTests: OneHost {
        override init() throws {
            try super.init()
            try cluster.addService("app", on: "web1")
            try cluster.write(
                "web1/app/manifest.json",
                #"{"systemd": {"units_enabled": ["app.service"]}, "symlinks": {"/etc/app": "conf", "/srv/made/app": "conf/a"}}"#)
            try cluster.write("web1/app/conf/a", "one\n")
            try cluster.deploy().require(0)
        }

        /// Deploys a change to a host that has no record.
        private func expectNew() throws {
            try cluster.write("web1/app/conf/a", "two\n")
            let output = try cluster.deploy()
            #expect(output.code == 1)
            #expect(output.text.contains("\n  web1: has been wiped or reinstalled\n"), "\(output)")
            #expect(!output.text.contains("somebody else"), "\(output)")
            #expect(
                output.text.hasSuffix(
                    """

                    web1: Nothing is deployed on it any more: it has been wiped or reinstalled. Run `deptool deploy` again for \
                    the new plan.

                    Nothing was changed.

                    """), "\(output)")
            #expect(try cluster.deptool("plan").text.hasPrefix("web1 (new host)\n    add app\n"))
            try cluster.deploy().require(0)
            #expect(try host.read("/etc/app/a") == "two\n")
            #expect(try host.read("/srv/made/app") == "two\n")
            #expect(try host.state(of: "app") == "active")
            #expect(try cluster.deploy().text == nothingToDo)
        }

        @Test func `a host whose directory was wiped is noticed and taken over again`() throws {
            try host.run("rm -rf /var/lib/deptool")
            try expectNew()
        }

        @Test func `a host with another machine id is noticed and taken over again`() throws {
            try host.run("echo 0123456789abcdef0123456789abcdef >/etc/machine-id")
            try expectNew()
        }

        /// No message blames another operator.
        @Test(arguments: ["rm -rf /var/lib/deptool", "echo 0123456789abcdef0123456789abcdef >/etc/machine-id"])
        func `a host emptied since the plan is distinguished from one deployed to`(script: String) throws {
            try cluster.write("web1/app/conf/a", "two\n")
            try cluster.deptool("plan", "--out", "kept").require(0)
            let asked = try cluster.startAsking()
            try asked.expect("[y/N/d] ")
            try host.run(script)
            asked.type(line: "y")
            try asked.expect("has been wiped or reinstalled")
            try asked.expect("[y/N/d] ")
            asked.type(line: "n")
            let output = try asked.finish()
            #expect(output.code == 1 && !output.text.contains("somebody else"), "\(output)")

            let kept = try cluster.deploy("kept")
            #expect(kept.code == 1 && !kept.text.contains("somebody else"), "\(kept)")
        }

        @Test func `sync notices a host with another machine id`() throws {
            try host.run("echo 0123456789abcdef0123456789abcdef >/etc/machine-id")
            let sync = try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(sync.stable.hasPrefix("  web1: nothing is deployed any more, it was COMMIT\n"), "\(sync)")
            #expect(try cluster.deptool("plan").text.hasPrefix("web1 (new host)\n"))
        }

        @Test func `an emptied host is new when it comes back`() throws {
            try FileManager.default.moveItem(atPath: "\(cluster.directory)/prod/web1", toPath: "\(cluster.directory)/away")
            try cluster.write("web2/app/file", "")
            try cluster.deploy("--remove-host", "web1").require(0)
            #expect(try host.links() == "")
            // Directories made for links are removed with them.
            #expect(try host.attempt("ls -d /srv/made").code != 0)
            #expect(try host.run("ls /var/lib/deptool/store") == "lock\nlog\n")
            #expect(try cluster.references() == "")
            try FileManager.default.moveItem(atPath: "\(cluster.directory)/away", toPath: "\(cluster.directory)/prod/web1")
            let back = try cluster.deploy("--limit", "web1").require(0)
            #expect(back.text.hasPrefix("web1 (new host)\n    add app\n"), "\(back)")
            #expect(try host.state(of: "app") == "active")
        }

        @Test func `a new host.json is recorded, and applies when the host is emptied`() throws {
            try host.write("/etc/hostname", "web9\n")
            try cluster.write("web1/host.json", #"{"hostname": "web9"}"#)
            #expect(try cluster.deptool("plan").text == "web1\n    ~ host.json\n")
            #expect(try cluster.deptool("status", "--offline").text.hasPrefix("Undeployed changes:\n    web1: ~ host.json\n"))
            let before = try host.snapshot()
            try cluster.deploy().require(0)
            expect(try host.snapshot(), is: before)
            #expect(try cluster.deptool("plan").text == nothingToDo)
            try cluster.remove("web1")
            try cluster.write("web2/app/file", "")
            try cluster.deploy("--remove-host", "web1").require(0)
            #expect(try host.links() == "")
        }

        @Test func `an empty directory is reported`() throws {
            try FileManager.default.createDirectory(
                atPath: "\(cluster.directory)/prod/web1/empty", withIntermediateDirectories: true)
            let plan = try cluster.deptool("plan").require(0)
            #expect(plan.text == nothingToDo)
            #expect(plan.errors == "warning: prod/web1/empty has no files, so there is no such app\n")
        }

        @Test func `commits have Git's author`() throws {
            func author() throws -> String {
                let log = ["git", "-C", "\(cluster.directory)/.deptool", "log", "-1", "--format=%an <%ae>", "main"]
                return try Program(log, environment: cluster.environment).finish().text
            }
            #expect(try author() == "Ann <ann@example.com>\n")
            try cluster.write(outside: "other.gitconfig", "[user]\n\tname = Other\n\temail = other@example.com\n")
            cluster.environment["GIT_CONFIG_GLOBAL"] = "\(cluster.directory)/other.gitconfig"
            try cluster.write("web1/app/conf/a", "two\n")
            try cluster.deploy().require(0)
            #expect(try author() == "Other <other@example.com>\n")
            cluster.environment["GIT_AUTHOR_NAME"] = "Eve"
            cluster.environment["GIT_AUTHOR_EMAIL"] = "eve@example.com"
            try cluster.write("web1/app/conf/a", "three\n")
            try cluster.deploy().require(0)
            #expect(try author() == "Eve <eve@example.com>\n")
        }
    }

    /// An obstacle on one host prevents changes on all hosts.
    @Suite final class OtherHostsTests {
        @Test func `a file in the place of a link is found before any host changes`() throws {
            let site = try Site()
            let cluster = try Cluster(site)
            let (one, other) = try site.boot("web1", "web2")
            for name in ["web1", "web2"] {
                try cluster.write("\(name)/base/manifest.json", #"{"symlinks": {"/etc/greeting": "text/greeting"}}"#)
                try cluster.write("\(name)/base/text/greeting", "hello\n")
            }
            try other.write("/etc/greeting", "good morning\n")
            let output = try cluster.deploy()
            #expect(output.code == 1)
            #expect(
                output.text.hasSuffix(
                    """

                    web2: /etc/greeting is a file that is not Deptool's, and differs from the config tree's base/text/greeting, \
                    which would take its place.
                    Compare the two. Move /etc/greeting away on the host, or copy its content into the config tree.

                    Nothing was changed.

                    """), "\(output)")
            #expect(output.text.contains("\n  web1: not changed, since another host is not ready\n"))
            for host in [one, other] {
                #expect(try host.links() == "")
                #expect(try host.isLocked == false)
            }
            #expect(try other.read("/etc/greeting") == "good morning\n")

            try other.write("/etc/greeting", "hello\n")
            try cluster.deploy().require(0)
            #expect(try other.read("/etc/greeting") == "hello\n")
        }

        @Test func `the rest of a truncated upload of an agent is removed`() throws {
            let site = try Site()
            let cluster = try Cluster(site)
            let host = try site.boot()
            // One of a process that is gone, and one of a process that is there.
            try host.run("mkdir -p /var/lib/deptool/bin; touch /var/lib/deptool/bin/new.999999999 /var/lib/deptool/bin/new.1")
            try cluster.write("web1/app/file", "")
            try cluster.deploy().require(0)
            #expect(try host.run("cd /var/lib/deptool/bin && ls -d new.*") == "new.1\n")
        }
    }
}
