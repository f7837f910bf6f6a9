import Testing

extension EndToEnd {
    /// `examples/generated`: one config tree from one inventory, made in three ways by the render hook.
    @Suite final class GeneratedExampleTests: NameServers {
        init() throws { try super.init("generated") }

        @Test func `every renderer of the inventory gives the hosts the same files`() throws {
            try renderWith("./render.sh")
            try cluster.deploy().require(0)
            for host in [ns1, ns2] {
                #expect(try host.dig("db1.home.arpa") == "192.0.2.20\n")
                #expect(try host.dig("CH", "TXT", "id.server") == "\"\(host.name)\"\n")
            }
            for renderer in ["./render.py", "./render-jsonnet"] {
                try renderWith(renderer)
                try cluster.run("rm -r prod")
                #expect(try cluster.deptool("plan").require(0).text == nothingToDo)
            }

            // A change of the inventory is all it takes.
            try cluster.run("sed -i 's/192.0.2.20$/192.0.2.21/; $a\\mail1 192.0.2.25' inventory")
            let plan = """
                ns1
                    update nsd
                        ~ home.arpa.zone
                        restart unit nsd.service (home.arpa.zone changed)

                ns2
                    update nsd
                        ~ home.arpa.zone
                        restart unit nsd.service (home.arpa.zone changed)

                """
            for renderer in ["./render.sh", "./render-jsonnet", "./render.py"] {
                try renderWith(renderer)
                expect(try cluster.deptool("plan").require(0).text, is: plan)
            }
            try cluster.deploy().require(0)
            for host in [ns1, ns2] { #expect(try host.dig("db1.home.arpa", "mail1.home.arpa") == "192.0.2.21\n192.0.2.25\n") }

            // A tree that cannot be rendered is not deployed, and one that NSD rejects rolls back.
            try cluster.run("sed -i 's/^mail1.*/mail1/' inventory")
            #expect(try cluster.deploy().require(1).text == "")
            try cluster.run("sed -i 's/^mail1.*/mail1 192.0.2.256/' inventory")
            #expect(try cluster.deploy().require(3).text.contains("invalid IPv4 address '192.0.2.256'"))
            for host in [ns1, ns2] { #expect(try host.dig("mail1.home.arpa") == "192.0.2.25\n") }
        }

        private func renderWith(_ hook: String) throws {
            try cluster.deptool("init", "prod", "--render", hook).require(0)
        }
    }
}
