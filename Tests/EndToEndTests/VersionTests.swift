import Foundation
import Testing

extension EndToEnd {
    /// The tool of an earlier release and this one, on the same stores and the same hosts (Manual/versioning.md). An
    /// older tool refuses newer data and changes nothing.
    @Suite(.enabled(if: Tools.previous != nil, "DEPTOOL_PREVIOUS is not set; `make compatible` sets it"))
    final class VersionTests: OneHost {
        /// The first one to deploy.
        enum Order: String, CaseIterable, CustomTestStringConvertible {
            case older = "first the older, then the newer"
            case newer = "first the newer, then the older"

            var testDescription: String { rawValue }
            var first: String { self == .older ? Tools.previous ?? "" : Tools.deptool }
            var second: String { self == .older ? Tools.deptool : Tools.previous ?? "" }
        }

        override init() throws {
            try super.init()
            try cluster.addService("web", on: "web1")
            try cluster.write("web1/web/web.conf", "one\n")
            try cluster.write("web1/notes/manifest.json", #"{"symlinks": {"/etc/notes": "notes"}}"#)
            try cluster.write("web1/notes/notes", "a\n")
        }

        /// Runs `body`, which must succeed, or must be refused by an older tool in plain words, with nothing changed.
        /// Returns whether it succeeded.
        private func allowed(_ order: Order, _ body: () throws -> Output) throws -> Bool {
            let (files, references) = (try host.snapshot(), try cluster.references())
            let output = try body()
            if output.code == 0 { return true }
            let text = output.text + output.errors
            #expect(order == .newer, "a newer tool reads what an older one wrote: \(text)")
            #expect(text.contains("newer") || text.contains("version"), "\(text)")
            #expect(!text.contains("Fatal"), "\(text)")
            #expect(try host.snapshot() == files)
            #expect(try cluster.references() == references)
            return false
        }

        @Test(arguments: Order.allCases) func `one deploys, the other changes and undoes`(_ order: Order) throws {
            cluster.tool = order.first
            try cluster.deploy().require(0)
            let unit = try host.invocation(of: "web.service")

            cluster.tool = order.second
            #expect(try cluster.deptool("plan").text.hasPrefix("Nothing to do"))
            #expect(try cluster.deptool("log").text.contains("web1"))
            let config = cluster.sshConfiguration
            guard try allowed(order, { try cluster.deptool("verify", "--ssh-config", config) }) else { return }
            #expect(try host.invocation(of: "web.service") == unit)

            try cluster.edit("web1/web/web.conf", replacing: "one", with: "two")
            guard try allowed(order, { try cluster.deploy() }) else { return }
            #expect(try host.read("/var/lib/deptool/apps/web/current/web.conf") == "two\n")
            try cluster.deptool("undo", "--no-confirm", "--ssh-config", config).require(0)
            #expect(try host.read("/var/lib/deptool/apps/web/current/web.conf") == "one\n")

            // And back again.
            cluster.tool = order.first
            try cluster.edit("web1/web/web.conf", replacing: "two", with: "three")
            try cluster.edit("web1/notes/notes", replacing: "a", with: "b")
            try cluster.deploy().require(0)
            #expect(try host.read("/etc/notes") == "b\n")
            #expect(try cluster.deptool("log").text.contains("web1"))
        }

        @Test(arguments: Order.allCases) func `one is interrupted, the other finds the old state`(_ order: Order) throws {
            cluster.tool = order.first
            try cluster.deploy().require(0)
            let old = try host.snapshot()
            try cluster.addService("slow", on: "web1", before: "/bin/sleep 600")
            try cluster.edit("web1/web/web.conf", replacing: "one", with: "two")
            let deploy = try cluster.startDeploy()
            try deploy.expect("starting slow.service\n")
            try host.killAgents()
            #expect(try deploy.finish().code == 5)

            cluster.tool = order.second
            let ping = try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration)
            if ping.code != 0 {
                #expect(order == .newer && (ping.text + ping.errors).contains("newer"), "\(ping)")
                cluster.tool = order.first
                try cluster.deptool("sync", "--ssh-config", cluster.sshConfiguration).require(0)
            }
            func stable(_ text: String) -> [Substring] {
                text.split(separator: "\n").filter { !$0.contains("/var/lib/deptool/") && !$0.contains("deptool-recover") }
            }
            #expect(stable(try host.snapshot()) == stable(old))
            #expect(try host.state(of: "web.service") == "active")
            #expect(try host.state(of: "slow.service") != "active")
            #expect(!(try host.isLocked))
        }

        @Test(arguments: Order.allCases) func `one writes a plan file, the other deploys it or refuses it`(_ order: Order) throws {
            cluster.tool = order.first
            try cluster.deptool("plan", "--out", "changes.plan")
            cluster.tool = order.second
            guard try allowed(order, { try cluster.deploy("changes.plan") }) else { return }
            #expect(try host.read("/etc/notes") == "a\n")
        }

        @Test(arguments: Order.allCases) func `two operators with different builds deploy to one host`(_ order: Order) throws {
            let other = try Cluster(site, of: "Bob")
            (cluster.tool, other.tool) = (order.first, order.second)
            try cluster.deploy().require(0)
            try other.run("cp -R \(cluster.directory)/prod/. prod/")
            let config = other.sshConfiguration
            guard try allowed(order, { try other.deptool("sync", "--ssh-config", config) }) else { return }
            try other.write("web1/web/web.conf", "bob\n")
            guard try allowed(order, { try other.deploy() }) else { return }
            // The first operator's store is behind: the deploy reports this and changes nothing.
            try cluster.write("web1/web/web.conf", "ann\n")
            #expect(try cluster.deploy().code != 0)
            #expect(try host.read("/var/lib/deptool/apps/web/current/web.conf") == "bob\n")
            try cluster.deptool("sync", "--ssh-config", config).require(0)
            try cluster.deploy().require(0)
            #expect(try host.read("/var/lib/deptool/apps/web/current/web.conf") == "ann\n")
        }
    }
}
