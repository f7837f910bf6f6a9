import Foundation
import Testing

extension EndToEnd {
    /// Apps and files that hosts share by symlinks in the config tree.
    @Suite final class SharedFileTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        private func link(_ path: String, to target: String) throws {
            try cluster.run("mkdir -p \"$(dirname prod/\(path))\"; ln -s \(target) prod/\(path)")
        }

        @Test func `an edit of a shared app reaches all hosts, and can be undone on all`() throws {
            let hosts = try site.boot(["web1", "web2"])
            try cluster.write(outside: "shared/motd/manifest.json", #"{"symlinks": {"/etc/welcome": "text"}}"#)
            try cluster.write(outside: "shared/motd/text", "Welcome.\n")
            for host in ["web1", "web2"] { try link("\(host)/motd", to: "../../shared/motd") }
            try cluster.deploy().require(0)
            try cluster.write(outside: "shared/motd/text", "Good bye.\n")
            let output = try cluster.deploy().require(0)
            #expect(output.text.hasPrefix("web1\n    update motd\n        ~ text\n\nweb2\n    update motd\n        ~ text\n"), "\(output)")
            for host in hosts {
                #expect(
                    try host.run("cat /etc/welcome; test -f /etc/welcome -a ! -L /var/lib/deptool/apps/motd/current/text") == "Good bye.\n")
            }
            try cluster.deptool("undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration).require(0)
            for host in hosts { #expect(try host.run("cat /etc/welcome") == "Welcome.\n") }
            // A copy in place of the symlink changes nothing.
            try cluster.write(outside: "shared/motd/text", "Welcome.\n")
            try cluster.run("rm prod/web2/motd; cp -R shared/motd prod/web2/motd")
            #expect(try cluster.deploy().require(0).text == "Nothing to do: every host of cluster 'prod' matches the config tree.\n")
        }

        @Test func `a symlink out of the repository is an error before any connection`() throws {
            try cluster.write("web1/site/index.html", "")
            try link("web1/site/key", to: "../../../../secret")
            let output = try cluster.deptool("plan").require(1)
            #expect(
                output.errors == """
                    Error: prod/web1/site/key is a symlink that leads out of \(cluster.directory)
                    A symlink may lead to a file or directory in the same repository, by a relative path. Put the file itself there; `symlinks` in manifest.json makes symlinks on the host.

                    """)
        }
    }
}
