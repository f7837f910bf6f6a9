import Foundation
import Testing

extension EndToEnd {
    /// Mistakes of the Deptool written in Rust, observed on real hosts (Manual/coming-from-deptool-rs.md). Each test goes
    /// through several of them, so that they share a host.
    @Suite final class KnownMistakesTests: OneHost {
        // MARK: Files and links

        @Test func `files always exist, are whole, and none are lost`() throws {
            try aCutUploadLeavesNoAgent()
            try withoutSystemdThereAreFilesAndLinks()
            try aReaderNeverMissesAFile()
            try noRoomForALinkUndoesWhatCameBefore()
            try whatTookTheLinksPlaceIsKept()
            try aWipedHostIsTakenOverAgain()
        }

        private func aCutUploadLeavesNoAgent() throws {
            try cluster.write("web1/app/file", "1\n")
            let lab = cluster.sshConfiguration
            let text = try String(contentsOfFile: lab, encoding: .utf8)
            // Enough to log in, and for half of the agent.
            let way = "ControlMaster no\n  ProxyCommand sh -c 'stdbuf -o0 head -c 200000 | ssh -F \(lab) -W %h:%p web1 | cat'"
            try cluster.write(outside: "cut_config", text.replacing("ControlMaster no", with: way))
            cluster.sshConfiguration = "\(cluster.directory)/cut_config"
            let output = try cluster.deploy()
            #expect(output.code == 1)
            #expect(output.text.contains("\n  web1: installing the agent\n"), "\(output)")
            #expect(output.text.hasSuffix("\nNothing was changed.\n"), "\(output)")
            #expect(
                try host.run("mkdir -p /var/lib/deptool/bin && cd /var/lib/deptool/bin && find . -name 'deptool-agent-*' ! -name '*.*.*.*'")
                    == "")
            cluster.sshConfiguration = lab
            try cluster.deploy().require(0)
            #expect(try host.run("ls -A /var/lib/deptool/bin | wc -l") == "1\n")
        }

