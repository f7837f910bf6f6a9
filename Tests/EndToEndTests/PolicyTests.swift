import Foundation
import Testing

extension EndToEnd {
    /// Units do exactly what the plan shows: reload, restart or nothing, whether they ran, were stopped or had failed.
    @Suite final class PolicyTests {
        let site: Site
        var host: Host
        let cluster: Cluster

        init() throws {
            site = try Site()
            host = try site.boot("web1", .debian13)
            cluster = try Cluster(site)
        }

        /// Runs forever, and counts its reloads.
        private func service(_ more: String = "") -> String {
            """
            [Unit]
            Description=A service
            StartLimitIntervalSec=0
            [Service]
            Type=exec
            ExecStart=/bin/sleep infinity
            ExecReload=/bin/sh -c 'grep -qv bad /var/lib/deptool/apps/app/current/conf && echo >> /run/reloads'
            EnvironmentFile=/var/lib/deptool/apps/app/current/env
            \(more)
            [Install]
            WantedBy=multi-user.target

            """
        }

        private struct State: Equatable, CustomStringConvertible {
            var active, invocation, process, restarts, reloads: String
            var description: String { "\(active) \(invocation) \(process) \(restarts) \(reloads)" }
        }

        private func state(of unit: String) throws -> State {
            let output = try host.run(
                "systemctl show --property=ActiveState,InvocationID,MainPID,NRestarts \(unit) | sort; wc -l < /run/reloads")
            let lines = output.split(separator: "\n").map { String($0.split(separator: "=").last ?? "") }
            let properties = Dictionary(
                output.split(separator: "\n").compactMap { line in
                    line.firstIndex(of: "=").map { (String(line[..<$0]), String(line[line.index(after: $0)...])) }
                }
            ) { $1 }
            return State(
                active: properties["ActiveState"] ?? "", invocation: properties["InvocationID"] ?? "",
                process: properties["MainPID"] ?? "", restarts: properties["NRestarts"] ?? "", reloads: lines.last ?? "")
        }

        /// One kind of change: the file, its unit, and the plan's line for the unit; nil for none.
        private struct Change {
            var name, file: String
            var unit = "svc.service"
            var content: (Int) -> String
            var plan: String?
            /// A line that makes the unit fail; a timer has none.
            var failing: String? = "systemctl kill --kill-whom=main --signal=KILL svc.service"
        }

        private var changes: [Change] {
            let number = { (number: Int) in "\(number)\n" }
            return [
                Change(name: "listed as reload", file: "app/conf", content: number, plan: "reload unit svc.service (conf changed)"),
                Change(name: "listed as nothing", file: "app/pages/index", content: number),
                Change(name: "unlisted", file: "app/data", content: number, plan: "restart unit svc.service (data changed)"),
                Change(name: "EnvironmentFile", file: "app/env", content: { "A=\($0)\n" }, plan: "restart unit svc.service (env changed)"),
                Change(name: "comment", file: "app/systemd/svc.service", content: { "# \($0)\n" + self.service() }),
                Change(
                    name: "Description", file: "app/systemd/svc.service",
                    content: { self.service().replacing("A service", with: "Service \($0)") }),
                Change(
                    name: "Install", file: "app/systemd/svc.service",
                    content: { self.service().replacing("multi-user", with: ["basic", "sysinit", "rescue", "graphical"][$0 % 4]) }),
                Change(
                    name: "ExecStart", file: "app/systemd/svc.service",
                    content: { self.service().replacing("sleep infinity", with: "sleep \($0 + 100_000)") },
                    plan: "restart unit svc.service (systemd/svc.service changed)"),
                Change(
                    name: "drop-in", file: "other/systemd/svc.service.d/x.conf", content: { "[Service]\nNice=\($0)\n" },
                    plan: "restart unit svc.service (other/systemd/svc.service.d/x.conf changed)"),
                Change(name: "drop-in's comment", file: "other/systemd/svc.service.d/y.conf", content: { "# \($0)\n" }),
                Change(
                    name: "type's drop-in", file: "other/systemd/service.d/z.conf", content: { "[Service]\nUMask=00\($0 % 8)2\n" },
                    plan: "restart unit svc.service (other/systemd/service.d/z.conf changed)"),
                Change(
                    name: "prefix's drop-in", file: "other/systemd/job-.service.d/z.conf", unit: "job-one.service",
                    content: { "[Service]\nUMask=00\($0 % 8)2\n" },
                    plan: "restart unit job-one.service (other/systemd/job-.service.d/z.conf changed)",
                    failing: "systemctl kill --kill-whom=main --signal=KILL job-one.service"),
                Change(
                    name: "manifest only", file: "app/manifest.json",
                    content: { self.manifest.replacing("\"timeout\": 60", with: "\"timeout\": \($0 + 61)") }),
                Change(name: "another app's file", file: "tls/cert", content: number, plan: "reload unit svc.service (tls/cert changed)"),
                Change(
                    name: "timer", file: "cron/systemd/job.timer", unit: "job.timer",
                    content: { "[Timer]\nOnActiveSec=\($0 + 1)d\n[Install]\nWantedBy=timers.target\n" },
                    plan: "restart unit job.timer (systemd/job.timer changed)", failing: nil),
                Change(
                    name: "socket", file: "socket/systemd/job.socket", unit: "job.socket",
                    content: { self.socket.replacing("0600", with: "0\($0 % 8)00") },
                    plan: "restart unit job.socket and its service (systemd/job.socket changed)",
                    // Systemd cannot bind where a directory is.
                    failing: """
                        systemctl stop job.socket; rm /run/job.sock; mkdir -p /run/job.sock/x
                        ! systemctl start job.socket; rm -r /run/job.sock
                        """),
            ]
        }

