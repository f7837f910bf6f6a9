import Testing

extension EndToEnd {
    /// `examples/dns`, deployed to two name servers.
    @Suite final class DNSTests: NameServers {
        init() throws {
            try super.init("dns")
            try cluster.deploy().require(0)
        }

        @Test func `both name servers answer, and a changed zone answers anew`() throws {
            for host in [ns1, ns2] {
                #expect(try host.dig("www.example.com") == "192.0.2.80\n")
                #expect(try host.dig("CH", "TXT", "id.server") == "\"\(host.name).example.com\"\n")
            }
            let untouched = try ns2.invocation(of: "nsd")
            try cluster.edit("ns1/nsd/zones/example.com.zone", replacing: "192.0.2.80", with: "192.0.2.81")

            let output = try cluster.deploy()

            expect(
                output.stable,
                is: """
                    ns1
                        update nsd
                            ~ zones/example.com.zone
                            restart unit nsd.service (zones/example.com.zone changed)

                      ns1: connecting
                      ns1: connected
                      ns1: locking
                      ns1: staging
                      ns1: ready
                      ns1: changing files and links
                      ns1: restarting nsd.service
                      ns1: checking nsd.service
                      ns1: done

                    Deployed to 1 host in N s.

                    """)
            #expect(try ns1.dig("www.example.com") == "192.0.2.81\n")
            #expect(try ns2.dig("www.example.com") == "192.0.2.80\n")
            #expect(try ns2.invocation(of: "nsd") == untouched)
        }

        @Test func `a zone with a syntax error rolls back its host, and no other`() throws {
            let before = (try ns1.snapshot(), try cluster.references().split(separator: "\n"))
            try cluster.edit("ns1/nsd/zones/example.com.zone", replacing: "IN AAAA 2001:db8::80", with: "IN AAAA 2001:db8::x")
            try cluster.edit("ns1/nsd/zones/example.org.zone", replacing: "192.0.2.80", with: "192.0.2.82")
            try cluster.edit("ns2/nsd/zones/example.org.zone", replacing: "192.0.2.80", with: "192.0.2.82")

            let output = try cluster.deploy()

            #expect(output.code == 3)
            let message = output.stable.split(separator: "\n\n", omittingEmptySubsequences: false).suffix(2)
                .joined(separator: "\n\n")
            #expect(message.hasPrefix("ns1: unit nsd.service failed (exit-code); its last journal lines:\n    | "))
            #expect(message.contains("error: zones/example.com.zone:21: "), "\(message)")
            #expect(message.hasSuffix("\nThe previous state is back.\n\nDeployed to 1 host, rolled back 1 host, in N s.\n"))

            #expect(try ns1.dig("www.example.com") == "192.0.2.80\n")
            #expect(try ns1.dig("www.example.org") == "192.0.2.80\n")
            #expect(try ns2.dig("www.example.org") == "192.0.2.82\n")
            expect(try ns1.snapshot(), is: before.0)
            #expect(try ns1.state(of: "nsd") == "active")
            #expect(try ns1.outcomes() == ["deployed", "rolled-back"])
            #expect(try ns2.outcomes() == ["deployed", "deployed"])
            let references = try cluster.references().split(separator: "\n")
            #expect(references[0] == before.1[0])
            #expect(references[1] != before.1[1])

            // What was rolled back is still to be deployed, and the mended zone can be.
            #expect(try cluster.deptool("plan").text.hasPrefix("ns1\n    update nsd\n        ~ zones/example.com.zone\n"))
            try cluster.edit("ns1/nsd/zones/example.com.zone", replacing: "2001:db8::x", with: "2001:db8::81")
            try cluster.deploy().require(0)
            #expect(try ns1.dig("AAAA", "www.example.com") == "2001:db8::81\n")
        }
    }
}
