import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Looking back and going back: `log`, `undo`, `diff A..B`, plans in files, and JSON.
    @Suite final class HistoryTests: OneHost {
        override init() throws {
            try super.init()
            try cluster.addService("clock", on: "web1")
            try cluster.write("web1/clock/conf", "one\n")
        }

        private var ssh: [String] { ["--ssh-config", cluster.sshConfiguration] }

        private func undo(_ arguments: String...) throws -> Output {
            try Program(
                [Tools.deptool, "undo", "--no-confirm"] + ssh + arguments, in: cluster.directory, environment: cluster.environment
            ).finish()
        }

        /// The commits that were deployed, the newest first.
        private func commits() throws -> [String] {
            try cluster.deptool("log").text.split(separator: "\n").filter { !$0.hasPrefix(" ") }.map { String($0.split(separator: " ")[2]) }
        }

        /// The log without times.
        private func log(_ arguments: String...) throws -> String {
            try Program([Tools.deptool, "log"] + arguments, in: cluster.directory, environment: cluster.environment)
                .finish().require(0).stable.replacing(/[0-9]{4}-[0-9-]{5} [0-9:]{5}/, with: "TIME")
        }

        @Test func `undo goes back and forth, sends nothing twice, and appears in the log`() throws {
            expect(try log(), is: "Nothing was deployed yet.\n")
            try cluster.deploy().require(0)
            try cluster.write("web1/clock/conf", "two\n")
            try cluster.deploy().require(0)

            let undone = try undo().require(0)

            expect(
                undone.stable.replacing(/[0-9]{4}-[0-9-]{5} [0-9:]{5}/, with: "TIME"),
                is: """
                    Undoes TIME  COMMIT  Ann  Deploy to 1 host

                    web1
                        update clock
                            ~ conf
                            restart unit clock.service (conf changed)

                      web1: connecting
                      web1: connected
                      web1: locking
                      web1: staging
                      web1: ready
                      web1: changing files and links
                      web1: restarting clock.service
                      web1: checking clock.service
                      web1: done

                    Deployed to 1 host in N s.

                    """)
            #expect(try host.read("/var/lib/deptool/apps/clock/current/conf") == "one\n")
            // The config tree is ahead now, as it was before.
            #expect(try cluster.deptool("status", "--offline").text == "Undeployed changes:\n    web1: ~ clock\n")
            try undo().require(0)
            #expect(try host.read("/var/lib/deptool/apps/clock/current/conf") == "two\n")
            #expect(try cluster.deptool("plan").text == nothingToDo)
            try undo("--to", try commits()[3]).require(0)
            #expect(try host.read("/var/lib/deptool/apps/clock/current/conf") == "one\n")
            expect(
                try log(),
                is: """
                    TIME  COMMIT  Ann  undo prod
                        web1  ~ clock: done
                    TIME  COMMIT  Ann  undo prod
                        web1  ~ clock: done
                    TIME  COMMIT  Ann  undo prod
                        web1  ~ clock: done
                    TIME  COMMIT  Ann  deploy prod
                        web1  ~ clock: done
                    TIME  COMMIT  Ann  deploy prod
                        web1  + clock: done

                    """)
            #expect(try log("-n", "1") == "TIME  COMMIT  Ann  undo prod\n    web1  ~ clock: done\n")
            // The host has the same in its own log.
            let own = try Program(
                [Tools.deptool, "log", "web1", "--remote"] + ssh, in: cluster.directory, environment: cluster.environment
            ).finish().require(0).text
            #expect(own.split(separator: "\n").dropFirst().map { String($0.split(separator: " ")[4]) } == (try commits()))
            // A host with junk in its log reports the other lines.
            try host.run("printf '\\033[2J junk\\n\\0\\377' >>/var/lib/deptool/store/log")
            let junk = try Program(
                [Tools.deptool, "log", "--host", "web1", "--remote"] + ssh, in: cluster.directory, environment: cluster.environment
            ).finish()
            #expect(junk == Output(code: 0, text: own, errors: ""))
        }

        @Test func `an undo sends no content that the previous version has`() throws {
            let content = String(repeating: "0123456789\n", count: 10_000)
            try cluster.write("web1/clock/large", content)
            try cluster.deploy().require(0)
            try cluster.write("web1/clock/large", content + "more\n")
            try cluster.deploy().require(0)
            let output = try undo("--json").require(0)
            let sent = try Schema().objects(output.text).compactMap { $0["total"] as? Int }
            #expect(sent == [0])
            // Content that was edited there is sent again.
            try host.run("cd /var/lib/deptool/apps/clock/previous && chmod u+w large && echo edited >large")
            try undo().require(0)
            #expect(try host.read("/var/lib/deptool/apps/clock/current/large") == content + "more\n")
        }

        @Test func `the undo of a first deploy can be undone`() throws {
            try cluster.write("web1/login/manifest.json", #"{"symlinks": {"/etc/issue.net": "text"}}"#)
            try cluster.write("web1/login/text", "hello\n")
            try host.run("rm -f /etc/issue.net")
            try cluster.deploy().require(0)
            let before = try host.state(of: "clock.service")
            let asked = try cluster.deptool("undo", "--ssh-config", cluster.sshConfiguration).require(1)
            let warning = """

                1 path goes, and nothing takes its place. Files from before the first deploy do not come back.
                `deptool forget web1` leaves everything there as it is.

                """
            #expect(asked.text.hasPrefix("Undoes ") && asked.text.contains(warning), "\(asked)")
            #expect(try host.state(of: "clock.service") == before)
            try undo().require(0)
            #expect(try host.apps() == "")
            #expect(try host.state(of: "clock.service") == "inactive")
            try undo().require(0)
            #expect(try host.state(of: "clock.service") == "active")
        }

        @Test func `the log has rollbacks, including those that the host made alone`() throws {
            try cluster.deploy().require(0)
            try cluster.addService("clock", on: "web1", run: "/bin/false")
            try cluster.deploy().require(3)
            expect(
                try log(),
                is: """
                    TIME  COMMIT  Ann  deploy prod
                        web1  ~ clock: rolled back: unit clock.service failed (exit-code, status 1)
                    TIME  COMMIT  Ann  deploy prod
                        web1  + clock: done

                    """)
            // Another operator's deploy is noted when it is found.
            let bob = try Cluster(site, of: "Bob")
            try bob.write("web1/other/file", "")
            try bob.deploy().require(1)
            try bob.deploy().require(0)
            try Program([Tools.deptool, "sync"] + ssh, in: cluster.directory, environment: cluster.environment).finish().require(0)
            #expect(try log("-n", "1", "web1") == "TIME  COMMIT  found on web1, instead of COMMIT\n")
            let refused = try undo("--limit", "web1").require(1)
            #expect(refused.errors.hasPrefix("Error: the previous state of web1 is unknown, because another store deployed to it\n"))
        }

        @Test func `deployed commits are compared, also by host and app`() throws {
            try cluster.deploy().require(0)
            try cluster.write("web1/clock/conf", "two\n")
            try cluster.write("web1/motd/text", "Hello\n")
            try cluster.deploy().require(0)
            let (new, old) = (try commits()[0], try commits()[1])
            expect(
                try cluster.deptool("diff", "\(old)..\(new)").require(0).text,
                is: """
                    --- web1/clock/conf
                    +++ web1/clock/conf
                    @@ -1 +1 @@
                    -one
                    +two
                    --- /dev/null
                    +++ web1/motd/text
                    @@ -0,0 +1 @@
                    +Hello

                    """)
            expect(
                try cluster.deptool("diff", "--stat", "\(new.prefix(6))..\(old.prefix(6))", "web1/motd").require(0).text,
                is: " web1/motd/text | +0 -1\n 1 file changed, 0 lines added, 1 line removed\n")
            #expect(try cluster.deptool("diff", "\(new)..\(new)").text == "No difference between \(new) and \(new).\n")
            #expect(try cluster.deptool("diff", "--exit-code", "\(old)..\(new)", "web1").code == 2)
            #expect(
                try cluster.deptool("diff", "0123..\(new)").require(1).errors
                    == "Error: the store has no commit '0123'\n`deptool log` lists the commits; four digits or more of one will do.\n")
        }

        @Test func `a plan in a file is carried out by another operator, once`() throws {
            try cluster.deploy().require(0)
            try cluster.write("web1/clock/conf", "two\n")
            #expect(try cluster.deptool("plan", "--out", "web.plan", "--exit-code").code == 2)
            // Bob has a store, but no tree.
            let bob = try Cluster(site, of: "Bob")
            let plan = "\(cluster.directory)/web.plan"
            let unsynced = try bob.deptool("deploy", plan).require(1)
            #expect(unsynced.errors.contains("starts from another state of web1: "))
            // Without a tree, the hosts are those of the plan, or those that he names.
            func sync(_ arguments: String...) throws -> Output {
                try Program([Tools.deptool, "sync"] + arguments + ssh, in: bob.directory, environment: bob.environment).finish()
            }
            #expect(try sync().errors.contains("there are no hosts in"))
            #expect(try sync("--limit", "web*").code == 1)
            #expect(try sync("--limit", "web1").require(0).text.contains("web1"))
            #expect(try sync(plan).require(0).text.contains("web1"))
            #expect(try bob.deptool("plan", plan).text == (try cluster.deptool("plan").text))
            try bob.write("web1/clock/conf", "")
            try sync().require(0)
            // His tree is another.
            #expect(try bob.deptool("deploy", plan).require(1).errors.contains(" differ for web1"))
            try FileManager.default.removeItem(atPath: "\(bob.directory)/prod")
            #expect(try bob.deptool("plan", plan).text == (try cluster.deptool("plan").text))

            let deploy = try Program(
                [Tools.deptool, "deploy", plan, "--no-confirm"] + ssh, in: bob.directory, environment: bob.environment
            ).finish().require(0)

            #expect(deploy.stable.hasSuffix("\n  web1: done\n\nDeployed to 1 host in N s.\n"))
            #expect(try host.read("/var/lib/deptool/apps/clock/current/conf") == "two\n")
            let again = try Program(
                [Tools.deptool, "deploy", plan, "--no-confirm"] + ssh, in: bob.directory, environment: bob.environment
            ).finish()
            #expect(again.code == 1)
            // If the store is out of date, the host reports it.
            let stale = try Program(
                [Tools.deptool, "deploy", plan, "--no-confirm"] + ssh, in: cluster.directory, environment: cluster.environment
            ).finish()
            #expect(stale.code == 1)
            #expect(stale.text.contains("web1: somebody else deployed to it since\n"))
            #expect(try host.outcomes() == ["deployed", "deployed"])
        }

        @Test func `all JSON output follows the schema`() throws {
            let schema = try Schema()
            func types(_ code: Int32, _ arguments: String...) throws -> [String] {
                let output = try Program(
                    [Tools.deptool] + arguments, in: cluster.directory, environment: cluster.environment
                ).finish()
                #expect(output.code == code, "\(arguments): \(output)")
                #expect(output.errors == "", "\(arguments)")
                return try schema.objects(output.text).compactMap { $0["type"] as? String }
            }
            let config = cluster.sshConfiguration
            func deploy(_ code: Int32, _ arguments: String...) throws {
                let output = try Program(
                    [Tools.deptool, "deploy", "--no-confirm", "--json"] + ssh + arguments, in: cluster.directory,
                    environment: cluster.environment
                ).finish()
                #expect(output.code == code, "\(output)")
                let objects = try schema.objects(output.text)
                #expect(objects.first?["type"] as? String == "plan")
                #expect(objects.last?["type"] as? String == "summary")
                #expect(objects.last?["exit"] as? Int == Int(code))
                #expect(objects.filter { $0["type"] as? String == "result" }.count == 1)
            }
            #expect(try types(0, "log", "--json") == ["log"])
            #expect(try types(0, "status", "--json", "--ssh-config", config) == ["status"])
            try cluster.write("web1/users/sysusers/app.conf", "u app - -\n")
            try cluster.write("web1/users/tmpfiles/app.conf", "d /run/app\n")
            try cluster.write("web1/motd/text", "Hello\n")
            try cluster.write("web1/motd/image", "\u{0}")
            try cluster.write("web1/motd/manifest.json", #"{"symlinks": {"/etc/motd.d/10-deptool": "text"}}"#)
            #expect(try types(0, "plan", "--json", "--guard", "always", "--atomic") == ["plan"])
            try deploy(0, "--guard", "always", "--atomic")
            #expect(try types(0, "plan", "--json") == ["plan"])
            try cluster.remove("web1/motd")
            try cluster.addService("clock", on: "web1", run: "/bin/false")
            #expect(try types(2, "diff", "--stat", "--json", "--exit-code") == ["diff"])
            try deploy(3)
            try cluster.remove("web1/clock")
            try deploy(0)
            #expect(try types(0, "undo", "--json", "--no-confirm", "--plan-only") == ["plan"])
            #expect(try types(0, "log", "--json") == ["log"])
            #expect(try types(0, "log", "--remote", "--json", "--ssh-config", config) == ["host-log"])
            #expect(try types(0, "status", "--json", "--ssh-config", config) == ["status"])
            #expect(try types(0, "sync", "--json", "--ssh-config", config) == ["sync"])
            #expect(try types(0, "ping", "-c", "3", "--json", "--ssh-config", config) == ["ping"])
            try host.run("rm -r /var/lib/deptool/store")
            #expect(try types(0, "sync", "--json", "--ssh-config", config) == ["sync"])
            #expect(try types(0, "log", "--json") == ["log"])
            // A host that is not there.
            try cluster.write("nowhere.invalid/app/file", "")
            #expect(try types(1, "ping", "-c", "3", "--json", "--ssh-config", config) == ["ping"])
            #expect(try types(1, "sync", "--json", "--ssh-config", config) == ["sync"])
            #expect(try types(1, "log", "nowhere.invalid", "--remote", "--json", "--ssh-config", config) == ["host-log"])
            try deploy(1, "--limit", "nowhere.invalid")
            // Mistakes are objects, too.
            #expect(try types(1, "plan", "--json", "--limit", "web") == ["error"])
            #expect(try types(1, "plan", "--json", "--jsno") == ["error"])
            #expect(try types(1, "plna", "--json") == ["error"])
            #expect(try types(1, "deploy", "--json") == ["error"])
            #expect(try types(1, "plan", "nowhere", "--json") == ["error"])
            #expect(try types(1, "undo", "--to", "0123", "--json", "--no-confirm") == ["error"])
        }
    }
}
