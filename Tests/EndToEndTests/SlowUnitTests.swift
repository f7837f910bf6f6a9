import Foundation
import Testing

extension EndToEnd {
    /// Units that take their time, or never get there.
    @Suite final class SlowUnitTests: OneHost {
        /// Gives the app `slow` a unit that is up at once, or one that never signals readiness, for which systemd would wait
        /// forever.
        private func addUnit(isReady: Bool, _ settings: String = "") throws {
            try cluster.write("web1/slow/manifest.json", #"{"systemd": {"units_enabled": ["slow.service"]}\#(settings)}"#)
            try cluster.write(
                "web1/slow/systemd/slow.service",
                """
                [Service]
                Type=\(isReady ? "exec" : "notify")
                TimeoutStartSec=infinity
                ExecStart=/bin/sleep infinity

                [Install]
                WantedBy=multi-user.target

                """)
        }

        private let hostIsFree = "flock --nonblock /var/lib/deptool/store/lock true"

        private func jobs() throws -> String { try host.run("systemctl list-jobs --no-legend") }

        @Test func `a unit that never becomes ready fails after the app's timeout`() throws {
            try addUnit(isReady: false, #", "timeout": 2"#)
            let output = try cluster.deploy()
            #expect(output.code == 3)
            let problem = "unit slow.service did not become ready within 2 s: it is activating (start)"
            #expect(output.text.contains("\n  web1: rolled back: \(problem)\n"), "\(output)")
            #expect(output.text.contains("\nweb1: \(problem); its last journal lines:\n    | "), "\(output)")
            #expect(
                output.text.contains(
                    "\nIf it needs more time, set it in the app's manifest.json: \"timeout\": 4\nThe previous state is back.\n"),
                "\(output)")
            #expect(try host.links() == "")
            #expect(try host.state(of: "slow") == "inactive")
            #expect(try jobs() == "")

            // The same where there is something to go back to.
            try addUnit(isReady: true)
            try cluster.deploy().require(0)
            let before = try host.snapshot()
            try addUnit(isReady: false, #", "timeout": 2"#)
            try cluster.deploy().require(3)
            expect(try host.snapshot(), is: before)
            #expect(try host.state(of: "slow") == "active")
            #expect(try jobs() == "")
        }

        @Test func `the operator sees which unit Deptool waits for, and can give up`() throws {
            try addUnit(isReady: false)
            let deploy = try cluster.startAsking()
            try deploy.expect("[y/N/d] ")
            deploy.type(line: "y")
            try deploy.expect("  web1: waiting for slow.service to become ready (1 s of 90 s)")
            try deploy.expect("  web1: waiting for slow.service to become ready (2 s of 90 s)")
            deploy.type("\u{3}")
            let output = try deploy.finish()
            #expect(output.code == 3)
            #expect(output.text.contains(": cancelled by the operator\nThe previous state is back.\n"), "\(output)")
            #expect(try host.links() == "")
            #expect(try host.isLocked == false)
            #expect(try jobs() == "")
        }

        @Test func `the lock does not wait for systemd after the tool is killed`() throws {
            try addUnit(isReady: true)
            try cluster.deploy().require(0)
            let before = try host.snapshot()
            try addUnit(isReady: false)
            let deploy = try cluster.startDeploy()
            try host.wait(for: "systemctl is-active slow | grep -q activating")
            deploy.signal(SIGKILL)
            #expect(try deploy.finish().code == 137)
            try host.wait(for: hostIsFree)
            expect(try host.snapshot(), is: before)
            #expect(try host.state(of: "slow") == "active")
            #expect(try jobs() == "")
        }

        @Test func `the next agent cancels the systemd jobs of a killed one`() throws {
            try addUnit(isReady: true)
            try cluster.addService("waits", on: "web1")
            try cluster.edit("web1/waits/systemd/waits.service", replacing: "[Service]", with: "[Unit]\nAfter=slow.service\n[Service]")
            try cluster.deploy().require(0)
            let before = try host.snapshot()
            try addUnit(isReady: false)
            try cluster.write("web1/waits/file", "")
            let deploy = try cluster.startDeploy()
            try host.wait(for: "systemctl is-active slow | grep -q activating")
            try host.killAgents()
            try deploy.finish().require(5)
            #expect(try jobs() != "")
            try cluster.deptool("ping", "--count", "1", "--ssh-config", cluster.sshConfiguration).require(0)
            expect(try host.snapshot(), is: before)
            #expect(try host.state(of: "slow") == "active")
            #expect(try host.state(of: "waits") == "active")
            #expect(try jobs() == "")
        }

        @Test func `a unit that does not stop in time keeps its app`() throws {
            try addUnit(isReady: true, #", "timeout": 1"#)
            try cluster.edit(
                "web1/slow/systemd/slow.service", replacing: "[Install]",
                with: "ExecStop=/bin/sleep infinity\nTimeoutStopSec=10\n\n[Install]")
            try cluster.deploy().require(0)
            let before = try host.snapshot()
            try cluster.remove("web1/slow")
            try cluster.write("web1/other/file", "")
            let output = try cluster.deploy()
            #expect(output.code == 3)
            #expect(
                output.text.contains("\n  web1: rolled back: unit slow.service did not stop within 1 s: it is deactivating (stop)\n"),
                "\(output)")
            expect(try host.snapshot(), is: before)
            #expect(try host.state(of: "slow") == "active")
        }

        @Test func `a unit is watched for the settle time of its app`() throws {
            // Up for longer than the default watch, then restarted by systemd.
            try addUnit(isReady: true, #", "settle": 3"#)
            try cluster.edit(
                "web1/slow/systemd/slow.service", replacing: "ExecStart=/bin/sleep infinity",
                with: "ExecStart=/bin/sh -c 'sleep 1; exit 7'\nRestart=always\nRestartSec=60")
            let output = try cluster.deploy()
            #expect(output.code == 3)
            #expect(output.text.contains("\n  web1: rolled back: unit slow.service crashed and is being restarted\n"), "\(output)")
            #expect(try host.links() == "")

            // One that stays up passes in the end, also with its own readiness signal.
            try addUnit(isReady: true, #", "settle": 1"#)
            try cluster.deploy().require(0)
        }
    }
}
