import Foundation
import Testing

extension EndToEnd {
    /// A deploy that is cut off in the middle ends in the old state, and leaves no lock.
    @Suite final class InterruptionTests {
        let site: Site
        let cluster: Cluster
        let host: Host
        let before: String
        let references: String

        /// With a first version deployed, and one with a slow unit in the tree.
        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            host = try site.boot()
            try cluster.addService("web", on: "web1")
            try cluster.addService("gone", on: "web1")
            try cluster.deploy().require(0)
            before = try host.snapshot()
            references = try cluster.references()
            try cluster.addService("web", on: "web1", before: "/bin/sleep 30")
            try cluster.addService("new", on: "web1")
            try cluster.remove("web1/gone")
        }

        /// Starts to deploy, and returns when the unit is being restarted.
        private func startDeploy() throws -> Program {
            let deploy = try cluster.startDeploy()
            try deploy.expect("starting new.service\n")
            try host.wait(for: "systemctl is-active web | grep -q activating")
            #expect(try host.isLocked)
            #expect(try host.snapshot() != before)
            return deploy
        }

        private func expectOldState(sourceLocation: SourceLocation = #_sourceLocation) throws {
            expect(try host.snapshot(), is: before, sourceLocation: sourceLocation)
            #expect(try host.state(of: "web") == "active", sourceLocation: sourceLocation)
            #expect(try host.state(of: "gone") == "active", sourceLocation: sourceLocation)
            #expect(try host.state(of: "new") == "inactive", sourceLocation: sourceLocation)
            #expect(try host.enablement(of: "web") == "enabled", sourceLocation: sourceLocation)
            #expect(try cluster.references() == references, sourceLocation: sourceLocation)
            #expect(try host.isLocked == false, sourceLocation: sourceLocation)
            #expect(
                try host.run("cd /var/lib/deptool/store && ls -d journal undo 2>&-; true") == "", sourceLocation: sourceLocation)
            #expect(try host.run("systemctl is-system-running || true") == "running\n", sourceLocation: sourceLocation)
        }

        private func expectDeployable() throws {
            try cluster.addService("web", on: "web1")
            try cluster.deploy().require(0)
            #expect(try host.state(of: "new") == "active")
        }

        private let isRolledBack = "The previous state is back.\n\nRolled back 1 host, in N s.\n"

        private let hostIsFree = "flock --nonblock /var/lib/deptool/store/lock true"

        /// An agent first undoes an interrupted deploy. The other operator changes nothing.
        private func recover() throws {
            let other = try Cluster(site, of: "Bob")
            try other.write("web1/other/file", "")
            try other.deploy().require(1)
        }

        @Test func `after the agent was killed, the next one recovers before anything else`() throws {
            let deploy = try startDeploy()
            try host.killAgents()
            let output = try deploy.finish()
            #expect(output.code == 5)
            expect(
                output.stable.split(separator: "\n\n").suffix(2).joined(separator: "\n\n"),
                is: """
                    web1: The connection to web1 broke while Deptool was transferring data.
                    The host rolls back by itself unless the deploy was complete. `deptool deploy` finds out which it was.

                    Lost the connection to 1 host, in N s.

                    """)
            #expect(try host.snapshot() != before)
            // Nothing calls that up to date.
            #expect(try cluster.deptool("plan").text.hasPrefix("web1\n    remove gone\n"))
            #expect(try cluster.deptool("status", "--offline").text.hasSuffix(": - gone, + new, ~ web\n"))
            try recover()
            try expectOldState()
            #expect(try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration).require(0).text.contains(", as known\n"))
            #expect(try cluster.deptool("plan").text.hasPrefix("web1\n    remove gone\n"))
            try expectDeployable()
        }

        @Test func `the listening process undoes the steps after the other is killed`() throws {
            let deploy = try startDeploy()
            try host.run("kill -9 \(try #require(host.agents().last))")
            let output = try deploy.finish()
            #expect(output.code == 3)
            #expect(output.stable.hasSuffix("\nweb1: the agent was killed\n" + isRolledBack), "\(output)")
            try expectOldState()
            try expectDeployable()
        }

        @Test func `the steps are undone after the listening process is killed`() throws {
            let deploy = try startDeploy()
            try host.run("kill -9 \(try #require(host.agents().first))")
            #expect(try deploy.finish().code == 5)
            try host.wait(for: hostIsFree)
            #expect(try host.state(of: "web") == "active")
            #expect(try host.state(of: "new") == "inactive")
            // Only the new files are there still, where nothing refers to them, until the next agent starts.
            try recover()
            try expectOldState()
        }

        @Test func `the host rolls back by itself after the tool is killed`() throws {
            let deploy = try startDeploy()
            deploy.signal(SIGKILL)
            #expect(try deploy.finish().code == 137)
            try host.wait(for: hostIsFree)
            try expectOldState()
            #expect(try host.outcomes() == ["deployed", "rolled-back"])
            try expectDeployable()
        }

        @Test func `the host rolls back by itself after the connection is cut`() throws {
            let deploy = try startDeploy()
            try host.run("pkill -KILL -f '^sshd(-session)?: root@notty'")
            #expect(try deploy.finish().code == 5)
            try host.wait(for: hostIsFree)
            try expectOldState()
        }

        /// Ways in which all that hangs on a login ends.
        enum EndOfLogin: String, CaseIterable {
            case scope = "systemctl kill --signal=KILL $(systemctl list-units --plain --no-legend 'session-*.scope' | cut -d ' ' -f 1)"
            case user = "loginctl terminate-user LOGIN"
            case servers = "pkill -KILL sshd"
        }

        @Test(arguments: Torture.isWhole ? EndOfLogin.allCases : [.scope, .user], Torture.isWhole ? ["root", "operator"] : ["operator"])
        func `the host rolls back by itself after the login ends`(end: EndOfLogin, login: String) throws {
            try cluster.write(outside: "ssh_config", "User \(login)\nInclude \(site.lab)/ssh_config\n")
            cluster.sshConfiguration = "\(cluster.directory)/ssh_config"
            let deploy = try startDeploy()
            try host.run(end.rawValue.replacing("LOGIN", with: login))
            #expect(try deploy.finish().code == 5)
            try host.wait(for: hostIsFree)
            #expect(try host.state(of: "web") == "active")
            #expect(try host.state(of: "new") == "inactive")
            // sudo passes SIGTERM on to the process that listens, which then leaves the new files behind.
            try host.wait(for: "pgrep -x sshd && systemctl is-active ssh")
            try recover()
            try expectOldState()
            try expectDeployable()
        }

        @Test func `Ctrl-C rolls back and reports it`() throws {
            cluster.environment["NO_COLOR"] = "1"
            let deploy = try cluster.startAsking()
            try deploy.expect("[y/N/d] ")
            deploy.type(line: "y")
            try deploy.expect("starting new.service\n")
            deploy.type("\u{3}")
            try deploy.expect("Giving up: hosts that were being changed roll back. Ctrl-C again leaves at once.\n")
            let output = try deploy.finish()
            #expect(output.code == 3)
            #expect(output.stable.hasSuffix("\nweb1: cancelled by the operator\n" + isRolledBack), "\(output)")
            try expectOldState()
        }

        @Test func `after a second Ctrl-C the host still rolls back`() throws {
            let deploy = try cluster.startAsking()
            try deploy.expect("[y/N/d] ")
            deploy.type(line: "y")
            try deploy.expect("starting new.service")
            deploy.type("\u{3}")
            try deploy.expect("Giving up")
            deploy.type("\u{3}")
            #expect(try deploy.finish().code == 130)
            try host.wait(for: hostIsFree)
            try expectOldState()
        }

        /// A sleeping client: its connection is open and silent.
        @Test(.enabled(if: Torture.isWhole, "the host waits for a minute"))
        func `the host rolls back by itself while the tool is frozen`() throws {
            try cluster.addService("web", on: "web1", before: "/bin/sleep 85")
            let deploy = try startDeploy()
            deploy.signal(SIGSTOP)
            try host.wait(for: hostIsFree, within: .seconds(120))
            try expectOldState()
            #expect(try host.outcomes() == ["deployed", "rolled-back"])
            // Awake again, it gets the report.
            deploy.signal(SIGCONT)
            let output = try deploy.finish()
            #expect(output.code == 3, "\(output)")
            try expectOldState()
            try expectDeployable()
        }

        @Test func `a host that vanishes is given up`() throws {
            let deploy = try startDeploy()
            try site.kill(host)
            let output = try deploy.finish(within: .seconds(60))
            #expect(output.code == 5)
            #expect(output.stable.hasSuffix("\n\nLost the connection to 1 host, in N s.\n"), "\(output)")
        }

        @Test func `after power loss the host recovers when it boots`() throws {
            let deploy = try startDeploy()
            try site.kill(host)
            deploy.signal(SIGKILL)
            _ = try deploy.finish()
            try site.start(host)
            try host.wait(for: hostIsFree)
            try expectOldState()
            try expectDeployable()
        }
    }
}
