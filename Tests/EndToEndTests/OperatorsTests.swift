import Foundation
import Testing

extension EndToEnd {
    /// Two operators, each with a store of their own.
    @Suite final class OperatorsTests {
        let site: Site
        let ann, bob: Cluster
        let host: Host

        init() throws {
            site = try Site()
            (ann, bob) = (try Cluster(site, of: "Ann"), try Cluster(site, of: "Bob"))
            host = try site.boot()
        }

        @Test func `one of two concurrent deploys gets the lock, and the other names its holder`() throws {
            try ann.addService("slow", on: "web1", before: "/bin/sleep 2")
            try bob.addService("other", on: "web1")
            let deploy = try ann.startDeploy()
            try deploy.expect("starting slow.service\n")

            let refused = try bob.deploy()

            #expect(refused.code == 1)
            expect(
                refused.stable,
                is: """
                    web1 (new host)
                        add other
                            + manifest.json
                            + systemd/other.service
                            place unit other.service
                            reload systemd
                            enable unit other.service
                            start unit other.service (restart it if it runs with other files)

                      web1: connecting
                      web1: connected
                      web1: locking
                      web1: staging
                      web1: locked by Ann <ann@example.com>

                    web1: Ann <ann@example.com> is deploying to it. Wait until that is done, then run `deptool deploy` again.

                    Nothing was changed.

                    """)
            #expect(try bob.references() == "")
            try deploy.finish().require(0)
            expect(
                try host.apps(),
                is: """
                    slow/
                    slow/current -> v1
                    slow/v1/
                    slow/v1/manifest.json
                    slow/v1/systemd/
                    slow/v1/systemd/slow.service
                    """)
            #expect(try host.outcomes() == ["deployed"])
            #expect(try host.isLocked == false)
        }

        @Test func `a manifest edited on the host is read from its record`() throws {
            try ann.addService("app", on: "web1")
            try ann.deploy().require(0)
            try host.run("echo '{' >/var/lib/deptool/apps/app/current/manifest.json")
            try bob.addService("app", on: "web1")
            try bob.deptool("sync", "--ssh-config", bob.sshConfiguration).require(0)
            #expect(try bob.deptool("plan").require(0).text == nothingToDo)
            try bob.deptool("status", "--offline").require(0)
            #expect(try bob.deploy("--repair").require(0).text.contains("! manifest.json was edited"))
        }

        @Test func `an app with an unreadable past is deployed as a whole`() throws {
            try ann.addService("app", on: "web1", run: "/bin/true")
            try ann.deploy().require(0)
            let before = try host.invocation(of: "app.service")
            // As from a host that recorded no manifests.
            let manifest = try ann.run("git -C .deptool rev-parse main:web1/app/manifest.json").trimmingCharacters(in: .newlines)
            try ann.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": ["app.service"]}, "symlinks": {"/etc/app": "conf"}}"#)
            try ann.write("web1/app/conf", "new\n")
            try ann.run("rm -f .deptool/objects/\(manifest.prefix(2))/\(manifest.dropFirst(2)); rm -rf .deptool/tree-cache")
            try ann.deptool("status", "--offline").require(0)
            try ann.deptool("plan").require(0)
            #expect(try ann.deptool("plan").text.contains("    ! what is deployed cannot be read (the store does not have object "))
            try ann.deptool("sync", "--ssh-config", ann.sshConfiguration).require(0)
            try ann.deploy("--repair").require(0)
            #expect(try host.read("/etc/app") == "new\n")
            #expect(try host.invocation(of: "app.service") != before)
            #expect(try ann.deptool("plan").text == nothingToDo)
        }

        @Test func `a stale store is updated by a deploy, which changes nothing`() throws {
            try ann.write("web1/app/file", "one\n")
            try ann.deploy().require(0)
            try bob.write("web1/app/file", "one\n")
            // A fresh store learns of a host that is deployed to.
            let fresh = try bob.deploy()
            #expect(fresh.code == 1)
            #expect(fresh.text.contains("\n  web1: somebody else deployed to it since\n"))
            #expect(try bob.references() == (try ann.references()))
            #expect(try bob.deptool("plan").text == nothingToDo)

            try bob.write("web1/app/file", "two\n")
            try bob.deploy().require(0)
            let before = try host.snapshot()
            try ann.write("web1/app/file", "three\n")
            let stale = try ann.deploy()
            #expect(stale.code == 1)
            #expect(stale.errors == "")
            #expect(stale.stable.hasSuffix("\n\nNothing was changed.\n"), "\(stale)")
            expect(try host.snapshot(), is: before)
            #expect(try host.outcomes() == ["deployed", "deployed"])
            #expect(try ann.references() == (try bob.references()))
            expect(
                try ann.deptool("diff").text,
                is: """
                    --- web1/app/file
                    +++ web1/app/file
                    @@ -1 +1 @@
                    -two
                    +three

                    """)
            #expect(try ann.deptool("status", "--offline", "--all").text.contains(#/changes:\n    web1: ~ app\n(.|\n)*  Bob\n/#))
            try ann.deploy().require(0)
            #expect(try host.read("/var/lib/deptool/apps/app/current/file") == "three\n")
        }

