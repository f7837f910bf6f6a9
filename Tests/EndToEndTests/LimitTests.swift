import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Deploys of single apps.
    @Suite final class LimitTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        private func undo(_ arguments: String...) throws -> Output {
            try Program(
                [Tools.deptool, "undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration] + arguments, in: cluster.directory,
                environment: cluster.environment
            ).finish().require(0)
        }

        private func content(_ host: Host, _ app: String) throws -> String {
            try host.read("/var/lib/deptool/apps/\(app)/current/conf")
        }

        @Test func `one app is deployed, undone and synced to others, and the rest stays`() throws {
            let host = try site.boot()
            for app in ["blog", "nginx"] {
                try cluster.write("web1/\(app)/conf", "one\n")
                try cluster.addService(app, on: "web1")
            }
            try cluster.deploy().require(0)
            let blogID = try host.run("systemctl show -P InvocationID blog.service")
            for app in ["blog", "nginx"] { try cluster.write("web1/\(app)/conf", "two\n") }
            try cluster.write("web1/shop/conf", "two\n")
            let plan = """
                web1
                    update nginx
                        ~ conf
                        restart unit nginx.service (conf changed)
                    left out by --limit: changes to blog, shop

                """
            #expect(try cluster.deptool("plan", "--limit", "web1/nginx").require(0).text == plan)
            let object = try #require(try Schema().objects(cluster.deptool("plan", "--json", "--limit", "web1/nginx").text).first)
            let row = try #require((object["hosts"] as? [[String: Any]])?.first)
            #expect(row["limited_to"] as? [String] == ["nginx"] && row["left_out"] as? [String] == ["blog", "shop"], "\(row)")
            try cluster.deploy("--limit", "*/nginx").require(0)
            #expect(try content(host, "nginx") == "two\n")
            #expect(try content(host, "blog") == "one\n")
            #expect(try host.run("systemctl show -P InvocationID blog.service") == blogID)
            #expect(try !host.run("ls /var/lib/deptool/apps").contains("shop"))

            // The undeployed changes are known, here and elsewhere, and the host matches its record.
            let undeployed = "Undeployed changes:\n    web1: ~ blog, + shop\n"
            #expect(try cluster.deptool("status", "--offline").text.hasPrefix(undeployed))
            try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(
                try cluster.deptool("plan", "--limit", "web1/nginx").require(0).text
                    == "Nothing to do: web1/nginx in cluster 'prod' matches the config tree.\n")
            let other = try Cluster(site, of: "Bea")
            try other.run("cp -r '\(cluster.directory)/prod/.' prod/")
            try other.deptool("sync", "--ssh-config", other.sshConfiguration).require(0)
            #expect(try other.deptool("status", "--offline").text.hasPrefix(undeployed))
            #expect(try other.deptool("plan").require(0).text == cluster.deptool("plan").require(0).text)

            // The rest follows; then nginx alone goes back over that deploy, and comes again.
            try cluster.deploy("--limit", "web1/blog,web1/shop").require(0)
            #expect(try cluster.deptool("plan").require(0).text.hasPrefix("Nothing to do: every host"))
            _ = try undo("--limit", "web1/nginx")
            #expect(try ["blog", "nginx", "shop"].map { try content(host, $0) } == ["two\n", "one\n", "two\n"])
            #expect(try cluster.deptool("status", "--offline").text.hasPrefix("Undeployed changes:\n    web1: ~ nginx\n"))
            let again = try cluster.deptool("plan").require(0).text
            #expect(again.contains(#/update nginx \(again: [0-9a-f]{10} is the undo of it\)\n/#), "\(again)")
            _ = try undo("--limit", "web1/nginx")
            #expect(try content(host, "nginx") == "two\n")
            // The last deploy of all was that undo.
            _ = try undo()
            #expect(try ["blog", "nginx", "shop"].map { try content(host, $0) } == ["two\n", "one\n", "two\n"])
            try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).require(0)
        }

        @Test func `an app goes back to content that the host no longer keeps`() throws {
            let host = try site.boot()
            try cluster.write("web1/app/conf", "one\n")
            try cluster.write("web1/rest/conf", "1\n")
            try cluster.deploy().require(0)
            try cluster.write("web1/app/conf", "two\n")
            try cluster.deploy().require(0)
            for number in 2...4 {
                try cluster.write("web1/rest/conf", "\(number)\n")
                try cluster.deploy().require(0)
            }
            _ = try undo("--limit", "web1/app")
            #expect(try content(host, "app") == "one\n")
            #expect(try content(host, "rest") == "4\n")
        }

        @Test func `a plan file of an app is carried out by another operator`() throws {
            let host = try site.boot()
            for app in ["a", "b"] { try cluster.write("web1/\(app)/conf", "one\n") }
            try cluster.deploy().require(0)
            for app in ["a", "b"] { try cluster.write("web1/\(app)/conf", "two\n") }
            let plan = try cluster.deptool("plan", "--limit", "web1/a", "--out", "a.plan").require(0).text
            let other = try Cluster(site, of: "Bea")
            try other.run("cp '\(cluster.directory)/a.plan' .")
            try other.deptool("sync", "a.plan", "--ssh-config", other.sshConfiguration).require(0)
            // Without the tree, other differences are unknown.
            #expect(plan.hasPrefix(try other.deptool("plan", "a.plan").require(0).text))
            try other.run("cp -r '\(cluster.directory)/prod/.' prod/")
            #expect(try other.deptool("plan", "a.plan").require(0).text == plan)
            try other.deploy("a.plan").require(0)
            #expect(try ["a", "b"].map { try content(host, $0) } == ["two\n", "one\n"])
            #expect(try other.deptool("status", "--offline").text.hasPrefix("Undeployed changes:\n    web1: ~ b\n"))
            // The store that made it learns that somebody was faster.
            let late = try cluster.deploy("a.plan").require(1)
            #expect(late.text.contains("  web1: somebody else deployed to it since\n"), "\(late)")
        }

        @Test func `a dependency on another app is an error that names it`() throws {
            let host = try site.boot()
            try cluster.write("web1/a/file", "a\n")
            try cluster.write("web1/a/manifest.json", #"{"symlinks": {"/etc/moved": "file"}}"#)
            try cluster.write("web1/b/file", "b\n")
            try cluster.deploy().require(0)
            try cluster.write("web1/b/manifest.json", try cluster.read("web1/a/manifest.json"))
            try cluster.remove("web1/a/manifest.json")
            #expect(
                try cluster.deploy("--limit", "web1/b").require(1).errors == """
                    Error: prod/web1/b/manifest.json: the link '/etc/moved' is also claimed by the app 'a'
                    `--limit` leaves the other apps of web1 as they are deployed. Deploy apps that depend on each other together. \
                    Changes left out: web1/a

                    """)
            try cluster.deploy("--limit", "web1/b,web1/a").require(0)
            #expect(try host.read("/etc/moved") == "b\n")
            for command in ["plan", "undo"] {
                let output = try cluster.deptool(command, "--limit", "web1/bb").require(1)
                #expect(
                    output.errors == "Error: no app matches 'web1/bb'\nDid you mean 'web1/b'? The apps there are: a, b\n", "\(output)")
            }
            let status = try cluster.deptool("status", "--limit", "web1/b").require(1)
            #expect(
                status.errors
                    == "Error: no host matches 'web1/b'\nDid you mean 'web1'? The hosts are: web1\nThis command takes hosts, no apps of them.\n",
                "\(status)")
            let repair = try cluster.deploy("--repair", "--limit", "web1/b").require(1)
            #expect(repair.errors == "Error: `--repair` repairs hosts, not single apps\nName hosts with `--limit`.\n", "\(repair)")
        }
    }
}
