import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// The question before a deploy, on a real terminal.
    @Suite final class PromptTests: OneHost {
        override init() throws {
            try super.init()
            cluster.environment["NO_COLOR"] = "1"
            try cluster.write("web1/app/file", "one\n")
        }

        private let prompt = "Apply to 1 host in cluster 'prod'? [y/N/d] "

        /// Fails if anything at all was done to the host.
        private func expectUntouched(sourceLocation: SourceLocation = #_sourceLocation) throws {
            #expect(try host.attempt("test -e /var/lib/deptool").code == 1, sourceLocation: sourceLocation)
            #expect(try cluster.references() == "", sourceLocation: sourceLocation)
        }

        @Test func `y deploys`() throws {
            let deploy = try cluster.startAsking()
            try deploy.expect("web1 (new host)\n    add app\n        + file\n\n" + prompt)
            deploy.type(line: "y")
            let output = try deploy.finish()
            #expect(output.code == 0)
            #expect(output.stable.hasSuffix("\n  web1: done\n\nDeployed to 1 host in N s.\n"), "\(output)")
            #expect(!output.text.contains("\u{1b}"), "\(output)")
            #expect(try host.apps().hasPrefix("app/\napp/current -> v1\n"))
        }

        @Test func `anything but y changes nothing`() throws {
            for answer in ["n", "", "no", "yy", " "] {
                let deploy = try cluster.startAsking()
                try deploy.expect(prompt)
                deploy.type(line: answer)
                let output = try deploy.finish()
                #expect(output.code == 1)
                #expect(output.text.hasSuffix(prompt + "Nothing was changed.\n"), "\(output)")
                try expectUntouched()
            }
        }

        @Test func `nothing is installed on a new host while the operator reads`() throws {
            let deploy = try cluster.startAsking()
            try deploy.expect(prompt)
            // By then, it is logged in.
            try host.wait(for: "pgrep -f [D]EPTOOL-NEED || test -e /var/lib/deptool")
            usleep(300_000)
            try expectUntouched()
            deploy.type(line: "n")
            #expect(try deploy.finish().code == 1)
            try expectUntouched()
            try host.wait(for: "! pgrep -f [D]EPTOOL-NEED")
        }

        @Test func `with --no-preconnect no host is connected before the answer`() throws {
            let logins = "journalctl --unit ssh | grep -c Accepted || true"
            let before = try host.run(logins)
            let deploy = try cluster.startAsking("--no-preconnect")
            try deploy.expect(prompt)
            deploy.type(line: "n")
            #expect(try deploy.finish().code == 1)
            #expect(try host.run(logins) == before)
            let other = try cluster.startAsking("--no-preconnect")
            try other.expect(prompt)
            other.type(line: "y")
            try other.finish().require(0)
            #expect(try host.run(logins) != before)
        }

        @Test func `problems of a host are shown while the operator reads`() throws {
            try cluster.deploy().require(0)
            try cluster.write("web1/app/file", "two\n")
            let bob = try Cluster(site, of: "Bob")
            try bob.write("web1/app/file", "three\n")
            // He fetches the deployed state, and deploys.
            try bob.deploy().require(1)
            try bob.deploy().require(0)
            let stale = try cluster.startAsking()
            try stale.expect("web1: somebody else deployed to it since\n")
            stale.type(line: "n")
            #expect(try stale.finish().code == 1)

            try cluster.configure(("Port 22", "Port 23"))
            let refused = try cluster.startAsking()
            try refused.expect("web1: connection refused\n")
            refused.type(line: "n")
            #expect(try refused.finish().code == 1)
            #expect(try host.read("/var/lib/deptool/apps/app/current/file") == "three\n")
        }

        @Test func `d shows the diff and asks again`() throws {
            let deploy = try cluster.startAsking()
            try deploy.expect(prompt)
            deploy.type(line: "d")
            try deploy.expect("--- /dev/null\n+++ web1/app/file\n@@ -0,0 +1 @@\n+one\n" + prompt)
            deploy.type(line: "n")
            #expect(try deploy.finish().code == 1)
            try expectUntouched()
        }

        @Test func `the end of input changes nothing`() throws {
            let deploy = try cluster.startAsking()
            try deploy.expect(prompt)
            deploy.type("\u{4}")
            let output = try deploy.finish()
            #expect(output.code == 1)
            #expect(output.text.contains("no answer, so nothing was changed"))
            try expectUntouched()

            // As in a script that forgot --no-confirm.
            let piped = try cluster.deptool("deploy", "--ssh-config", cluster.sshConfiguration)
            #expect(piped.code == 1)
            expect(
                piped.errors,
                is: "Error: no answer, so nothing was changed\nWithout a terminal, `--no-confirm` deploys without asking.\n")
            try expectUntouched()
        }

        @Test func `Ctrl-C changes nothing`() throws {
            let deploy = try cluster.startAsking()
            try deploy.expect(prompt)
            deploy.type("\u{3}")
            let output = try deploy.finish()
            #expect(output.code == 130 && output.text.hasSuffix("\nNothing was changed.\n"), "\(output)")
            try expectUntouched()
        }

        @Test func `Ctrl-C ends the shell's loop around a deploy, too`() throws {
            let loop = "for i in 1 2; do '\(Tools.deptool)' deploy --ssh-config '\(cluster.sshConfiguration)'; done; echo the loop went on"
            let shell = try Program(["bash", "-c", loop], in: cluster.directory, environment: cluster.environment, console: .terminal)
            try shell.expect(prompt)
            shell.type("\u{3}")
            let output = try shell.finish()
            #expect(output.text.hasSuffix("\nNothing was changed.\n"), "\(output)")
            try expectUntouched()
        }

        @Test func `the lines of the hosts are drawn in place on a terminal, with colour`() throws {
            cluster.environment["NO_COLOR"] = nil
            let deploy = try cluster.startAsking()
            try deploy.expect(prompt)
            deploy.type(line: "y")
            let output = try deploy.finish()
            #expect(output.code == 0)
            #expect(output.text.contains("\u{1b}[1A  web1: \u{1b}[32mdone\u{1b}[0m\u{1b}[K\n"), "\(output)")
            #expect(output.text.contains("\u{1b}[32m+ file\u{1b}[0m"))
        }

        @Test func `a slow step shows its time on a terminal that becomes narrow`() throws {
            cluster.environment["NO_COLOR"] = nil
            try cluster.addService("app", on: "web1", before: "/bin/sleep 4")
            let variables = cluster.environment.filter { $0.key != "TERM" }.map { "\($0)=\"\($1)\"" }.joined(separator: " ")
            let pane = try Pane(
                columns: 80, rows: 24,
                running:
                    "cd \(cluster.directory); env -i TERM=$TERM \(variables) \(Tools.deptool) deploy --no-confirm --ssh-config \(cluster.sshConfiguration); echo status $?; exec sleep 600"
            )
            try pane.wait(for: "\n  web1: waiting for app.service to become ready (1 s of 90 s)\n")
            try pane.resize(columns: 40, rows: 24)
            try pane.wait(for: "\n  web1: waiting for app.service to 2 s\n")
            try pane.wait(for: "status")
            let shown = Output(code: 0, text: try pane.look(unwrapped: true), errors: "").stable
            #expect(
                shown.hasSuffix(
                    "        start unit app.service (restart it if it runs with other files)\n\n  web1: done\n\nDeployed to 1 host in N s.\nstatus 0\n"
                ), "\(shown)")
        }

        @Test func `a pipe gets plain lines`() throws {
            let output = try cluster.deploy()
            #expect(output.code == 0)
            #expect(!output.text.contains("\u{1b}") && !output.text.contains("\r"))
        }
    }
}
