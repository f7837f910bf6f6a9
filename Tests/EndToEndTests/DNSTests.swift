import Testing

extension EndToEnd {
    /// `examples/dns`, deployed to two name servers.
    @Suite final class DNSTests: NameServers {
        init() throws {
            try super.init("dns")
            try cluster.deploy().require(0)
        }

        @Test func `both name servers answer, also with a changed zone`() throws {
            for host in [ns1, ns2] {
                #expect(try host.dig("www.example.com") == "192.0.2.80\n")
                #expect(try host.dig("CH", "TXT", "id.server") == "\"\(host.name).example.com\"\n")
            }
            let (running, untouched) = (try ns1.invocation(of: "nsd"), try ns2.invocation(of: "nsd"))
            try cluster.edit("ns1/nsd/zones/example.com.zone", replacing: "192.0.2.80", with: "192.0.2.81")

            let output = try cluster.deploy()

            expect(
                output.stable,
                is: """
                    ns1
                        update nsd
                            ~ zones/example.com.zone
                            check ./check before anything changes
                            reload unit nsd.service (zones/example.com.zone changed)
                            probe dns 127.0.0.1:53 for example.com SOA
                            probe dns 127.0.0.1:53 for example.org SOA

                      ns1: connecting
                      ns1: connected
                      ns1: locking
                      ns1: staging
                      ns1: checking the files
                      ns1: ready
                      ns1: changing files and links
                      ns1: reloading nsd.service
                      ns1: checking nsd.service
                      ns1: probing dns 127.0.0.1:53 for example.com SOA
                      ns1: probing dns 127.0.0.1:53 for example.org SOA
                      ns1: done

                    Deployed to 1 host in N s.

                    """)
            try waitFor("192.0.2.81", from: ns1, "www.example.com")
            #expect(try ns2.dig("www.example.com") == "192.0.2.80\n")
            #expect(try ns1.invocation(of: "nsd") == running)
            #expect(try ns2.invocation(of: "nsd") == untouched)

            // The way back is a reload, too.
            try cluster.deptool("undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration).require(0)
            try waitFor("192.0.2.80", from: ns1, "www.example.com")
            #expect(try ns1.invocation(of: "nsd") == running)
        }

        @Test func `a mistake in a zone changes no host, and a server that does not answer rolls back`() throws {
            let before = (try ns1.snapshot(), try ns2.snapshot(), try cluster.references().split(separator: "\n"))
            try cluster.edit("ns1/nsd/zones/example.com.zone", replacing: "IN AAAA 2001:db8::80", with: "IN AAAA 2001:db8::x")
            try cluster.edit("ns2/nsd/zones/example.org.zone", replacing: "192.0.2.80", with: "192.0.2.82")

            var output = try cluster.deploy().require(1)

            var message = last(2, of: output)
            #expect(message.hasPrefix("ns1: check `./check` of nsd failed (status 1):\n    | "), "\(message)")
            #expect(message.contains("error: zones/example.com.zone:21: "), "\(message)")
            #expect(message.hasSuffix("\n\nNothing was changed.\n"), "\(message)")
            expect(try ns1.snapshot(), is: before.0)
            expect(try ns2.snapshot(), is: before.1)
            #expect(try ns2.dig("www.example.org") == "192.0.2.80\n")
            #expect(try cluster.references().split(separator: "\n") == before.2)

            // No check finds this one.
            try cluster.edit("ns1/nsd/zones/example.com.zone", replacing: "2001:db8::x", with: "2001:db8::81")
            try cluster.edit("ns1/nsd/nsd.conf", replacing: "port: 53\n", with: "port: 5353\n")

            output = try cluster.deploy().require(3)

            message = last(2, of: output)
            #expect(
                message.hasPrefix(
                    "ns1: dns 127.0.0.1:53 for example.com SOA cannot be reached: nothing listens; its last journal lines:\n    | "),
                "\(message)")
            #expect(
                message.hasSuffix(
                    "\nThe previous state is back and passes its probes.\n\nDeployed to 1 host, rolled back 1 host, in N s.\n"),
                "\(message)")
            #expect(try ns1.dig("AAAA", "www.example.com") == "2001:db8::80\n")
            try waitFor("192.0.2.82", from: ns2, "www.example.org")
            expect(try ns1.snapshot(), is: before.0)
            #expect(try ns1.state(of: "nsd") == "active")
            #expect(try ns1.outcomes() == ["deployed", "rolled-back"])
            #expect(try ns2.outcomes() == ["deployed", "deployed"])
            let references = try cluster.references().split(separator: "\n")
            #expect(references[0] == before.2[0])
            #expect(references[1] != before.2[1])

            // A rolled back change stays in the plan, and the corrected configuration can be deployed.
            #expect(
                try cluster.deptool("plan").text.hasPrefix("ns1\n    update nsd\n        ~ nsd.conf\n        ~ zones/example.com.zone\n"))
            try cluster.edit("ns1/nsd/nsd.conf", replacing: "port: 5353\n", with: "port: 53\n")
            try cluster.deploy().require(0)
            try waitFor("2001:db8::81", from: ns1, "AAAA", "www.example.com")
        }

        /// The last paragraphs of an output.
        private func last(_ count: Int, of output: Output) -> String {
            output.stable.split(separator: "\n\n", omittingEmptySubsequences: false).suffix(count).joined(separator: "\n\n")
        }

        /// NSD reads a zone again after it got the signal, and answers meanwhile.
        private func waitFor(_ answer: String, from host: Host, _ question: String...) throws {
            let dig = "dig +short +time=2 +tries=2 @\(host.address) \(question.joined(separator: " "))"
            try cluster.startScript("until [ \"$(\(dig))\" = '\(answer)' ]; do sleep 0.05; done").finish().require(0)
        }
    }
}
