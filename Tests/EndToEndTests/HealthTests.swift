import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// A deploy is done when its services answer the agent's probes and the operator's program.
    @Suite final class HealthTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        /// A service in Perl that answers connections on port 8080 with what `answer` does.
        private func service(_ answer: String, health: String, host: String = "web1") throws {
            try cluster.write(
                "\(host)/shop/manifest.json",
                #"{"systemd": {"units_enabled": ["shop.service"]}, "timeout": 20, "health": [\#(health)]}"#)
            try cluster.write(
                "\(host)/shop/shop.pl",
                """
                use IO::Socket::INET;
                my $began = time;
                my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1:8080', Listen => 5, ReuseAddr => 1) or die;
                $| = 1;
                print "listening\\n";
                while (my $client = $listener->accept) {
                    my $request = '';
                    while ($request !~ /\\r\\n\\r\\n/) { sysread($client, my $more, 4096) or last; $request .= $more }
                    \(answer)
                    close $client;
                }
                """)
            try cluster.write(
                "\(host)/shop/systemd/shop.service",
                "[Service]\nExecStart=/usr/bin/perl /var/lib/deptool/apps/shop/current/shop.pl\n[Install]\nWantedBy=multi-user.target\n")
        }

        private func answer(_ status: String, _ body: String = "fine") -> String {
            #"print $client "HTTP/1.1 \#(status)\r\nContent-Length: \#(body.utf8.count)\r\n\r\n\#(body)";"#
        }

        private let http = #"{"http": "http://127.0.0.1:8080/up", "within": 2, "timeout": 1}"#

        @Test func `a rollback reports whether the previous state passes its probes`() throws {
            let host = try site.boot()
            try service("if (-e '/run/down') { \(answer("503 Service Unavailable")) } else { \(answer("200 OK")) }", health: http)
            try cluster.deploy().require(0)
            try host.run("touch /run/down")
            try service(answer("500 Internal Server Error"), health: http)
            let output = try cluster.deploy().require(3)
            #expect(
                output.text.contains(
                    """
                    The previous state is back, but it does not pass its probe:
                        shop: http://127.0.0.1:8080/up gave the wrong answer: 503

                    """), "\(output)")
            try host.run("rm /run/down")
            let json = try cluster.deploy("--json").require(3)
            #expect(json.text.contains(#""probes":[{"app":"shop","probe":"http://127.0.0.1:8080/up","#), "\(json)")
        }

        @Test func `ten kinds of misbehaving services fail their probes, and the old one answers`() throws {
            let host = try site.boot("web1", .debian12)
            try service(answer("200 OK", "old"), health: http)
            let first = try cluster.deploy().require(0)
            #expect(first.text.contains("        probe http://127.0.0.1:8080/up\n"), "\(first)")
            let before = try host.snapshot()
            func ask() throws -> String {
                try host.run(
                    #"perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new("127.0.0.1:8080") or die; print $s "GET / HTTP/1.0\r\n\r\n"; local $/; print scalar <$s>'"#
                )
            }
            for (behaviour, message) in [
                (answer("503 Service Unavailable"), "gave the wrong answer: 503"),
                ("sleep 100;", "did not answer in time: no answer"),
                (#"print($client substr("HTTP/1.1 200 OK\r\n", $_, 1)), $client->flush, sleep 1 for 0 .. 16;"#, "did not answer in time: "),
                (
                    #"print $client "HTTP/1.1 200 OK\r\n"; print $client "X: y\r\n" x 20000;"#,
                    "gave the wrong answer: the header does not end"
                ),
                ("setsockopt($client, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));", "gave the wrong answer: closed without an answer"),
                (answer("204 No Content"), "gave the wrong answer: 204"),
                (#"print $client "SSH-2.0-x\r\n";"#, "gave the wrong answer: not HTTP: SSH-2.0-x"),
                (
                    #"print $client "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";"#,
                    "gave the wrong answer: cut off after 4 of 100 bytes"
                ),
                // The first attempt ends it, and the others find nothing.
                ("exit 1;", "cannot be reached: nothing listens"),
                ("$listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1:8081', Listen => 5);", "cannot be reached: "),
            ] {
                try service(behaviour, health: message.hasSuffix("204") ? http.replacing("}", with: #", "status": 200}"#) : http)
                let output = try cluster.deploy().require(3)
                #expect(output.text.contains("web1: rolled back: http://127.0.0.1:8080/up \(message)"), "\(output)")
                #expect(output.text.contains("\nThe previous state is back and passes its probe.\n"), "\(output)")
                #expect(try ask().hasSuffix("\r\n\r\nold"), "\(behaviour)")
                expect(try host.snapshot(), is: before)
            }
            // A service that needs a moment is waited for, and the deploy passes.
            try service(
                "if (time - $began < 3) { \(answer("503 Wait")) } else { \(answer("200 OK", "new")) }",
                health: http.replacing(": 2", with: ": 60"))
            let output = try cluster.deploy().require(0)
            #expect(output.text.contains("  web1: waiting for http://127.0.0.1:8080/up: 503 ("), "\(output)")
            #expect(try ask().hasSuffix("new"))
        }

        @Test func `a rejection shows the unit's journal`() throws {
            _ = try site.boot("web1", .debian13)
            try service(answer("500 Oops") + #"print "cannot find the database\n";"#, health: http)
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("its last journal lines:\n    | "), "\(output)")
            #expect(output.text.contains("    | cannot find the database\n"), "\(output)")
        }

        @Test func `sockets, names, connections and units are probed, too`() throws {
            let host = try site.boot("web1", .debian13)
            try cluster.write(
                "web1/smoke/systemd/smoke.service",
                "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'grep -q good /var/lib/deptool/apps/shop/current/conf'\n")
            try cluster.write("web1/smoke/notes", "")
            let kinds = #"{"tcp": "127.0.0.1:8080"}, {"unix": "/run/dbus/system_bus_socket"}, {"unit": "smoke.service", "within": 20}"#
            try service(answer("200 OK"), health: kinds)
            try cluster.write("web1/shop/conf", "good\n")
            try cluster.deploy().require(0)
            let before = try host.snapshot()
            try cluster.write("web1/shop/conf", "bad\n")
            var output = try cluster.deploy().require(3)
            #expect(output.text.contains("web1: rolled back: unit smoke.service failed (exit-code, status 1)"), "\(output)")
            try cluster.write("web1/shop/conf", "good\n")
            for (probe, message) in [
                (#"{"tcp": "localhost:8089", "within": 1}"#, "tcp localhost:8089 cannot be reached: nothing listens"),
                (#"{"tcp": "[::1]:8080", "within": 1}"#, "tcp [::1]:8080 cannot be reached: nothing listens"),
                (#"{"unix": "/run/none", "within": 1}"#, "unix /run/none cannot be reached: no such socket"),
                (
                    #"{"dns": "127.0.0.1:8053", "name": "example.com", "within": 1}"#,
                    "dns 127.0.0.1:8053 for example.com A cannot be reached: nothing listens"
                ),
            ] {
                try service(answer("200 OK"), health: probe)
                try cluster.write("web1/shop/README", message)
                output = try cluster.deploy().require(3)
                #expect(output.text.contains("web1: rolled back: \(message)"), "\(output)")
                expect(try host.snapshot(), is: before)
            }
        }

        @Test func `a unit that ends during other probes fails the deploy`() throws {
            let host = try site.boot("web1", .debian12)
            try cluster.write("web1/smoke/systemd/smoke.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 3\n")
            try cluster.write("web1/smoke/notes", "")
            try service(answer("200 OK"), health: #"{"unit": "smoke.service"}"#)
            try cluster.deploy().require(0)
            let before = try host.snapshot()
            for more in ["", "Restart=always\n"] {
                try cluster.write(
                    "web1/shop/systemd/shop.service",
                    "[Service]\nExecStart=/bin/sleep 2\n\(more)[Install]\nWantedBy=multi-user.target\n")
                let output = try cluster.deploy().require(3)
                #expect(output.text.contains("web1: rolled back: unit shop.service "), "\(output)")
                #expect(try host.state(of: "shop.service") == "active")
                expect(try host.snapshot(), is: before)
            }
        }

        @Test func `a unit that ends during the wait for other hosts or a program rolls all back`() throws {
            let hosts = try site.boot("web1", "web2")
            func services(_ first: String, _ second: String) throws {
                for (host, run) in [("web1", first), ("web2", second)] {
                    try cluster.write("\(host)/app/manifest.json", #"{"systemd": {"units_enabled": ["app.service"]}}"#)
                    try cluster.write("\(host)/app/systemd/app.service", "[Service]\n\(run)\n[Install]\nWantedBy=multi-user.target\n")
                }
            }
            try services("ExecStart=/bin/sleep infinity", "ExecStart=/bin/sleep infinity")
            try cluster.deploy().require(0)
            let before = [try hosts.0.snapshot(), try hosts.1.snapshot()]
            for (second, arguments) in [
                ("Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 5", ["--atomic"]),
                ("ExecStart=/bin/sleep 1000", ["--confirm-with", "sleep 5"]),
            ] {
                try services("ExecStart=/bin/sleep 2", second)
                let output = try cluster.deploy(arguments).require(3)
                #expect(output.text.contains("web1: rolled back: unit app.service exited with status 0"), "\(output)")
                #expect(output.text.contains("Rolled back 2 hosts"), "\(output)")
                #expect([try hosts.0.snapshot(), try hosts.1.snapshot()] == before)
            }
        }

        @Test func `verify and status run probes, too`() throws {
            let host = try site.boot("web1", .debian13)
            try service("if (-e '/run/sick') { \(answer("503 Sick")) } else { \(answer("200 OK")) }", health: http)
            try cluster.deploy().require(0)
            func verify(_ more: String...) throws -> String {
                try cluster.run("'\(Tools.deptool)' verify --ssh-config '\(cluster.sshConfiguration)' \(more.joined(separator: " "))")
            }
            #expect(try verify() == "1 host as deployed.\n")
            let live = try cluster.deptool("status", "--live", "--ssh-config", cluster.sshConfiguration)
            #expect(live.text.contains("    shop  http://127.0.0.1:8080/up  well\n"), "\(live)")
            try host.run("touch /run/sick")
            #expect(
                try verify() == """
                    web1
                        shop
                            ! http://127.0.0.1:8080/up gave the wrong answer: 503

                    0 hosts as deployed, 1 not.

                    """)
            #expect(
                try verify("--json").contains(
                    #""unanswered":[{"app":"shop","probe":"http://127.0.0.1:8080/up","well":false,"answer":"503"}]"#))
            #expect(try cluster.deptool("verify", "--exit-code", "--ssh-config", cluster.sshConfiguration).code == 2)
            let sick = try cluster.deptool("status", "--live", "--ssh-config", cluster.sshConfiguration)
            #expect(sick.text.contains("    shop  http://127.0.0.1:8080/up  503\n"), "\(sick)")
        }

        @Test func `all hosts wait for the operator's program`() throws {
            let (one, other) = try site.boot("web1", "web2")
            for host in ["web1", "web2"] { try cluster.write("\(host)/app/conf", "old\n") }
            try cluster.deploy().require(0)
            let before = [try one.snapshot(), try other.snapshot()]
            for host in ["web1", "web2"] { try cluster.write("\(host)/app/conf", "new\n") }
            var output = try cluster.deploy("--confirm-with", "echo seen $DEPTOOL_CLUSTER >> confirmed; exit 7").require(3)
            #expect(
                output.text.contains("keep it only if every host succeeds and your confirmation program agrees\n"), "\(output)")
            #expect(output.text.contains("web1: rolled back: your confirmation program failed (status 7)\n"), "\(output)")
            #expect(try cluster.run("cat confirmed") == "seen prod\n")
            #expect([try one.snapshot(), try other.snapshot()] == before)
            // One that never ends goes with Ctrl-C, and the hosts are back.
            let deploy = try cluster.startDeploy(["--confirm-with", "echo $$ > pid; exec sleep 1000"])
            try deploy.expect("web2: waiting for the other hosts and your confirmation program")
            try cluster.run("until [ -s pid ]; do sleep 0.05; done")
            deploy.signal(SIGINT)
            try deploy.finish().require(3)
            #expect(try cluster.run("kill -0 $(cat pid) 2>/dev/null || echo gone") == "gone\n")
            #expect([try one.snapshot(), try other.snapshot()] == before)
            // So does one for which no host waits any more.
            try cluster.run("rm pid")
            let lost = try cluster.startDeploy(["--confirm-with", "echo $$ > pid; exec sleep 1000"])
            try lost.expect("web2: waiting for the other hosts and your confirmation program")
            try cluster.run("until [ -s pid ]; do sleep 0.05; done")
            for host in [one, other] { try host.killAgents() }
            try lost.finish().require(5)
            #expect(try cluster.run("kill -0 $(cat pid) 2>/dev/null || echo gone") == "gone\n")
            try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect([try one.snapshot(), try other.snapshot()] == before)
            // Its output stays on a terminal.
            try cluster.write(outside: "answer", "echo one line; sleep 1; echo another >&2; exit 1\n")
            let variables = cluster.environment.filter { $0.key != "TERM" }.map { "\($0)=\"\($1)\"" }.joined(separator: " ")
            let pane = try Pane(
                columns: 100, rows: 60,
                running: """
                    cd \(cluster.directory); env -i TERM=$TERM \(variables) \(Tools.deptool) deploy --no-confirm \
                    --ssh-config \(cluster.sshConfiguration) --confirm-with "sh answer"; exec sleep 1000
                    """)
            try pane.wait(for: "Rolled back 2 hosts")
            let screen = try pane.look()
            #expect(screen.contains("\none line\nanother\n"), "\(screen)")
            // From the store's configuration, once allowed.
            try cluster.deptool("init", "--confirm-with", "rm confirmed").require(0)
            output = try cluster.deploy().require(0)
            #expect(try cluster.run("ls").contains("confirmed") == false)
            #expect(try one.read("/var/lib/deptool/apps/app/current/conf") == "new\n")
            try cluster.run("git config --file .deptool/config deptool.prod.confirm 'touch stolen'")
            try cluster.write("web1/app/conf", "newer\n")
            output = try cluster.deploy().require(1)
            #expect("\(output)".contains("this machine does not allow the command `touch stolen` to confirm deploys of"))
            try cluster.deploy("--confirm-with", "").require(0)
            #expect(try cluster.run("ls").contains("stolen") == false)
        }
    }
}
