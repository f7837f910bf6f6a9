import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// The journals of several hosts in one stream.
    @Suite final class LogsTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        private func logs(_ arguments: String..., on console: Program.Console = .pipes) throws -> Program {
            try Program(
                [Tools.deptool, "logs", "--ssh-config", cluster.sshConfiguration] + arguments, in: cluster.directory,
                environment: cluster.environment, console: console)
        }

        /// A service that writes a line whenever something is put into its pipe.
        private func addTalker(on host: String) throws {
            try cluster.write("\(host)/talk/manifest.json", #"{"systemd": {"units_enabled": ["talk.service"]}}"#)
            try cluster.write(
                "\(host)/talk/systemd/talk.service",
                """
                [Service]
                ExecStart=/bin/sh -c 'rm -f /run/talk; mkfifo /run/talk; while :; do cat /run/talk; done'
                [Install]
                WantedBy=multi-user.target

                """)
        }

        private func say(_ text: String, on host: Host) throws {
            try host.run("until [ -p /run/talk ]; do sleep 0.05; done; printf '\(text)\\n' >/run/talk")
        }

        private let nobody = "pgrep -x journalctl >/dev/null || echo nobody"

        @Test func `lines of all hosts are merged by time, each with its host`() throws {
            let (one, other) = try site.boot("web1", "host2")
            for host in ["web1", "host2"] { try addTalker(on: host) }
            try cluster.write("web1/other/file", "")
            try cluster.deploy().require(0)
            for number in 0..<6 {
                let host = number % 2 == 0 ? one : other
                try say("line \(number)", on: host)
                try host.wait(for: "journalctl -u talk.service -o cat | grep -q 'line \(number)'")
            }
            let output = try logs("talk").finish().require(0)
            let lines = output.text.split(separator: "\n").filter { $0.contains("line ") }
            #expect(lines.map { String($0.suffix(6)) } == (0..<6).map { "line \($0)" }, "\(output)")
            for (number, line) in lines.enumerated() {
                let host = number % 2 == 0 ? "web1 " : "host2"
                let stamp = /\ \ 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  (sh|cat)\[\d+\]: line \d/
                #expect(line.hasPrefix(host) && line.dropFirst(5).wholeMatch(of: stamp) != nil, "\(line)")
            }
            // A unit is the same; hosts, patterns and numbers choose.
            #expect(try logs("talk.service").finish().require(0).text == output.text)
            #expect(try logs("web*", "talk", "-n", "1").finish().require(0).text.hasSuffix("line 4\n"))
            #expect(try logs("talk", "-n", "1").finish().require(0).text.split(separator: "\n").count == 2)
            #expect(try logs("talk", "-n", "0").finish().require(0).text == "")
            #expect(try logs("talk", "--since", "1 hour ago").finish().require(0).text == output.text)
            let last = try logs("talk", "--since", "1 hour ago", "-n", "1").finish().require(0).text
            #expect(last == (try logs("talk", "-n", "1").finish().require(0).text))
            let later = try logs("talk", "--since", "+1 hour").finish().require(0)
            #expect(later.text == "" && later.errors == "host2: no lines of 'talk'\nweb1: no lines of 'talk'\n")
            // So is a mistake in the name of a unit.
            try one.run("systemd-run --quiet --wait -u alone.service true")
            let alone = try logs("alone.service").finish().require(0)
            #expect(alone.text.contains("web1") && alone.errors == "host2: no lines of 'alone.service'\n", "\(alone)")
            let past = Int(Date().timeIntervalSince1970)
            try one.wait(for: "[ $(date +%s) -gt \(past) ]")
            try cluster.write("web1/talk/note", "restart\n")
            try cluster.deploy().require(0)
            try say("after", on: one)
            try one.wait(for: "journalctl -u talk.service -o cat | grep -q after")
            let since = try logs("web1", "talk", "--since", "deploy").finish().require(0).text
            #expect(since.contains("after\n") && !since.contains("line 4"), "\(since)")
            #expect(try one.run(nobody) == "nobody\n")
        }

        @Test func `log lines can neither control the terminal nor end the stream`() throws {
            let host = try site.boot()
            try addTalker(on: "web1")
            try cluster.deploy().require(0)
            for text in [
                #"\033[31mred"#, #"DEPTOOL-END 0"#, #"\303\050"#, #"1764455555.123456 fake[1]: x"#, #"\342\200\256over"#, #"tab\there"#,
                #"%%s %%n"#,
            ] { try say(text, on: host) }
            try host.run("dd if=/dev/zero bs=1000 count=200 2>/dev/null | tr '\\0' x >/run/talk; printf 'two\\n' | systemd-cat -t x")
            // One message of several lines, written to the journal's own socket.
            try host.run(
                #"perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0); $m = "first\nDEPTOOL-END 7\n1764455555.123456 fake[1]: y\nlast"; send(S, "SYSLOG_IDENTIFIER=multi\nOBJECT_SYSTEMD_UNIT=talk.service\nUNIT=talk.service\nPRIORITY=6\nMESSAGE\n" . pack("Q<", length $m) . "$m\n", 0, sockaddr_un("/run/systemd/journal/socket")) or die'"#
            )
            // An identifier of several lines, which journalctl prints unchanged.
            try host.run(
                #"perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0); $i = "x\nDEPTOOL-END 0\n"; send(S, "SYSLOG_IDENTIFIER\n" . pack("Q<", length $i) . "$i\nOBJECT_SYSTEMD_UNIT=talk.service\nUNIT=talk.service\nPRIORITY=6\nMESSAGE=forged\n", 0, sockaddr_un("/run/systemd/journal/socket")) or die'"#
            )
            try say("the end", on: host)
            try host.wait(for: "journalctl -u talk.service -o cat | grep -q 'the end'")
            let output = try logs("talk").finish().require(0)
            #expect(output.text.hasSuffix("the end\n"), "\(output)")
            #expect(output.text.utf8.allSatisfy { $0 == 10 || $0 >= 0x20 && $0 != 0x7f })
            #expect(!output.text.unicodeScalars.contains("\u{202e}"))
            #expect(output.text.split(separator: "\n").allSatisfy { $0.hasPrefix("web1  20") })
            #expect(output.text.contains("first\n") && output.text.contains("last\n"), "\(output)")
            #expect(output.text.contains(": DEPTOOL-END 0\n") && output.text.contains(": 1764455555.123456 fake[1]: x\n"), "\(output)")
        }

        @Test func `new lines are followed, also after a reboot, and no process stays behind`() throws {
            let (one, other) = try site.boot("web1", "web2")
            for host in ["web1", "web2"] { try addTalker(on: host) }
            try cluster.deploy().require(0)
            let follow = try logs("talk", "-f", on: .terminal)
            try say("first", on: one)
            try follow.expect("first\n")
            try say("second", on: other)
            try follow.expect("\u{1b}[")
            try follow.expect("second\n")
            try site.kill(other)
            try follow.expect(", trying again")
            try say("third", on: one)
            try follow.expect("third\n")
            try site.start(other)
            try follow.expect("connected again", within: .seconds(60))
            try say("fourth", on: other)
            try follow.expect("fourth\n")
            try say("fifth", on: one)
            try follow.expect("fifth\n")
            #expect(follow.text.components(separatedBy: "second").count == 2, "\(follow.text)")
            follow.signal(SIGINT)
            try follow.finish().require(0)
            for host in [one, other] { try host.wait(for: "[ \"$(\(nobody))\" = nobody ]") }
            // The same for one that is killed, and whose reader goes.
            let killed = try logs("talk", "-f")
            try killed.expect("fifth\n")
            killed.signal(SIGKILL)
            _ = try killed.finish()
            for host in [one, other] { try host.wait(for: "[ \"$(\(nobody))\" = nobody ]") }
            // Its reader goes after the last line.
            let piped = try cluster.startScript(
                "'\(Tools.deptool)' logs --ssh-config '\(cluster.sshConfiguration)' web1 talk -n 1 -f | { read line; sleep 1; }")
            try piped.finish().require(0)
            for host in [one, other] { try host.wait(for: "[ \"$(\(nobody))\" = nobody ]") }
        }

        @Test func `no line is repeated or lost with a lost connection, also from syslog`() throws {
            let host = try site.boot()
            try addTalker(on: "web1")
            // Of a message to the socket of syslog, journald keeps the sender's time, too, which is a little earlier than its own.
            try cluster.write(
                "web1/talk/speak",
                #"""
                use Socket;
                $| = 1;
                socket(S, AF_UNIX, SOCK_DGRAM, 0) or die;
                unlink "/run/talk"; system("mkfifo /run/talk") == 0 or die;
                while (1) {
                    open(F, "<", "/run/talk") or die;
                    while (<F>) {
                        chomp;
                        if (/[13579]-$/) { print "$_\n" } else { send(S, "<14>said: $_", 0, sockaddr_un("/dev/log")) or die }
                    }
                }
                """#)
            try cluster.edit(
                "web1/talk/systemd/talk.service",
                replacing: "/bin/sh -c 'rm -f /run/talk; mkfifo /run/talk; while :; do cat /run/talk; done'",
                with: "/usr/bin/perl /var/lib/deptool/apps/talk/current/speak")
            try cluster.deploy().require(0)
            let follow = try logs("talk", "-f")
            try say("zero", on: host)
            try follow.expect("zero\n")
            var number = 0
            for _ in 0..<5 {
                for _ in 0..<2 {
                    number += 1
                    try say("line-\(number)-", on: host)
                    try follow.expect("line-\(number)-\n")
                }
                // Its sessions end, and it is reachable again immediately.
                try host.run("pkill -KILL -f '^sshd(-session)?: root@notty'")
                number += 1
                try say("line-\(number)-", on: host)
                try follow.expect("line-\(number)-\n", within: .seconds(60))
            }
            follow.signal(SIGINT)
            let text = try follow.finish().require(0).text
            let lines = text.split(separator: "\n").filter { $0.contains(": line-") }
            #expect(lines.map { $0.split(separator: " ").last.map(String.init) } == (1...number).map { "line-\($0)-" }, "\(text)")
            #expect(text.contains("  said[") && text.contains("  perl["), "\(text)")
            // Also if there was no line before.
            let quiet = try logs("talk", "-f", "-n", "0")
            try host.wait(for: "pgrep -f '^journalctl .*-n 0 '")
            try host.run("pkill -KILL -f '^sshd(-session)?: root@notty'")
            try say("missed", on: host)
            try quiet.expect("missed\n", within: .seconds(60))
            quiet.signal(SIGINT)
            #expect(try quiet.finish().require(0).text.contains(": line-15-") == false)
        }

        @Test func `in JSON, each line and each event of a host is an object`() throws {
            let host = try site.boot("web1")
            for name in ["web1", "web2"] { try addTalker(on: name) }
            try cluster.deploy("--limit", "web1").require(0)
            try say(#"a "b""#, on: host)
            try host.wait(for: #"journalctl -u talk.service -o cat | grep -q 'a "b"'"#)
            try cluster.configure(("Host *", "Host web2\n  HostName 127.0.0.1\n  Port 1\nHost *"))
            let schema = try Schema()
            let output = try logs("talk", "--json").finish().require(1)
            let objects = try schema.objects(output.text)
            let line = try #require(
                objects.last { $0["type"] as? String == "log-line" && ($0["text"] as? String)?.contains("a \"b\"") == true })
            let time = try #require(line["time"] as? Int)
            #expect(line["host"] as? String == "web1" && abs(time - Int(Date().timeIntervalSince1970)) < 600 && output.errors == "")
            #expect((line["time_us"] as? Int).map { $0 / 1_000_000 } == time)
            #expect(objects.last?["type"] as? String == "log-state" && objects.last?["state"] as? String == "failed", "\(objects)")
            // A host without a deploy is named and left out.
            let since = try logs("talk", "--since", "deploy").finish().require(0)
            #expect(since.errors == "web2: left out, since the store has no deploy to it\n" && since.text.contains("web1  20"))
            let states = try schema.objects(logs("talk", "--since", "deploy", "--json").finish().require(0).text)
            #expect(states.first?["state"] as? String == "left-out" && states.first?["host"] as? String == "web2", "\(states)")
            let follow = try logs("web1", "talk", "-f", "--json")
            try follow.expect("a \\\"b\\\"")
            try host.run("pkill -KILL -f '^sshd(-session)?: root@notty'")
            try follow.expect(#""state":"lost""#)
            try follow.expect(#""state":"back""#, within: .seconds(60))
            follow.signal(SIGINT)
            #expect(try schema.objects(follow.finish().require(0).text).contains { $0["state"] as? String == "lost" })
        }

        @Test(arguments: ["libssh2", "openssh"]) func `logs work through sudo with a password, and no process stays behind`(
            transport: String
        ) throws {
            let host = try site.boot()
            try addTalker(on: "web1")
            try cluster.deploy().require(0)
            try say("hello", on: host)
            try host.run("echo operator:letmein | chpasswd")
            for defaults in ["Defaults use_pty", "Defaults !use_pty"] {
                try host.write("/etc/sudoers.d/operator", "\(defaults)\noperator ALL=(ALL) ALL\n")
                try cluster.configure(("User root", "User operator"))
                let follow = try logs("talk", "-f", "--transport", transport, on: .terminal)
                try follow.expect("Password of operator for sudo on web1: ")
                follow.type(line: "letmein")
                try follow.expect("hello\n")
                try say("again", on: host)
                try follow.expect("again\n")
                follow.signal(SIGINT)
                #expect(try follow.finish().require(0).text.contains("letmein") == false)
                try host.wait(for: "[ \"$(\(nobody))\" = nobody ]")
                #expect(try host.run("pgrep -u operator -f DEPTOOL || pgrep -x sudo || echo none") == "none\n")
            }
            let refused = try logs("talk", "--transport", transport).finish().require(1)
            #expect(refused.errors.hasPrefix("web1: ") && refused.errors.contains("sudo"), "\(refused)")
        }

        @Test func `an unreachable host does not hold up the others`() throws {
            _ = try site.boot("web1")
            for host in ["web1", "web2"] { try addTalker(on: host) }
            try cluster.deploy("--limit", "web1").require(0)
            try cluster.configure(("Host *", "Host web2\n  HostName 127.0.0.1\n  Port 1\nHost *"))
            let output = try logs("talk").finish().require(1)
            #expect(output.text.contains("web1  20") && output.errors.hasPrefix("web2: "), "\(output)")
            let bad = try logs("web1", "talk", "--since", "x y z").finish().require(1)
            #expect(bad.errors.hasPrefix("web1: journalctl failed with status 1 (Failed to parse timestamp"), "\(bad)")
        }

        @Test func `an unknown unit or app is an error before any connection`() throws {
            try addTalker(on: "web1")
            try cluster.write("web1/plain/file", "")
            for (word, problem) in [
                ("tlak", "Error: 'tlak' is no unit, and no app of the hosts\nDid you mean 'talk'? "), ("a b", "Error: 'a b' is no unit"),
                ("$(id).service", "Error: '$(id).service' is no unit"), ("x';id;'.service", "Error: 'x';id;'.service' is no unit"),
                ("-.service", "Error: "), ("plain", "Error: the app 'plain' has no units\n"),
            ] { #expect(try logs("--", word).finish().require(1).errors.hasPrefix(problem), "\(word)") }
            for since in ["$(id)", "`id`", "a\"b", "a'b", "a\nb", "", "x;y", String(repeating: "1", count: 301)] {
                #expect(
                    try logs("--since", since, "talk").finish().require(1).errors.hasPrefix("Error: '--since' takes 'deploy', or a time"),
                    "\(since)")
            }
            #expect(try logs("web9", "talk").finish().require(1).errors.hasPrefix("Error: no host matches 'web9'"))
            #expect(
                try logs("talk", "--since", "deploy").finish().require(1).errors.hasPrefix("Error: nothing was deployed to the hosts yet\n")
            )
            #expect(try logs("talk", "-n", "-1").finish().require(1).errors.hasPrefix("Error: "))
        }
    }
}
