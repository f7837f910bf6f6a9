import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// The operator's command is notified once of every end of a deploy, and does not affect it.
    @Suite final class NotifyTests {
        let site: Site
        let cluster: Cluster
        let host: Host

        /// With a first version deployed.
        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            host = try site.boot()
            try cluster.write("web1/app/conf", "0\n")
            try cluster.addService("web", on: "web1")
            try cluster.deploy().require(0)
            try cluster.deptool("init", "--notify", "./told").require(0)
        }

        /// The command's action, and the warning that it causes.
        private static let behaviours: [(script: String?, mode: Int, warning: String?)] = [
            ("cat >>ends; echo \"$DEPTOOL_CLUSTER\" >>clusters", 0o755, nil),
            ("cat >>ends; exit 7", 0o755, "the notify command `./told` failed with status 7"),
            (
                "cat >>ends; sleep 1000 & echo $! >pid; wait", 0o755,
                "the notify command `./told` did not end within 10 seconds, and was ended"
            ),
            ("echo unread >>ends", 0o755, nil),
            ("echo not run >>ends", 0o644, "the notify command `./told` failed with status 126"),
            (nil, 0, "the notify command `./told` failed with status 127"),
        ]

        /// Makes an end happen with each of the behaviours; `run` gets a number that is new each time.
        private func check(_ code: Int32, _ kind: String, _ outcome: String, _ run: (Int) throws -> Output) throws {
            let schema = try Schema()
            // All of them in make torture: one takes ten seconds.
            let other = Int.random(in: 1..<Self.behaviours.count)
            for (index, behaviour) in Self.behaviours.enumerated() where Torture.isWhole || index == 0 || index == other {
                for file in ["told", "ends", "pid", "clusters"] {
                    try? FileManager.default.removeItem(atPath: "\(cluster.directory)/\(file)")
                }
                if let script = behaviour.script {
                    try cluster.write(outside: "told", "#!/bin/sh\n\(script)\n")
                    chmod("\(cluster.directory)/told", mode_t(behaviour.mode))
                }
                let output = try run(index + 1)
                let context: Comment = "\(kind), \(code), \(behaviour): \(output)"
                #expect(output.code == code, context)
                let text = output.text + output.errors
                #expect(text.components(separatedBy: "warning: the notify command").count == (behaviour.warning == nil ? 1 : 2), context)
                if let warning = behaviour.warning { #expect(text.contains("warning: \(warning)\n"), context) }
                let ends = (try? String(contentsOfFile: "\(cluster.directory)/ends", encoding: .utf8)) ?? ""
                switch index {
                case 0, 1, 2:
                    let objects = try schema.objects(ends)
                    #expect(objects.count == 1, context)
                    let end = try #require(objects.first)
                    #expect(end["exit"] as? Int == Int(code) && end["kind"] as? String == kind, "\(end), \(context)")
                    #expect(end["cluster"] as? String == "prod" && end["author"] as? String == "Ann <ann@example.com>", "\(end)")
                    let hosts = try #require(end["hosts"] as? [[String: Any]])
                    #expect(
                        hosts.map { $0["host"] as? String } == ["web1"] && hosts[0]["outcome"] as? String == outcome, "\(end), \(context)")
                    if index == 0 { #expect(try cluster.run("cat clusters") == "prod\n") }
                    if index == 2 {
                        #expect(try cluster.run("case $(ps -o stat= -p $(cat pid) || true) in ''|Z*) echo ended;; esac") == "ended\n")
                    }
                case 3: #expect(ends == "unread\n", context)
                default: #expect(ends == "", context)
                }
            }
        }

        @Test func `the command is notified of a deploy and its undo`() throws {
            try check(0, "deploy", "done") { number in
                try cluster.write("web1/app/conf", "\(number)\n")
                return try cluster.deploy()
            }
            try check(0, "undo", "done") { _ in try cluster.deptool("undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration) }
        }

        @Test func `the command is notified of a repair`() throws {
            try cluster.deploy("--repair").require(0)
            try check(0, "repair", "done") { _ in
                try host.run("systemctl stop web")
                return try cluster.deploy("--repair")
            }
        }

        @Test func `the command is notified of an unchanged or unreachable host`() throws {
            try host.write("/etc/welcome", "mine\n")
            try cluster.write("web1/motd/text", "Welcome.\n")
            try cluster.write("web1/motd/manifest.json", #"{"symlinks": {"/etc/welcome": "text"}}"#)
            try check(1, "deploy", "failed") { _ in try cluster.deploy() }
            try cluster.configure(("HostName", "Port 1\n  HostName"))
            try check(1, "deploy", "failed") { _ in try cluster.deploy() }
        }

        @Test func `the command is notified of a rollback, also after Ctrl-C`() throws {
            try cluster.write("web1/app/conf", "new\n")
            try check(3, "deploy", "rolled-back") { _ in try cluster.deploy("--confirm-with", "false") }
            try check(3, "deploy", "rolled-back") { _ in
                let deploy = try cluster.startDeploy(["--confirm-with", "exec sleep 1000"])
                try deploy.expect("waiting for the other hosts and your confirmation program")
                deploy.signal(SIGINT)
                return try deploy.finish()
            }
        }

        @Test func `the command is notified of an unknown outcome`() throws {
            try cluster.addService("web", on: "web1", before: "/bin/sleep 30")
            func started() throws -> Program {
                // The agent of the previous deploy may still hold the lock.
                try host.wait(
                    for: "[ ! -e /var/lib/deptool/store/lock ] || flock --nonblock /var/lib/deptool/store/lock true", within: .seconds(300))
                let deploy = try cluster.startDeploy()
                try deploy.expect("restarting web.service\n")
                return deploy
            }
            try check(5, "deploy", "unknown") { _ in
                let deploy = try started()
                try host.killAgents()
                return try deploy.finish()
            }
            try check(130, "deploy", "unknown") { _ in
                let deploy = try started()
                try site.pause(host)
                defer { try? site.resume(host) }
                deploy.signal(SIGINT)
                try deploy.expect("Giving up")
                deploy.signal(SIGINT)
                return try deploy.finish()
            }
        }

        @Test func `the command is notified of a broken host`() throws {
            try host.write(
                "/usr/bin/systemctl.new",
                """
                #!/bin/sh
                case "$*" in *"restart "*) [ ! -e /run/broken ] || { cd /etc/systemd/system && rm -f web.service && mkdir -p web.service; };; esac
                exec /usr/bin/systemctl.real "$@"
                """)
            try host.run("cd /usr/bin; chmod 755 systemctl.new; cp systemctl systemctl.real; mv systemctl.new systemctl")
            try check(4, "deploy", "broken") { number in
                try host.run("rm -f /run/broken; rmdir /etc/systemd/system/web.service 2>/dev/null || true")
                try cluster.addService("web", on: "web1")
                try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration)
                try host.run("touch /run/broken")
                try cluster.addService("web", on: "web1", run: "/bin/false", before: "/bin/true \(number)")
                return try cluster.deploy()
            }
        }

        @Test(arguments: ["cat >>ends; echo noise", "cat >>ends; echo noise; exit 7", "cat >>ends; echo noise; exec sleep 1000"])
        func `the command is notified of every other way to deploy`(script: String) throws {
            try cluster.write(outside: "told", "#!/bin/sh\n\(script)\n")
            chmod("\(cluster.directory)/told", 0o755)
            let schema = try Schema()
            let fails = script.hasSuffix("7") || script.hasSuffix("1000")
            func check(_ code: Int32, _ kind: String, _ outcomes: [String], _ run: () throws -> Output) throws {
                try? FileManager.default.removeItem(atPath: "\(cluster.directory)/ends")
                let output = try run().require(code)
                let ends = try schema.objects(String(contentsOfFile: "\(cluster.directory)/ends", encoding: .utf8))
                #expect(ends.count == 1 && ends[0]["exit"] as? Int == Int(code) && ends[0]["kind"] as? String == kind, "\(ends)\(output)")
                #expect((ends[0]["hosts"] as? [[String: Any]])?.map { $0["outcome"] as? String } == outcomes, "\(ends)")
                #expect(output.errors.contains("noise\n") && output.errors.contains("warning: the notify command") == fails, "\(output)")
                // The output of the hook is not among the objects.
                if output.text.hasPrefix("{") { #expect(try !schema.objects(output.text).isEmpty) }
            }
            func deptool(_ command: String) throws -> Output {
                try cluster.startScript("'\(Tools.deptool)' \(command) --no-confirm --ssh-config '\(cluster.sshConfiguration)'").finish()
            }
            cluster.environment["EDITOR"] = "sh -c 'echo edited >>\"$1\"' -"
            try check(0, "deploy", ["done"]) { try deptool("edit web1/app/conf") }
            try check(0, "restart", ["done"]) { try deptool("deploy --restart web --json") }
            try cluster.write("web1/app/conf", "planned\n")
            try cluster.deptool("plan", "--out", "a.plan").require(0)
            try check(0, "deploy", ["done"]) { try deptool("deploy a.plan") }
            // One host is done, one goes back, one cannot be reached.
            let other = try site.boot("web2")
            try cluster.write("web1/app/conf", "more\n")
            for host in ["web2", "web3"] { try cluster.addService("web", on: host, run: host == "web2" ? "/bin/false" : "/bin/true") }
            try cluster.configure(("Host *", "Host web3\n  HostName 127.0.0.1\n  Port 1\nHost *"))
            try check(3, "deploy", ["done", "rolled-back", "failed"]) { try deptool("deploy --skip-unreachable --json") }
            try cluster.remove("web3")
            try cluster.remove("web2")
            try cluster.remove("web1")
            try cluster.write("web4/app/conf", "")
            try check(0, "deploy", ["done"]) { try deptool("deploy --remove-host web1") }
            withExtendedLifetime(other) {}
        }

        @Test func `no notification is sent before a deploy begins, and Ctrl-C ends the command alone`() throws {
            try cluster.write(outside: "told", "#!/bin/sh\ncat >>ends\n")
            chmod("\(cluster.directory)/told", 0o755)
            let there = "\(cluster.directory)/ends"
            #expect(try cluster.deploy().require(0).text.hasPrefix("Nothing to do"))
            try cluster.write("web1/app/conf", "new\n")
            try cluster.deploy("--plan-only").require(0)
            try cluster.deptool("check", "--ssh-config", cluster.sshConfiguration).require(0)
            try cluster.deploy("--limit", "none").require(1)
            for answer in ["n", "\u{3}"] {
                let asking = try cluster.startAsking()
                try asking.expect("[y/N/d] ")
                if answer == "n" { asking.type(line: answer) } else { asking.signal(SIGINT) }
                #expect(try [1, 130].contains(asking.finish().code))
            }
            #expect(!FileManager.default.fileExists(atPath: there))
            // Ctrl-C while the command runs ends only that.
            try cluster.write(outside: "told", "#!/bin/sh\ncat >>ends; echo \"there it is\" >&2; exec sleep 1000\n")
            let deploy = try cluster.startAsking()
            try deploy.expect("[y/N/d] ")
            deploy.type(line: "y")
            try deploy.expect("there it is")
            deploy.signal(SIGINT)
            let output = try deploy.finish().require(0)
            #expect(output.text.hasSuffix("warning: the notify command `./told` was ended, since you cancelled\n"), "\(output)")
            #expect(try Schema().objects(String(contentsOfFile: there, encoding: .utf8)).count == 1)
        }

        @Test func `a command without permission does not run, and blocks no deploy`() throws {
            try cluster.run("git config --file .deptool/config deptool.prod.notify 'touch stolen'")
            try cluster.write("web1/app/conf", "new\n")
            let output = try cluster.deploy().require(0)
            #expect(
                output.errors
                    == "warning: this machine does not allow the command `touch stolen` to be run after deploys; `deptool init --notify COMMAND` allows it\n"
            )
            #expect(try cluster.run("ls").contains("stolen") == false)
            try cluster.deptool("init", "--notify", "").require(0)
            try cluster.write("web1/app/conf", "newer\n")
            #expect(try cluster.deploy().require(0).errors == "")
        }
    }
}
