import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// `status`: the problems of hosts.
    @Suite final class StatusTests {
        let site: Site
        let cluster: Cluster
        let hosts: [Host]

        /// With an app deployed to four hosts.
        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            hosts = try site.boot(["web1", "web2", "web3", "web4"])
            for host in ["web1", "web2", "web3", "web4"] {
                try cluster.addService("clock", on: host)
                try cluster.write("\(host)/clock/conf", "one\n")
            }
            try cluster.deploy().require(0)
        }

        private func status(_ arguments: String...) throws -> Output {
            try Program(
                [Tools.deptool, "status", "--ssh-config", cluster.sshConfiguration] + arguments, in: cluster.directory,
                environment: cluster.environment
            ).finish()
        }

        /// The host's files, below Deptool's directory and in the store.
        private func state() throws -> String {
            try hosts[0].run("find /var/lib/deptool -not -path '*/bin*' -printf '%p %T@ %l\\n' | sort") + cluster.references()
        }

        @Test func `status lists every problem and counts the healthy hosts`() throws {
            #expect(try status().require(0).text == "4 hosts are well:\n    web1, web2, web3, web4\n")
            try hosts[0].run(
                "systemd-run --quiet --unit=broken /bin/false; until systemctl is-failed --quiet broken; do sleep 0.05; done; systemctl stop clock"
            )
            try hosts[1].run("echo edited >/var/lib/deptool/apps/clock/current/conf; touch /var/lib/deptool/apps/clock/current/added")
            try cluster.write("web4/clock/conf", "two\n")
            try cluster.write("web4/more/conf", "two\n")
            try cluster.deptool("hold", "web3", "--for", "8h", "--because", "new disk").require(0)
            let held = try cluster.deptool("hold").text.dropFirst("web3  held ".count)
            let units = "Units that are not well:\n    web1: clock.service is stopped, broken.service failed\n"
            let rest = "Held:\n    web3: \(held)\nUndeployed changes:\n    web4: ~ clock, + more\n"
            let before = try state()
            #expect(try status("--exit-code").require(2).text == "\(units)\n\(rest)\n1 host is well:\n    web2\n")
            let drift = "Changed on the host:\n    web2: clock: conf was edited; clock: added was added\n"
            expect(try status("--drift").require(0).text, is: "\(units)\n\(drift)\n\(rest)")
            #expect(try state() == before)

            // A held host may be down, another one may not.
            try site.kill(hosts[2])
            let down = try status().require(0)
            #expect(
                down.text.hasPrefix("Could not be asked:\n    web3: ")
                    && down.text.hasSuffix("\(units)\n\(rest)\n1 host is well:\n    web2\n"))
            try cluster.deptool("hold", "--release", "web3").require(0)
            #expect(try status().require(1).text.hasPrefix("Could not be asked:\n    web3: "))
            #expect(try status("--limit", "web2").require(0).text == "1 host is well:\n    web2\n")

            let object = try #require(Schema().objects(status("--drift", "--json").require(1).text).first)
            let rows = try #require(object["hosts"] as? [[String: Any]])
            #expect(rows.map { $0["well"] as? Bool } == [false, false, false, false])
            #expect(rows[0]["failed"] as? [String] == ["broken.service"])
            #expect((rows[0]["unwell"] as? [[String: Any]])?.map { $0["unit"] as? String } == ["clock.service"])
            #expect((rows[1]["drift"] as? [[String: Any]])?.count == 2 && rows[1]["held"] is NSNull)
            #expect(rows[2]["error"] is [String: Any] && rows[2]["failed"] is NSNull)
            #expect((rows[3]["changes"] as? [[String: Any]])?.count == 2)
        }

        @Test func `a finished oneshot is healthy, and status names a deploy of another operator`() throws {
            try cluster.write("web1/job/manifest.json", #"{"systemd": {"units_enabled": ["job.service"]}}"#)
            try cluster.write(
                "web1/job/systemd/job.service",
                "[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
            try cluster.deploy().require(0)
            #expect(try status().require(0).text == "4 hosts are well:\n    web1, web2, web3, web4\n")
            let other = try Cluster(site, of: "Bob")
            try other.run("cp -r '\(cluster.directory)/prod/.' prod/")
            try other.deptool("sync", "--ssh-config", other.sshConfiguration).require(0)
            try other.write("web2/clock/conf", "two\n")
            try other.deploy().require(0)
            try hosts[2].run("rm -r /var/lib/deptool/store")
            let text = try status().require(0).text
            #expect(
                text.contains(
                    #/^Somebody else deployed, or the host is new:\n    web2: runs [0-9a-f]{10}, not [0-9a-f]{10}\n    web3: nothing is deployed on it any more\n\n2 hosts are well:\n    web1, web4\n$/#
                ), "\(text)")
            try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(
                try status().text == "Undeployed changes:\n    web2: ~ clock\n    web3: new host\n\n2 hosts are well:\n    web1, web4\n")
        }

        @Test func `a mistake in the config tree hides no other finding`() throws {
            try hosts[0].run("systemctl stop clock")
            try cluster.write("web4/clock/manifest.json", "{")
            let mistake = "The config tree has a mistake, so changes are not known:\n    prod/web4/clock/manifest.json:1: "
            let text = try status().require(1).text
            #expect(
                text.hasPrefix(mistake) && text.contains("\n\nUnits that are not well:\n    web1: clock.service is stopped\n"), "\(text)")
            #expect(text.hasSuffix("\n3 hosts are well:\n    web2, web3, web4\n"), "\(text)")
            #expect(try status("--offline").require(1).text.hasPrefix(mistake))
            let object = try #require(Schema().objects(status("--json").require(1).text).first)
            #expect((object["mistake"] as? [String: Any])?["message"] is String)
            // Also one for which nothing of the tree can be read.
            try cluster.run("ln -s /etc/passwd prod/web4/clock/passwd")
            #expect(try status().require(1).text.contains("prod/web4/clock/passwd is a symlink that leads out of "))
            for command in ["ping", "sync"] {
                try cluster.deptool(command, "--ssh-config", cluster.sshConfiguration, "--limit", "web1").require(0)
            }
            #expect(try cluster.deptool("logs", "clock", "--ssh-config", cluster.sshConfiguration).require(0).text.contains("web1  20"))
        }

        @Test func `no command with --json asks a question, even at a terminal`() throws {
            try hosts[0].run("echo operator:letmein | chpasswd")
            try hosts[0].write("/etc/sudoers.d/operator", "operator ALL=(ALL) ALL\n")
            try cluster.configure(("User root", "User operator"))
            for command in [
                ["status", "--limit", "web1"], ["verify", "--limit", "web1"], ["import", "web1", "--list"], ["logs", "web1", "clock"],
            ] {
                let output = try Program(
                    [Tools.deptool] + command + ["--json", "--ssh-config", cluster.sshConfiguration], in: cluster.directory,
                    environment: cluster.environment, console: .terminal
                ).finish().require(1)
                #expect(!output.text.contains("Password of"), "\(output)")
                #expect(try !Schema().objects(output.text).isEmpty)
            }
        }

        @Test func `invalid combinations of options are errors`() throws {
            for arguments in [
                ["--live", "--drift"], ["--live", "--offline"], ["--live", "--all"], ["--live", "--exit-code"], ["--offline", "--drift"],
                ["--watch", "2"], ["--limit", "web9"],
            ] {
                try cluster.run("! '\(Tools.deptool)' status \(arguments.joined(separator: " ")) 2>errors; grep -q '^Error: ' errors")
            }
            try cluster.deptool("status", "nowhere").require(1)
        }
    }
}
