import Testing

extension EndToEnd {
    @Suite final class FirstContactTests {
        let site: Site

        init() throws { site = try Site() }

        @Test func `a pristine host gets the agent, the app, and nothing else`() throws {
            let host = try site.boot()
            let before = try host.paths()
            let cluster = try Cluster(site)
            try cluster.addService("clock", on: "web1")
            try cluster.write("web1/clock/etc/zone", "Europe/Berlin\n")

            let output = try cluster.deploy()

            #expect(output.code == 0)
            #expect(output.errors == "")
            #expect(
                output.stable == """
                    web1 (new host)
                        add clock
                            + etc/zone
                            + manifest.json
                            + systemd/clock.service
                            place unit clock.service
                            reload systemd
                            enable unit clock.service
                            start unit clock.service (restart it if it runs with other files)

                      web1: connecting
                      web1: installing the agent
                      web1: connected
                      web1: locking
                      web1: staging
                      web1: ready
                      web1: changing files and links
                      web1: reloading systemd
                      web1: enabling clock.service
                      web1: starting clock.service
                      web1: checking clock.service
                      web1: done

                    Deployed to 1 host in N s.

                    """)
            expect(
                try host.layout(),
                is: """
                    bin 755
                    bin/deptool-agent-0.1.0-HASH 755
                    store 700
                    store/lock 600
                    store/log 600
                    store/record 600
                    """)
            expect(
                try host.apps(),
                is: """
                    clock/
                    clock/current -> v1
                    clock/v1/
                    clock/v1/etc/
                    clock/v1/etc/zone
                    clock/v1/manifest.json
                    clock/v1/systemd/
                    clock/v1/systemd/clock.service
                    """)
            expect(try host.links(), is: "")
            #expect(try host.run("stat -c %F /etc/systemd/system/clock.service") == "regular file\n")
            #expect(try host.state(of: "clock") == "active")
            #expect(try host.enablement(of: "clock") == "enabled")
            #expect(try host.agents() == [])
            let added = try host.paths().subtracting(before)
            #expect(added.filter { !$0.hasPrefix("/var/lib/deptool") && !$0.hasSuffix("/clock.service") } == [])
        }
    }
}