        /// sd_booted(3) shows whether systemd is the init.
        private func withoutSystemdThereAreFilesAndLinks() throws {
            try host.run("mv /run/systemd/system /run/systemd/hidden")
            try cluster.addService("plain", on: "web1")
            // A unit that cannot be started is not passed over in silence.
            #expect(try cluster.deploy().require(1).text.contains("\n  web1: has no systemd to run plain.service\n"))
            try cluster.write("web1/plain/manifest.json", #"{"symlinks": {"/etc/plain": "manifest.json"}}"#)
            try cluster.deploy().require(0)
            try host.run("mv /run/systemd/hidden /run/systemd/system")
            expect(try host.links(), is: "/etc/plain -> apps/plain/current/manifest.json")
            #expect(try host.run("stat -c %F /etc/systemd/system/plain.service") == "regular file\n")
            #expect(try host.state(of: "plain") == "inactive")
            try cluster.remove("web1/plain")
            try cluster.deploy().require(0)
            #expect(try host.links() == "")
            #expect(try host.attempt("ls /etc/systemd/system/plain.service").code != 0)
        }

        private func aReaderNeverMissesAFile() throws {
            func set(_ number: Int) throws {
                for file in ["a", "b"] { try cluster.write("web1/app/\(file)", "\(number) \(file)\n") }
                let source = number % 2 == 0 ? "a" : "b"
                try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/turning": "\#(source)", "/etc/steady": "a"}}"#)
                try cluster.deploy().require(0)
            }
            try set(0)
            // Builtins only: thousands of looks in each moment.
            try host.write(
                "/root/reader",
                """
                reads=0
                while [ ! -e /run/stop ]; do
                    for file in /etc/turning /etc/steady /var/lib/deptool/apps/app/current/b; do
                        line=; read -r line <$file && [ "${line#[0-9] [ab]}" = "" ] || echo "missed $file: $line"
                        reads=$((reads + 1))
                    done
                done
                [ $reads -gt 3000 ] || echo "only $reads reads"
                echo done
                """)
            try host.run("systemd-run --quiet --unit=reader --property=StandardOutput=file:/root/seen sh /root/reader")
            try host.wait(for: "systemctl is-active --quiet reader")
            for number in 1...6 { try set(number) }
            try host.run("touch /run/stop")
            try host.wait(for: "grep -q done /root/seen")
            #expect(try host.read("/root/seen") == "done\n")
        }

        private func noRoomForALinkUndoesWhatCameBefore() throws {
            // Room for two links, not for three.
            try host.run("mkdir /mnt/small && mount -t tmpfs -o nr_inodes=3 none /mnt/small")
            let before = try host.snapshot()
            for name in ["one", "two", "three"] {
                try cluster.write("web1/link-\(name)/file", "")
                try cluster.write("web1/link-\(name)/manifest.json", #"{"symlinks": {"/mnt/small/\#(name)": "file"}}"#)
            }
            try cluster.write("web1/app/a", "new\n")
            let output = try cluster.deploy()
            #expect(output.code == 3)
            #expect(output.text.contains("no space left on the disk"), "\(output)")
            expect(try host.snapshot(), is: before)
            #expect(try host.run("ls -A /mnt/small") == "")
            // With less, there is room.
            try cluster.remove("web1/link-one")
            try cluster.deploy().require(0)
            #expect(try host.run("ls -A /mnt/small") == "three\ntwo\n")
            for name in ["two", "three"] { try cluster.remove("web1/link-\(name)") }
            try cluster.deploy().require(0)
        }

        private func whatTookTheLinksPlaceIsKept() throws {
            let replace = "rm /etc/steady && echo mine >/etc/steady"
            try host.run(replace)
            // A change elsewhere in the app does not touch it.
            try cluster.write("web1/app/a", "newer\n")
            try cluster.deploy().require(0)
            #expect(try host.read("/etc/steady") == "mine\n")
            // Turned elsewhere, the link would take its place.
            let manifest = try cluster.read("web1/app/manifest.json")
            try cluster.edit("web1/app/manifest.json", replacing: #""/etc/steady": "a""#, with: #""/etc/steady": "b""#)
            let refused = try cluster.deploy()
            #expect(refused.code == 1)
            #expect(refused.text.contains("/etc/steady is a file that is not Deptool's"), "\(refused)")
            #expect(try host.read("/etc/steady") == "mine\n")
            // Gone from the tree, nothing is to be done here.
            try cluster.write("web1/app/manifest.json", manifest.replacing(#", "/etc/steady": "a""#, with: ""))
            try cluster.deploy().require(0)
            #expect(try host.read("/etc/steady") == "mine\n")

            let unit = "/etc/systemd/system/ours.service"
            try host.write(unit, "[Service]\nExecStart=/bin/echo administrator\n")
            let before = try host.snapshot()
            try cluster.addService("ours", on: "web1")
            let second = try cluster.deploy()
            #expect(second.code == 1)
            #expect(second.text.contains("\(unit) is a file that is not Deptool's"), "\(second)")
            expect(try host.snapshot(), is: before)
            try cluster.remove("web1/ours")
        }

        private func aWipedHostIsTakenOverAgain() throws {
            try cluster.addService("web", on: "web1", run: "/bin/true")
            try cluster.write("web1/web/public/index.html", "<p>\n")
            try cluster.edit("web1/web/manifest.json", replacing: "}}", with: #"}, "symlinks": {"/srv/web": "public"}}"#)
            try cluster.deploy().require(0)
            let links = try host.links()
            try host.run("rm -rf /var/lib/deptool")
            let sync = try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(sync.text.hasPrefix("  web1: nothing is deployed any more, it was "), "\(sync)")
            #expect(try cluster.deptool("plan").text.hasPrefix("web1 (new host)\n    add app\n"))
            #expect(try cluster.deptool("status", "--offline").text == "Undeployed changes:\n    web1: new host\n")
            try cluster.deploy().require(0)
            #expect(try host.read("/srv/web/index.html") == "<p>\n")
            #expect(try host.links() == links)
            #expect(try host.state(of: "web") == "active")
        }

        // MARK: Units

        @Test func `units are judged by their result, and stop before their files are removed`() throws {
            try appsOfAFailedFirstDeployDoNotStay()
            try aOneshotThatEndedIsWell()
            try aCrashLoopIsNoSuccess()
            try unitsSeeTheirFilesWhenTheyStop()
            #expect(try host.run("systemctl is-system-running || true") == "running\n")
        }

        private func write(unit: String, of app: String, _ settings: String) throws {
            try cluster.write("web1/\(app)/manifest.json", #"{"systemd": {"units_enabled": ["\#(unit)"]}}"#)
            try cluster.write("web1/\(app)/systemd/\(unit)", settings + "\n[Install]\nWantedBy=multi-user.target\n")
        }

        private func appsOfAFailedFirstDeployDoNotStay() throws {
            try cluster.addService("good", on: "web1")
            try cluster.addService("ill", on: "web1", run: "/bin/false")
            #expect(try cluster.deploy().code == 3)
            try cluster.remove("web1/good")
            try cluster.addService("ill", on: "web1")
            try cluster.deploy().require(0)
            #expect(try host.run("ls /var/lib/deptool/apps") == "ill\n")
            #expect(try host.links().contains("good") == false)
            #expect(try host.run("systemctl show --value -p LoadState good") == "not-found\n")
        }

        private func aOneshotThatEndedIsWell() throws {
            try write(unit: "once.service", of: "once", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo once >>/run/once'")
            try cluster.deploy().require(0)
            #expect(try host.state(of: "once") == "inactive")
            try cluster.write("web1/once/more", "")
            try cluster.deploy().require(0)
            #expect(try host.read("/run/once") == "once\nonce\n")
        }

        private func aCrashLoopIsNoSuccess() throws {
            for (pause, start) in [("0", "/bin/false"), ("10ms", "/bin/sh -c 'exec sleep 0.05'")] {
                try write(
                    unit: "loop.service", of: "loop",
                    """
                    [Unit]
                    StartLimitBurst=3
                    StartLimitIntervalSec=1h
                    [Service]
                    ExecStart=\(start)
                    Restart=always
                    RestartSec=\(pause)
                    """)
                let output = try cluster.deploy()
                #expect(output.code == 3)
                #expect(output.text.contains("\n  web1: rolled back: unit loop.service "), "\(output)")
                #expect(try host.run("systemctl show --value -p LoadState loop") == "not-found\n")
            }
            try cluster.remove("web1/loop")
        }

        private func unitsSeeTheirFilesWhenTheyStop() throws {
            try write(
                unit: "polite.service", of: "polite",
                """
                [Service]
                ExecStart=/bin/sleep 1d
                ExecStop=/bin/sh /var/lib/deptool/apps/polite/current/stop
                """)
            try cluster.write("web1/polite/stop", "cat /var/lib/deptool/apps/polite/current/words >>/run/words\n")
            try cluster.write("web1/polite/words", "see you\n")
            try cluster.deploy().require(0)
            // Out of the manifest, and its files with it; then back, and the whole app goes.
            let manifest = try cluster.read("web1/polite/manifest.json")
            for file in ["stop", "words", "manifest.json"] { try cluster.remove("web1/polite/\(file)") }
            try cluster.deploy().require(0)
            #expect(try host.read("/run/words") == "see you\n")
            try cluster.write("web1/polite/manifest.json", manifest)
            try cluster.write("web1/polite/stop", "cat /var/lib/deptool/apps/polite/current/words >>/run/words\n")
            try cluster.write("web1/polite/words", "goodbye\n")
            try cluster.deploy().require(0)
            try cluster.remove("web1/polite")
            try cluster.deploy().require(0)
            #expect(try host.read("/run/words") == "see you\ngoodbye\n")
            #expect(try host.run("systemctl show --value -p LoadState polite") == "not-found\n")
        }
    }
}
