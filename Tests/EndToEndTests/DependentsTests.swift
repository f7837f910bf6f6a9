import Foundation
import Testing

extension EndToEnd {
    /// Effects of a step on units that the plan does not name.
    @Suite struct DependentsTests {
        /// A database that does not start with a bad configuration, a web app that cannot do without it, and a unit of the host's
        /// own that cannot either, or is dragged along by it in another way.
        private final class Database: OneHost {
            init(_ flavour: Site.Flavour, own: String, web: String = "Requires=db.service\nAfter=db.service") throws {
                try super.init(flavour)
                try host.write("/etc/systemd/system/own.service", "[Unit]\n\(own)\n" + Self.sleep + Self.install)
                try cluster.write("web1/db/manifest.json", #"{"systemd": {"units_enabled": ["db.service"]}}"#)
                try cluster.write("web1/db/db.conf", "ok 1\n")
                try cluster.write(
                    "web1/db/systemd/db.service",
                    "[Service]\nExecStartPre=/bin/grep -q ok /var/lib/deptool/apps/db/current/db.conf\nExecStart=/bin/sleep infinity\n"
                        + Self.install)
                try cluster.write("web1/web/manifest.json", #"{"systemd": {"units_enabled": ["web.service"]}}"#)
                try cluster.write("web1/web/systemd/web.service", "[Unit]\n\(web)\n" + Self.sleep + Self.install)
                try cluster.deploy().require(0)
                try host.run("systemctl daemon-reload && systemctl enable own && systemctl start own")
            }

            static let sleep = "[Service]\nExecStart=/bin/sleep infinity\n"
            static let install = "[Install]\nWantedBy=multi-user.target\n"
        }

        /// How one unit can be dragged along by another.
        private static let relations = [
            "Requires=db.service\nAfter=db.service", "Requires=db.service", "BindsTo=db.service\nAfter=db.service",
            "PartOf=db.service", "Requisite=db.service\nAfter=db.service", "Requires=web.service\nAfter=web.service",
            "PartOf=web.service\nAfter=web.service",
        ]

        @Test(arguments: Site.Flavour.debians, relations)
        func `units that stopped with a failed unit are running again`(flavour: Site.Flavour, relation: String) throws {
            let scene = try Database(flavour, own: relation)
            let (cluster, host) = (scene.cluster, scene.host)
            let before = try host.units()

            try cluster.write("web1/db/db.conf", "bad\n")
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("The previous state is back."), "\(output)")
            expect(try host.units(), is: before)

            try cluster.write("web1/db/db.conf", "ok 2\n")
            try cluster.deploy().require(0)
            expect(try host.units(), is: before)
        }

        @Test(arguments: Site.Flavour.debians)
        func `a dependent that does not start again fails the deploy and is named`(flavour: Site.Flavour) throws {
            let scene = try Database(flavour, own: "Requires=db.service\nAfter=db.service")
            let (cluster, host) = (scene.cluster, scene.host)
            // It starts as long as the configuration has the number 1.
            try host.run(
                """
                mkdir /etc/systemd/system/own.service.d && cd /etc/systemd/system/own.service.d
                printf '[Service]\\nExecStartPre=/bin/grep 1 /var/lib/deptool/apps/db/current/db.conf\\n' >check.conf
                systemctl daemon-reload
                """)
            let before = try host.units()
            try cluster.write("web1/db/db.conf", "ok 2\n")
            let output = try cluster.deploy().require(3)
            #expect(
                output.text.contains(
                    "\n  web1: rolled back: unit own.service went down with db.service and did not come up again: it is failed\n"),
                "\(output)")
            #expect(output.text.contains("The previous state is back."))
            expect(try host.units(), is: before)
        }

