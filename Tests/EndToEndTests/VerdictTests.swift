import Foundation
import Testing

extension EndToEnd {
    /// Whether a unit is well, for every way to end: after a deploy, after a rollback, and in `verify`.
    @Suite struct VerdictTests {
        private struct Case {
            var name: String
            var lines: String
            /// How it is judged, as far as that is for sure; nil for well.
            var problem: String?
        }

        /// Units by their type, when and how they end, their resulting state, and whether their conditions hold. They end
        /// immediately, within a moment, or later.
        private static let cases: [Case] = {
            var cases: [Case] = []
            func add(_ name: String, _ lines: String, _ problem: String? = nil) {
                cases.append(Case(name: name, lines: lines, problem: problem))
            }
            for type in ["simple", "exec", "idle"] {
                for (when, sleep) in [("now", ""), ("soon", "sleep 0.2; ")] {
                    let ends = "Type=\(type)\nExecStart=/bin/sh -c \"\(sleep)exit"
                    add("\(type)-\(when)-0", ends + " 0\"", "exited with status 0 although it should keep running")
                    add("\(type)-\(when)-7", ends + " 7\"", "failed (exit-code, status 7)")
                    add("\(type)-\(when)-7-fine", "SuccessExitStatus=7\n" + ends + " 7\"", "exited with status")
                    add("\(type)-\(when)-0-remains", "RemainAfterExit=yes\n" + ends + " 0\"")
                    add("\(type)-\(when)-0-restart", "Restart=always\n" + ends + " 0\"", "crashed and")
                    add("\(type)-\(when)-7-restart", "Restart=on-failure\n" + ends + " 7\"", "crashed and")
                    add("\(type)-\(when)-0-no-restart", "Restart=on-failure\n" + ends + " 0\"", "exited with status 0")
                    add("\(type)-\(when)-7-forgotten", "[Unit]\nCollectMode=inactive-or-failed\n[Service]\n" + ends + " 7\"", "")
                }
                add("\(type)-runs", "Type=\(type)\nExecStart=/bin/sleep infinity")
            }
            for type in ["oneshot", "simple", "exec", "notify", "forking"] {
                let start = "Type=\(type)\nExecStart=/bin/sleep infinity"
                add("\(type)-condition", "[Unit]\nConditionPathExists=/nowhere\n[Service]\n" + start)
                add("\(type)-exec-condition", "ExecCondition=/bin/false\n" + start)
                add("\(type)-assert", "[Unit]\nAssertPathExists=/nowhere\n[Service]\n" + start, "")
            }
            for (name, line) in [("once", ""), ("remains", "RemainAfterExit=yes\n")] {
                add("oneshot-\(name)-0", line + "Type=oneshot\nExecStart=/bin/sh -c \"exit 0\"")
                add("oneshot-\(name)-7", line + "Type=oneshot\nExecStart=/bin/sh -c \"exit 7\"", "failed (exit-code, status 7)")
            }
            add("notify-0", "Type=notify\nExecStart=/bin/true", "failed (protocol)")
            return cases
        }()

        private func write(_ cluster: Cluster, _ one: Case) throws {
            let wanted = "[Install]\nWantedBy=multi-user.target\n"
            try cluster.write("web1/app/systemd/\(one.name).service", "[Service]\n\(one.lines)\n\(wanted)")
        }

        @Test(arguments: Site.Flavour.debians)
        func `a unit that ends is judged by its result and its conditions`(flavour: Site.Flavour) throws {
            let scene = try OneHost(flavour)
            let (cluster, host) = (scene.cluster, scene.host)
            try cluster.addService("keep", on: "web1")
            try cluster.deploy().require(0)
            let before = try host.units()
            // Each unhealthy unit alone, and the healthy ones together.
            let well = Self.cases.filter { $0.problem == nil }
            for one in Self.cases where one.problem != nil {
                try write(cluster, one)
                try cluster.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": ["\#(one.name).service"]}}"#)
                let output = try cluster.deploy()
                #expect(output.code == 3, "\(one.name): \(output)")
                let problem = try #require(one.problem)
                if !problem.isEmpty {
                    #expect(output.text.contains("rolled back: unit \(one.name).service \(problem)"), "\(one.name): \(output)")
                }
                #expect(output.text.contains("The previous state is back"), "\(one.name): \(output)")
                try cluster.remove("web1/app")
            }
            expect(try host.units(), is: before)
            for one in well { try write(cluster, one) }
            let list = well.map { "\"\($0.name).service\"" }.joined(separator: ", ")
            try cluster.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": [\#(list)]}}"#)
            try cluster.deploy().require(0)
            func verify() throws {
                let output = try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration)
                #expect(output.code == 0, "\(output)")
            }
            try verify()
            // systemd has loaded more units now.
            try host.run("systemctl daemon-reload")
            try verify()
            // The same verdict for the old state, when something else fails.
            let running = try host.units()
            for one in well {
                try cluster.write(
                    "web1/app/systemd/\(one.name).service",
                    "[Unit]\nDescription=New\n[Service]\n\(one.lines)\n[Install]\nWantedBy=multi-user.target\n")
            }
            try cluster.addService("zfails", on: "web1", run: "/bin/false")
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("The previous state is back"), "\(output)")
            expect(try host.units(), is: running)
        }

        @Test(arguments: Site.Flavour.debians)
        func `a unit that has ended or was stopped is drift`(flavour: Site.Flavour) throws {
            let scene = try OneHost(flavour)
            let (cluster, host) = (scene.cluster, scene.host)
            try cluster.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": ["app.service"]}}"#)
            // Nothing refers to it, so that systemd forgets it when it is down.
            try cluster.write(
                "web1/app/systemd/app.service", "[Unit]\nConditionPathExists=!/nowhere\n[Service]\nExecStart=/bin/sleep infinity\n")
            try cluster.deploy().require(0)
            try host.run("systemctl kill app")
            try host.wait(for: "! systemctl is-active --quiet app")
            let output = try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration)
            #expect(output.text.contains("unit app.service is stopped"), "\(output)")
        }
    }
}
