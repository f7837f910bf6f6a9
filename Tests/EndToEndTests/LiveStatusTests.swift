import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// `status --live`: how the hosts are.
    @Suite final class LiveStatusTests: OneHost {
        override init() throws {
            try super.init()
            cluster.environment["NO_COLOR"] = "1"
            try cluster.addService("clock", on: "web1")
            try cluster.deploy().require(0)
        }

        private func live(_ arguments: String...) throws -> Output {
            try Program(
                [Tools.deptool, "status", "--live", "--ssh-config", cluster.sshConfiguration] + arguments, in: cluster.directory,
                environment: cluster.environment
            ).finish()
        }

        @Test func `a host reports its load, its units and its commit`() throws {
            try host.run("systemd-run --unit=broken /bin/false; touch /run/reboot-required; systemctl stop clock")
            try host.wait(for: "systemctl is-failed broken")

            let text = try live().require(0).text.split(separator: "\n").map(String.init)

            #expect(
                text[0].contains(#/^web1\ \ up\ .+,\ load\ [0-9. ]+,\ memory\ [0-9]+%\ of\ [0-9.]+\ .B,\ (disk|/)\ [0-9]+%\ of\ /#),
                "\(text)")
            #expect(text[1].contains(/^    runs [0-9a-f]{10}, agent [0-9.]+-[0-9a-f]{10}$/), "\(text)")
            #expect(
                text[2...] == [
                    "    reboot required", "    clock  clock.service  inactive (dead)", "    failed units: broken.service",
                ])

            let object = try Schema().objects(live("--json").require(0).text)[0]
            let row = try #require((object["hosts"] as? [[String: Any]])?.first)
            #expect(row["reboot_required"] as? Bool == true)
            #expect(row["failed"] as? [String] == ["broken.service"])
            let unit = try #require((row["units"] as? [[String: Any]])?.first)
            #expect(unit["unit"] as? String == "clock.service" && unit["state"] as? String == "inactive")
            #expect(((row["memory"] as? [String: Any])?["total_bytes"] as? Int ?? 0) > 1 << 20)
        }

        @Test func `an unreachable host is reported beside the others`() throws {
            try cluster.write("web2/app/file", "one\n")
            try cluster.configure(("Host web1\n", "Host web2\n  HostName 127.0.0.1\n  Port 1\nHost web1\n"))
            let output = try live().require(1)
            #expect(output.text.hasPrefix("web1  up ") && output.text.hasSuffix("\nweb2  connection refused\n"), "\(output)")
            let rows = try #require(Schema().objects(live("--json").require(1).text)[0]["hosts"] as? [[String: Any]])
            #expect((rows[1]["error"] as? [String: Any])?["message"] as? String == "connection refused")
        }

        @Test func `watching uses one login until Ctrl-C, which is no error`() throws {
            let watch = try cluster.start("status", "--live", "--watch", "1", "--ssh-config", cluster.sshConfiguration, on: .terminal)
            try watch.expect("active (exited)")
            let logins = "journalctl -u ssh | grep -c Accepted"
            let before = try host.run(logins)
            try host.run("systemctl stop clock")
            try watch.expect("inactive (dead)")
            #expect(try host.run(logins) == before)
            // It comes back.
            try host.run("pkill -KILL -f '^sshd(-session)?: root@notty'")
            try watch.expect("web1  connection lost")
            try watch.expect("inactive (dead)")
            watch.type("\u{3}")
            #expect(try watch.finish().code == 0)
        }

        @Test func `on a terminal, the display is redrawn in place and fits`() throws {
            cluster.environment["NO_COLOR"] = nil
            let variables = cluster.environment.filter { $0.key != "TERM" }.map { "\($0)=\"\($1)\"" }.joined(separator: " ")
            let pane = try Pane(
                columns: 40, rows: 3,
                running:
                    "cd \(cluster.directory); exec env -i TERM=$TERM \(variables) \(Tools.deptool) status --live --watch 1 --ssh-config \(cluster.sshConfiguration)"
            )
            try pane.wait(for: "(2 more lines)\n")
            let narrow = try pane.look()
            #expect(narrow.contains(/^web1  up .{1,31}\n\(2 more lines\)\n$/), "\(narrow)")
            try pane.resize(columns: 100, rows: 24)
            try pane.wait(for: "\n    clock  clock.service  active (exited) for ")
            #expect(try pane.look().split(separator: "\n").count == 3)
        }

        @Test func `a host without systemd reports the rest`() throws {
            let host = try site.boot(["box1"], .busybox)[0]
            try cluster.write("box1/app/file", "one\n")
            let output = try live("--limit", host.name).require(0)
            #expect(output.text.contains(/^box1  up .+\n    nothing is deployed, agent .+\n$/), "\(output)")
        }
    }
}
