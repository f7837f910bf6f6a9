import Testing

extension EndToEnd {
    /// The whole life of a host, on everything that a host may be.
    @Suite final class FlavourTests {
        let site: Site

        init() throws { site = try Site() }

        /// Those of the CPUs that there are agents for.
        static let flavours =
            [Site.Flavour.debian12, .debian13, .readonly, .busybox, .aarch64]
            + [(Site.Flavour.riscv64, "riscv64"), (.armv7l, "armv7l")].filter { AgentTests.cpus.contains($0.1) }.map(\.0)

        @Test(arguments: flavours)
        func `first contact, update, rollback and removal`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            let cluster = try Cluster(site)
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/app.conf": "app.conf"}}"#)
            try cluster.write("web1/app/app.conf", "one\n")
            try cluster.deploy().require(0)
            #expect(try host.read("/etc/app.conf") == "one\n")
            #expect(try host.run("ls /var/lib/deptool/bin | wc -l").contains("1"))

            try cluster.write("web1/app/app.conf", "two\n")
            if flavour.hasSystemd { try cluster.addService("web", on: "web1") }
            try cluster.deploy().require(0)
            #expect(try host.read("/etc/app.conf") == "two\n")
            if flavour.hasSystemd { #expect(try host.state(of: "web") == "active") }

            try cluster.write("web1/app/app.conf", "three\n")
            try cluster.write("web1/extra/file", "")
            if flavour.hasSystemd {
                try cluster.addService("web", on: "web1", run: "/bin/false")
            } else {
                // Nothing can be made in /proc.
                try cluster.write("web1/extra/manifest.json", #"{"symlinks": {"/proc/none/extra.conf": "file"}}"#)
            }
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("The previous state is back."), "\(output)")
            #expect(try host.read("/etc/app.conf") == "two\n")
            #expect(try host.run("ls /var/lib/deptool/apps") == (flavour.hasSystemd ? "app\nweb\n" : "app\n"))
            if flavour.hasSystemd { #expect(try host.state(of: "web") == "active") }

            for app in ["app", "extra"] + (flavour.hasSystemd ? ["web"] : []) { try cluster.remove("web1/\(app)") }
            try cluster.deploy().require(0)
            #expect(try host.run("ls /var/lib/deptool/apps; [ ! -e /etc/app.conf ]") == "")
        }

        @Test func `units on a host without systemd are refused, and nothing changes`() throws {
            let host = try site.boot("web1", .busybox)
            let cluster = try Cluster(site)
            try cluster.addService("web", on: "web1")
            let output = try cluster.deploy().require(1)
            #expect(output.text.contains("\n  web1: has no systemd to run web.service\n"))
            #expect(try host.run("ls /var/lib/deptool") == "bin\n")
        }
    }
}