        @Test(arguments: Site.Flavour.debians)
        func `a unit of the host that conflicts with a new one is not stopped for good`(flavour: Site.Flavour) throws {
            let scene = try OneHost(flavour)
            let (cluster, host) = (scene.cluster, scene.host)
            try host.write(
                "/etc/systemd/system/oldtime.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
            try host.run("systemctl daemon-reload && systemctl enable oldtime && systemctl start oldtime")
            let before = try host.units()
            try cluster.addService("newtime", on: "web1")
            try cluster.edit(
                "web1/newtime/systemd/newtime.service", replacing: "[Service]", with: "[Unit]\nConflicts=oldtime.service\n[Service]")

            // With another app that fails.
            try cluster.addService("zfails", on: "web1", run: "/bin/false")
            try cluster.deploy().require(3)
            expect(try host.units(), is: before)

            // By itself: the plan does not name it.
            try cluster.remove("web1/zfails")
            let output = try cluster.deploy().require(3)
            expect(
                output.stable.split(separator: "\n\n").suffix(2).joined(separator: "\n\n").replacing(#/(?m)^ +\| .*\n/#, with: ""),
                is: """
                    web1: unit oldtime.service was stopped by the start of newtime.service, which conflicts with it.
                    To run newtime.service instead, stop and disable oldtime.service on the host first.
                    The previous state is back.

                    Rolled back 1 host, in N s.

                    """)
            expect(try host.units(), is: before)

            // Stopped on purpose, it stays so.
            try host.run("systemctl disable --now oldtime")
            try cluster.deploy().require(0)
            #expect(try host.state(of: "newtime") == "active")
            #expect(try host.state(of: "oldtime") == "inactive")
        }

        @Test(arguments: Site.Flavour.debians)
        func `a unit that the plan stops for good takes its parts along, and nothing else`(flavour: Site.Flavour) throws {
            let scene = try Database(flavour, own: "PartOf=db.service", web: "After=db.service")
            let (cluster, host) = (scene.cluster, scene.host)
            try host.write("/etc/systemd/system/needs.service", "[Unit]\nRequires=db.service\n[Service]\nExecStart=/bin/sleep infinity\n")
            try host.run("systemctl daemon-reload && systemctl start needs")
            let before = try host.units()
            try cluster.write("web1/db/manifest.json", "{}")
            let output = try cluster.deploy().require(3)
            #expect(
                output.text.contains("rolled back: unit needs.service went down with db.service and did not come up again\n"), "\(output)")
            expect(try host.units(), is: before)

            try host.run("systemctl stop needs")
            try cluster.deploy().require(0)
            #expect(try host.run("systemctl is-active own db web || true") == "inactive\ninactive\nactive\n")
        }

        @Test(arguments: Site.Flavour.debians)
        func `units pulled in by a new unit stop with it`(flavour: Site.Flavour) throws {
            let scene = try OneHost(flavour)
            let (cluster, host) = (scene.cluster, scene.host)
            try host.write("/etc/systemd/system/idle.service", "[Service]\nExecStart=/bin/sleep infinity\n")
            try host.run("systemctl daemon-reload")
            let before = try host.units()
            try cluster.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": ["app.service"]}}"#)
            try cluster.write(
                "web1/app/systemd/app.service",
                "[Unit]\nWants=idle.service helper.service work@1.service\nOnFailure=alarm.service\n[Service]\nExecStart=/bin/sleep infinity\n"
                    + "[Install]\nWantedBy=multi-user.target\n")
            try cluster.write(
                "web1/app/systemd/helper.service", "[Unit]\nRequires=deep.service\n[Service]\nExecStart=/bin/sleep infinity\n")
            for unit in ["deep", "alarm", "work@"] {
                try cluster.write("web1/app/systemd/\(unit).service", "[Service]\nExecStart=/bin/sleep infinity\n")
            }
            try cluster.addService("zfails", on: "web1", run: "/bin/false")
            try cluster.deploy().require(3)
            expect(try host.units(), is: before)
        }

        @Test(arguments: Site.Flavour.debians)
        func `units that end by themselves or lose their file fail no deploy`(flavour: Site.Flavour) throws {
            let scene = try OneHost(flavour)
            let (cluster, host) = (scene.cluster, scene.host)
            // Jobs that end while the deploy waits for db; one is started by a timer.
            let job = "[Unit]\nRequires=db.service\nAfter=db.service\n[Service]\n"
            try host.write(
                "/etc/systemd/system/once.service",
                job + "Type=oneshot\nExecStart=/bin/sh -c \"while [ ! -e /run/go ]; do sleep 0.01; done\"\n")
            try host.write(
                "/etc/systemd/system/timed.service", job + "ExecStart=/bin/sh -c \"while [ ! -e /run/go ]; do sleep 0.01; done\"\n")
            try host.write("/etc/systemd/system/timed.timer", "[Timer]\nOnCalendar=2001-02-03\n")
            try host.write(
                "/etc/systemd/system/free.service", "[Service]\nExecStart=/bin/sh -c \"while [ ! -e /run/go ]; do sleep 0.01; done\"\n")
            try cluster.addService("db", on: "web1", before: "/bin/touch /run/go")
            try cluster.write("web1/main/manifest.json", #"{"systemd": {"units_enabled": ["main.service"]}}"#)
            try cluster.write(
                "web1/main/systemd/main.service",
                "[Unit]\nWants=part.service\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
            try cluster.write("web1/main/systemd/part.service", "[Unit]\nPartOf=main.service\n[Service]\nExecStart=/bin/sleep infinity\n")
            try cluster.deploy().require(0)
            #expect(try host.state(of: "part") == "active")
            try host.run("rm /run/go; systemctl daemon-reload; systemctl start timed.timer; systemctl --no-block start once timed free")
            try host.wait(for: "[ \"$(systemctl is-active once timed free | xargs)\" = 'activating active active' ]")

            try cluster.edit("web1/db/systemd/db.service", replacing: "[Service]", with: "[Service]\nNice=1")
            try cluster.remove("web1/main")
            try cluster.deploy().require(0)
            #expect(try host.run("systemctl is-active main part free || true") == "inactive\ninactive\ninactive\n")
        }
    }

    /// Units that were not well before a deploy.
    @Suite struct AilingUnitTests {
        private func scene(_ flavour: Site.Flavour, _ service: String) throws -> OneHost {
            let scene = try OneHost(flavour)
            let cluster = scene.cluster
            try cluster.addService("other", on: "web1")
            try cluster.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": ["app.service"]}}"#)
            try cluster.write(
                "web1/app/systemd/app.service",
                "[Service]\nExecStart=/bin/sh -c 'if [ -e /run/ill ]; then exit 7; fi; exec sleep infinity'\n\(service)\n"
                    + "[Install]\nWantedBy=multi-user.target\n")
            try cluster.deploy().require(0)
            try scene.host.run("touch /run/ill; systemctl restart app || true")
            return scene
        }

        /// The step at which the deploy fails, so that the rollback finds the failing unit in different states.
        enum Failing: CaseIterable { case itself, another, anotherWhileItIsWell }

        @Test(arguments: Site.Flavour.debians, Failing.allCases)
        func `a unit that had failed is failed again after a rollback`(flavour: Site.Flavour, failing: Failing) throws {
            let scene = try scene(flavour, "")
            let (cluster, host) = (scene.cluster, scene.host)
            try host.wait(for: "systemctl is-failed --quiet app")
            let before = try host.units()
            switch failing {
            case .itself: try cluster.write("web1/app/file", "1\n")
            case .another: try cluster.addService("other", on: "web1", run: "/bin/false")
            case .anotherWhileItIsWell:
                try cluster.edit("web1/app/systemd/app.service", replacing: "/run/ill", with: "/run/none")
                try cluster.addService("other", on: "web1", run: "/bin/false")
            }
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("The previous state is back."), "\(output)")
            try host.wait(for: "systemctl is-failed --quiet app")
            expect(try host.units(), is: before)
        }

        @Test(
            arguments: Site.Flavour.debians, ["Restart=always\nRestartSec=50ms\nStartLimitIntervalSec=0", "Restart=always\nRestartSec=1h"])
        func `a unit that crashed again and again does not break a rollback`(flavour: Site.Flavour, restart: String) throws {
            let scene = try scene(flavour, restart.replacing("\nStartLimitIntervalSec=0", with: ""))
            let (cluster, host) = (scene.cluster, scene.host)
            try host.wait(
                for: "[ $(systemctl show --value -p NRestarts app) -gt 0 ] || [ $(systemctl show --value -p SubState app) = auto-restart ]")
            try cluster.write("web1/app/file", "1\n")
            try cluster.addService("other", on: "web1", run: "/bin/false")
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("The previous state is back."), "\(output)")
            try host.wait(for: "systemctl show --value -p SubState app | grep -q 'auto-restart\\|failed'")
            #expect(try host.state(of: "other") == "active")
        }

        @Test(arguments: Site.Flavour.debians)
        func `a removed unit that had failed is no alarm any more`(flavour: Site.Flavour) throws {
            let scene = try scene(flavour, "")
            try scene.host.wait(for: "systemctl is-failed --quiet app")
            try scene.cluster.remove("web1/app")
            try scene.cluster.deploy().require(0)
            #expect(try scene.host.run("systemctl is-system-running || true") == "running\n")
        }
    }
}
