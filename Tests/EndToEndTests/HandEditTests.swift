import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Deploys to hosts with files that somebody edited.
    @Suite final class HandEditTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        @Test func `a deploy warns of edited files that it replaces or removes, before it asks`() throws {
            let host = try site.boot()
            for app in ["app", "going", "kept"] {
                try cluster.write("web1/\(app)/manifest.json", #"{"symlinks": {"/etc/\#(app)": "etc"}}"#)
                for file in ["a", "b", "c", "d", "e"] { try cluster.write("web1/\(app)/etc/\(file)", "old\n") }
            }
            try cluster.deploy().require(0)
            // As root does with an editor. The last edit equals the tree's change.
            for file in ["a", "b", "new", "e"] { try host.run("echo edited >/etc/app/\(file)") }
            try host.run("echo edited >/etc/kept/a; echo edited >/etc/going/a; rm /etc/going/b /etc/app/c")
            try cluster.write("web1/app/etc/d", "new\n")
            try cluster.write("web1/app/etc/e", "edited\n")
            try cluster.remove("web1/going")
            let before = try host.snapshot()
            let replaced =
                "  web1: warning: edited on the host, and replaced by this deploy: app/etc/a, app/etc/b, app/etc/c and 1 other. Until the app's next deploy, `previous` beside it has the edits"
            let removed = "  web1: warning: edited on the host, and removed by this deploy: going/etc/a"
            let asking = try cluster.startAsking()
            try asking.expect("[y/N/d] ")
            try asking.expect("going/etc/a")
            asking.type(line: "n")
            let output = try asking.finish().require(1)
            #expect(output.text.contains("edited on the host, and replaced by this deploy: app/etc/a"), "\(output)")
            #expect(try host.snapshot() == before)
            // `check` warns, too.
            let check = try cluster.deptool("check", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(check.text.contains(replaced + "\n") && check.text.contains(removed + "\n"), "\(check)")
            let deploy = try cluster.deploy().require(0)
            #expect(deploy.text.contains(replaced + "\n") && deploy.text.contains(removed + "\n"), "\(deploy)")
            #expect(!deploy.text.contains("app/etc/e") && !deploy.text.contains("kept"), "\(deploy)")
            #expect(try host.read("/etc/app/a") == "old\n")
            #expect(try host.run("cd /var/lib/deptool/apps/app/previous/etc && cat a new") == "edited\nedited\n")
            // Neither a repair, which shows the edits itself, nor a deploy of unedited files warns.
            try cluster.write("web1/kept/etc/b", "new\n")
            #expect(try !cluster.deploy("--repair").require(0).text.contains("warning"))
            try cluster.write("web1/kept/etc/b", "newer\n")
            #expect(try !cluster.deploy().require(0).text.contains("warning"))
            // As an object, too.
            try host.run("echo edited >/etc/kept/a")
            try cluster.write("web1/kept/etc/b", "newest\n")
            let json = try cluster.deploy("--json").require(0)
            let warnings = try Schema().objects(json.text).filter { $0["state"] as? String == "warning" }
            #expect(warnings.count == 1, "\(json)")
        }

        @Test func `a deploy warns of replaced links, through which no program reads its files`() throws {
            let host = try site.boot()
            let links = #"{"symlinks": {"/etc/one": "one", "/etc/two": "two", "/etc/three": "three"}}"#
            try cluster.write("web1/app/manifest.json", links)
            for file in ["one", "two", "three"] { try cluster.write("web1/app/\(file)", "old\n") }
            try cluster.write("web1/other/file", "old\n")
            try cluster.write("web1/other/manifest.json", #"{"symlinks": {"/etc/other": "file"}}"#)
            try cluster.deploy().require(0)
            // `sed -i` replaces the link by a file; the second link leads elsewhere.
            try host.run("sed -i s/old/mine/ /etc/one; ln -sfn /etc/hostname /etc/two; sed -i s/old/mine/ /etc/other")
            try cluster.write("web1/app/one", "new\n")
            let deploy = try cluster.deploy().require(0)
            #expect(
                deploy.text.contains(
                    "  web1: warning: replaced on the host, and left so by this deploy: /etc/one, /etc/two. Programs that read it do not see the new files; "
                        + "`deptool deploy --repair` restores it\n"), "\(deploy)")
            #expect(try host.read("/etc/one") == "mine\n")
            try cluster.deploy("--repair").require(0)
            #expect(try host.read("/etc/one") == "new\n")
        }

        @Test func `a user's huge or growing file in the place of a link blocks no deploy`() throws {
            let host = try site.boot()
            try host.run("useradd --create-home eve")
            try cluster.write("web1/app/conf", "one\n")
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/home/eve/conf": "conf"}}"#)
            try cluster.deploy().require(0)
            try host.run("su eve -c 'rm ~/conf; truncate -s 8T ~/conf'")
            try cluster.write("web1/app/conf", "two\n")
            let deploy = try cluster.deploy().require(0)
            #expect(deploy.text.contains("replaced on the host, and left so by this deploy: /home/eve/conf."), "\(deploy)")
            // One that grows faster than anybody reads.
            try host.run(
                "su eve -c 'truncate -s 100M ~/conf; (while truncate -s +100M ~/conf && [ $(stat -c %s ~/conf) -lt 100000000000 ]; do :; done; truncate -s 100M ~/conf) >/dev/null 2>&1 &'"
            )
            try cluster.write("web1/app/conf", "three\n")
            try cluster.deploy().require(0)
            #expect(try host.agents() == [])
            try host.run("pkill -u eve || true")
        }

        @Test func `a host that cannot compare itself is still deployed to`() throws {
            let host = try site.boot()
            try host.run("groupadd shop")
            try cluster.write("web1/app/key", "one\n")
            try cluster.write("web1/app/manifest.json", #"{"copies": {"/etc/key": {"source": "key", "group": "shop"}}}"#)
            try cluster.deploy().require(0)
            try host.run("groupdel shop")
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).code == 1)
            try cluster.write("web1/app/key", "two\n")
            try cluster.write("web1/app/manifest.json", #"{"copies": {"/etc/key": "key"}}"#)
            try cluster.deploy().require(0)
            #expect(try host.run("cat /etc/key; stat -c %G /etc/key") == "two\nroot\n")
        }
    }
}