        private let manifest = """
            {"timeout": 60, "systemd": {"units_enabled": ["svc.service"], "on_change": {"svc.service":
              {"reload": ["conf", "../tls/"], "nothing": ["pages/"]}}}}
            """

        private let socket = "[Socket]\nListenStream=/run/job.sock\nSocketMode=0600\n[Install]\nWantedBy=sockets.target\n"

        private func write() throws {
            try host.run("touch /run/reloads")
            try cluster.write("web1/app/manifest.json", manifest)
            try cluster.write("web1/app/systemd/svc.service", service())
            for file in ["conf", "data", "env", "pages/index"] { try cluster.write("web1/app/\(file)", "A=0\n") }
            try cluster.write("web1/tls/cert", "0\n")
            // They are there before: one that comes may hide another of its name.
            try cluster.write("web1/other/systemd/svc.service.d/y.conf", "# before\n")
            for (app, unit) in [("cron", "job.timer"), ("socket", "job.socket"), ("one", "job-one.service")] {
                try cluster.write("web1/\(app)/manifest.json", #"{"systemd": {"units_enabled": ["\#(unit)"]}}"#)
            }
            try cluster.write("web1/socket/systemd/job.socket", socket)
            try cluster.write(
                "web1/one/systemd/job-one.service",
                "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
            try cluster.write("web1/cron/systemd/job.timer", "[Timer]\nOnActiveSec=1d\n[Install]\nWantedBy=timers.target\n")
            try cluster.write("web1/cron/systemd/job.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
        }

        @Test func `every change does what the plan shows, in any state of the unit`() throws {
            try write()
            try cluster.deploy().require(0)
            try expectPolicy(of: changes)
            #expect(try host.enablement(of: "svc.service") == "enabled")
        }

        @Test func `every change of a quadlet does what the plan shows, in any state of its unit`() throws {
            host = try site.boot("box1", .podman)
            try host.run(
                """
                cp -L --parents /bin/sleep $(ldd /bin/sleep | grep -o '/[^ ]*') /srv
                touch /run/reloads
                """)
            let container = """
                [Unit]
                Description=A container
                StartLimitIntervalSec=0
                [Container]
                ContainerName=svc
                Rootfs=/srv
                Exec=/bin/sleep infinity
                StopTimeout=0
                [Service]
                ExecReload=/bin/sh -c 'echo >> /run/reloads'
                [Install]
                WantedBy=multi-user.target

                """
            try cluster.write("box1/app/manifest.json", manifest.replacing(", \"../tls/\"", with: ""))
            try cluster.write("box1/app/quadlets/svc.container", container)
            try cluster.write("box1/app/quadlets/svc.container.d/x.conf", "# before\n")
            for file in ["conf", "data", "pages/index"] { try cluster.write("box1/app/\(file)", "A=0\n") }
            // It was an ordinary unit before, which another one requires.
            try cluster.run("mv prod/box1/app/quadlets .")
            let enabled = "[Install]\nWantedBy=multi-user.target\n"
            try cluster.write("box1/app/systemd/svc.service", "[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/true\n\(enabled)")
            try cluster.write("box1/needs/manifest.json", #"{"systemd": {"units_enabled": ["needs.service"]}}"#)
            try cluster.write(
                "box1/needs/systemd/needs.service",
                "[Unit]\nRequires=svc.service\nAfter=svc.service\n[Service]\nExecStart=/bin/sleep infinity\n\(enabled)")
            try cluster.deploy().require(0)
            #expect(try host.enablement(of: "svc.service") == "enabled")
            try cluster.run("rm -r prod/box1/app/systemd; mv quadlets prod/box1/app")
            try cluster.deploy().require(0)
            #expect(try host.run("ls /etc/systemd/system/multi-user.target.wants").contains("needs.service"))
            #expect(try !host.run("ls /etc/systemd/system/multi-user.target.wants").contains("svc.service"))
            #expect(try host.state(of: "svc.service") == "active" && host.state(of: "needs.service") == "active")
            try cluster.remove("box1/needs")
            try cluster.deploy().require(0)
            func change(_ name: String, _ old: String, _ new: String, restarts: Bool) -> Change {
                Change(
                    name: name, file: "app/quadlets/svc.container", content: { container.replacing(old, with: "\(new)\($0)") },
                    plan: restarts ? "restart unit svc.service (quadlets/svc.container changed)" : nil)
            }
            try expectPolicy(
                of: [
                    Change(name: "listed", file: "app/conf", content: { "\($0)\n" }, plan: "reload unit svc.service (conf changed)"),
                    Change(name: "unlisted", file: "app/data", content: { "\($0)\n" }, plan: "restart unit svc.service (data changed)"),
                    Change(name: "listed as nothing", file: "app/pages/index", content: { "\($0)\n" }),
                    change("comment", "[Unit]", "[Unit]\n#", restarts: false),
                    change("Description", "A container", "Container ", restarts: false),
                    change("Exec", "infinity", "10000", restarts: true),
                    Change(
                        name: "drop-in", file: "app/quadlets/svc.container.d/x.conf", content: { "[Container]\nEnvironment=A=\($0)\n" },
                        plan: "restart unit svc.service (quadlets/svc.container.d/x.conf changed)"),
                ], on: "box1")
        }

        private func expectPolicy(of changes: [Change], on name: String = "web1") throws {
            for (number, change) in changes.enumerated() {
                for (round, before) in ["running", "stopped", "failed"].enumerated() {
                    let place = Comment(rawValue: "\(change.name), \(before)")
                    switch before {
                    case "running": try host.run("systemctl start \(change.unit)")
                    case "stopped": try host.run("systemctl stop \(change.unit)")
                    default:
                        guard let failing = change.failing else { continue }
                        try host.run("systemctl start \(change.unit)\n\(failing)")
                        try host.wait(for: "[ $(systemctl is-active \(change.unit)) = failed ]")
                    }
                    let was = try state(of: change.unit)
                    try cluster.write("\(name)/\(change.file)", change.content(number * 4 + round))
                    let output = try cluster.deploy().require(0)
                    let lines = output.text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
                        .filter { $0.hasPrefix("restart unit") || $0.hasPrefix("reload unit") || $0.hasPrefix("start unit") }
                    // A drop-in for all services applies to the job's service as well.
                    #expect(lines.filter { change.plan == nil || $0.contains(change.unit) } == (change.plan.map { [$0] } ?? []), place)
                    let now = try state(of: change.unit)
                    guard let plan = change.plan else {
                        #expect(now == was, place)
                        continue
                    }
                    #expect(now.active == "active", place)
                    #expect(now.restarts == "0" || now.restarts == "", place)
                    if before == "running", plan.hasPrefix("reload") {
                        #expect(now.reloads == "\((Int(was.reloads) ?? 0) + 1)", place)
                        #expect([now.invocation, now.process] == [was.invocation, was.process], place)
                    } else {
                        #expect(now.reloads == was.reloads, place)
                        #expect(now.invocation != was.invocation, place)
                    }
                }
            }
        }

        @Test func `a mount gets other options by a reload`() throws {
            func options(_ options: String) throws -> Output {
                try cluster.write(
                    "web1/app/systemd/srv-x.mount",
                    "[Mount]\nWhat=tmpfs\nType=tmpfs\nWhere=/srv/x\nOptions=\(options)\n[Install]\nWantedBy=multi-user.target\n")
                return try cluster.deploy().require(0)
            }
            try cluster.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": ["srv-x.mount"]}}"#)
            try host.run("touch /run/reloads")
            _ = try options("size=1m")
            let was = try state(of: "srv-x.mount").invocation
            #expect(try options("size=2m").text.contains("reload unit srv-x.mount (systemd/srv-x.mount changed)"))
            #expect(try host.run("findmnt --noheadings --output OPTIONS /srv/x").contains("size=2048k"))
            #expect(try state(of: "srv-x.mount").invocation == was)
        }

        @Test func `a failed reload rolls back and loads the old files again`() throws {
            try write()
            try cluster.deploy().require(0)
            let (was, snapshot) = (try state(of: "svc.service"), try host.snapshot())
            try cluster.write("web1/app/conf", "bad\n")
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("web1: rolled back: unit svc.service could not reload"), "\(output)")
            var now = try state(of: "svc.service")
            #expect(now.reloads == "\((Int(was.reloads) ?? 0) + 1)")
            now.reloads = was.reloads
            #expect(now == was)
            expect(try host.snapshot(), is: snapshot)
            // One that ends its process, and one that takes too long.
            for (reload, message) in [
                ("/bin/kill -TERM $MAINPID", "svc.service"), ("/bin/false", "svc.service could not reload (exit-code)"),
                ("/bin/sleep 1000", "svc.service did not"),
            ] {
                try cluster.write("web1/app/conf", "A=0\n")
                try cluster.write("web1/app/manifest.json", manifest.replacing("\"timeout\": 60", with: "\"timeout\": 5"))
                try cluster.write(
                    "web1/app/systemd/svc.service",
                    service(
                        "ExecReload=\nExecReload=/bin/sh -c 'if grep -q bad /var/lib/deptool/apps/app/current/conf; then \(reload); fi'"))
                try cluster.deploy().require(0)
                let before = try host.snapshot()
                try cluster.write("web1/app/conf", "bad\n")
                let output = try cluster.deploy().require(3)
                #expect(output.text.contains("web1: rolled back: unit \(message)"), "\(output)")
                #expect(try host.state(of: "svc.service") == "active")
                expect(try host.snapshot(), is: before)
            }
        }

        @Test func `a reload undone by another app's failure loads the old files`() throws {
            try write()
            try cluster.deploy().require(0)
            let was = try state(of: "svc.service")
            try cluster.write("web1/app/conf", "1\n")
            // Judged after the reload: another unit that is reloaded, and does not come back.
            try cluster.write(
                "web1/last/manifest.json", #"{"systemd": {"units_enabled": ["z.service"], "on_change": {"z.service": {"reload": ["c"]}}}}"#)
            try cluster.write(
                "web1/last/systemd/z.service",
                "[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/false\n[Install]\nWantedBy=multi-user.target\n")
            try cluster.write("web1/last/c", "")
            try cluster.deploy().require(0)
            let loaded = try state(of: "svc.service")
            #expect(Int(loaded.reloads) == (Int(was.reloads) ?? 0) + 1)
            try cluster.write("web1/app/conf", "2\n")
            try cluster.write("web1/last/c", "1")
            try cluster.deploy().require(3)
            let now = try state(of: "svc.service")
            #expect(now.invocation == was.invocation)
            #expect(Int(now.reloads) == (Int(loaded.reloads) ?? 0) + 2)
        }

        @Test func `a failed reload during a rollback prevents none of the others`() throws {
            for name in ["a", "b", "c"] {
                let loaded = "/run/\(name).loaded"
                let load = "/bin/cp /var/lib/deptool/apps/\(name)/current/conf \(loaded)"
                // The second reload of a is refused: that of the rollback.
                let refuse = name == "a" ? "test ! -e /run/once || exit 1; touch /run/once; " : ""
                try cluster.write(
                    "web1/\(name)/manifest.json",
                    #"{"systemd": {"units_enabled": ["\#(name).service"], "on_change": {"\#(name).service": {"reload": ["conf"]}}}"#
                        + (name == "c" ? #", "health": [{"unix": "/run/probed", "within": 1}]}"# : "}"))
                try cluster.write("web1/\(name)/conf", "old\n")
                try cluster.write(
                    "web1/\(name)/systemd/\(name).service",
                    "[Service]\nExecStartPre=\(load)\nExecStart=/bin/sleep infinity\nExecReload=/bin/sh -c '\(refuse)\(load)'\n"
                        + "[Install]\nWantedBy=multi-user.target\n")
            }
            try host.run(
                "systemd-run --quiet systemd-socket-activate --accept --listen=/run/probed true; until [ -S /run/probed ]; do sleep 0.01; done"
            )
            try cluster.deploy().require(0)
            try host.run("rm /run/probed")
            for name in ["a", "b", "c"] { try cluster.write("web1/\(name)/conf", "new\n") }
            let output = try cluster.deploy().require(4)
            #expect(output.text.contains("unit a.service could not reload (exit-code)"), "\(output)")
            #expect(try host.run("cat /run/a.loaded /run/b.loaded /run/c.loaded") == "new\nold\nold\n")
        }

        @Test func `the distribution's units are reloaded and restarted if they run`() throws {
            try host.write(
                "/etc/systemd/system/dist.service",
                "[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/sh -c \"echo >> /run/reloads\"\n")
            try host.write("/etc/systemd/system/fixed.service", "[Service]\nExecStart=/bin/sleep infinity\n")
            try host.run("touch /run/reloads; systemctl daemon-reload; systemctl start dist fixed")
            try cluster.write(
                "web1/tls/manifest.json",
                #"{"systemd": {"on_change": {"dist.service": {"reload": ["cert"], "restart": ["key"]}}}}"#)
            for file in ["cert", "key"] { try cluster.write("web1/tls/\(file)", "") }
            try cluster.deploy().require(0)
            var was = try state(of: "dist.service")
            try cluster.write("web1/tls/cert", "1")
            var output = try cluster.deploy().require(0)
            #expect(output.text.contains("        reload unit dist.service if it runs (cert changed)\n"), "\(output)")
            #expect(Int(try state(of: "dist.service").reloads) == (Int(was.reloads) ?? 0) + 1)
            #expect(try state(of: "dist.service").process == was.process)
            try cluster.write("web1/tls/key", "1")
            output = try cluster.deploy().require(0)
            #expect(output.text.contains("        restart unit dist.service if it runs (key changed)\n"), "\(output)")
            #expect(try state(of: "dist.service").invocation != was.invocation)
            // One that is down stays down.
            try host.run("systemctl stop dist")
            was = try state(of: "dist.service")
            for file in ["cert", "key"] {
                try cluster.write("web1/tls/\(file)", "2")
                try cluster.deploy().require(0)
                #expect(try state(of: "dist.service") == was)
            }
            // One that cannot reload is found before anything changes.
            try cluster.write("web1/tls/manifest.json", #"{"systemd": {"on_change": {"fixed.service": {"reload": ["cert"]}}}}"#)
            try cluster.write("web1/tls/cert", "3")
            let before = try host.snapshot()
            output = try cluster.deploy().require(1)
            #expect(
                output.text.contains("unit fixed.service has to be reloaded, but cannot be (CanReload=no)"),
                "\(output)")
            expect(try host.snapshot(), is: before)
        }
    }
}