        @Test func `at a terminal, the new plan is shown, with a new question`() throws {
            try ann.write("web1/app/file", "one\n")
            try ann.deploy().require(0)
            try bob.write("web1/app/file", "one\n")
            try bob.deploy().require(1)
            try bob.write("web1/app/file", "two\n")
            try bob.write("web1/extra/file", "")
            try bob.deploy().require(0)

            try ann.write("web1/app/file", "three\n")
            ann.environment["NO_COLOR"] = "1"
            let deploy = try ann.startAsking()
            try deploy.expect("web1\n    update app\n        ~ file\n\nApply to 1 host in cluster 'prod'? [y/N/d] ")
            deploy.type(line: "y")
            try deploy.expect(
                """
                The store is updated. The new plan:

                web1
                    update app
                        ~ file
                    remove extra
                        - file

                Apply to 1 host in cluster 'prod'? [y/N/d] \

                """.trimmingCharacters(in: .newlines))
            #expect(try host.outcomes() == ["deployed", "deployed"])
            deploy.type(line: "y")
            try deploy.finish().require(0)
            #expect(try host.apps().contains("extra") == false)
            #expect(try host.read("/var/lib/deptool/apps/app/current/file") == "three\n")
        }

        @Test func `a host receives only its own files`() throws {
            try ann.write("web1/app/file", "mine\n")
            try ann.write("web2/hidden-54321/key", "poison-12345\n")
            try ann.deploy("--limit", "web1").require(0)
            #expect(try host.attempt("grep -r -e poison-12345 -e hidden-54321 /var/lib/deptool").code == 1)
        }

        @Test func `a deploy notices a reinstalled host and deploys to it again`() throws {
            try ann.addService("app", on: "web1")
            try ann.deploy().require(0)
            try host.run(
                "systemctl disable --now app; rm -rf /var/lib/deptool /etc/systemd/system/app.service; systemctl daemon-reload")
            try ann.write("web1/app/more", "")
            try ann.deploy().require(1)
            #expect(try ann.deptool("plan").text.hasPrefix("web1 (new host)\n    add app\n"))
            try ann.deploy().require(0)
            #expect(try host.state(of: "app") == "active")
        }
    }

    /// One operator, or a runner, with several processes in one store.
    @Suite final class SharedStoreTests {
        private let site: Site
        private let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        @Test func `concurrent deploys to different hosts do not affect each other`() throws {
            let hosts = try site.boot(["web1", "web2"])
            for round in 1...12 {
                for host in hosts { try cluster.write("\(host.name)/app/file", "\(round)\n") }
                let deploys = try hosts.map { try cluster.startDeploy(["--limit", $0.name]) }
                for deploy in deploys {
                    let output = try deploy.finish()
                    #expect(output.code == 0, "\(output)")
                }
            }
            try expectWholeHistory(24)
            #expect(try cluster.deptool("plan").text == nothingToDo)
            #expect(try cluster.deptool("log", "-n", "100").text.split(separator: "\n").count { $0.hasSuffix(": done") } == 24)
        }

        @Test func `at least one of several concurrent deploys to a host succeeds, and the others change nothing`() throws {
            let host = try site.boot()
            for round in 1...8 {
                try cluster.write("web1/app/file", "\(round)\n")
                let deploys = try (0..<3).map { _ in try cluster.startDeploy() }
                let outputs = try deploys.map { try $0.finish() }
                #expect(outputs.contains { $0.code == 0 }, "\(outputs)")
                for output in outputs where output.code != 0 {
                    #expect(output.code == 1 && output.text.contains("Nothing was changed."), "\(output)")
                    #expect(!output.errors.contains("another process"), "\(output)")
                }
                #expect(try host.read("/var/lib/deptool/apps/app/current/file") == "\(round)\n")
                #expect(try cluster.deptool("plan").text == nothingToDo)
            }
        }

        /// So many deploys were made, each a child of the one before, and each in the history.
        private func expectWholeHistory(_ count: Int) throws {
            let commits = try cluster.run("git -C .deptool rev-list main").split(separator: "\n")
            #expect(commits.count == count)
            let noted = try cluster.run("cut -f 1,3 .deptool/history | sed -n 's/^deploy\t//p'").split(separator: "\n")
            #expect(noted.count == count && Set(noted) == Set(commits))
        }
    }
}
