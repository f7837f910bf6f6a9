import Testing

extension EndToEnd {
    /// `examples/mesh`: three hosts that reach each other over WireGuard. The lab's kernel need not have it: wg-quick takes
    /// wireguard-go then.
    @Suite final class MeshExampleTests {
        let site: Site
        let cluster: Cluster
        let bern, oslo, rome: Host

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            let hosts = try site.boot(["bern", "oslo", "rome"], .services)
            (bern, oslo, rome) = (hosts[0], hosts[1], hosts[2])
            // A network between the hosts, with the public addresses of the inventory.
            try cluster.run(
                """
                root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
                on() { space=$1; shift; root nsenter --net="$PWD/$space/netns" "$@"; }
                cd \(site.lab)/hosts
                on bern ip link add lan type bridge
                on bern ip address add 192.0.2.1/24 dev lan
                on bern ip link set lan up
                address=2
                for host in oslo rome; do
                    root ip link add "$host" netns "$PWD/bern/netns" type veth peer name lan netns "$PWD/$host/netns"
                    on bern ip link set "$host" master lan up
                    on "$host" ip address add "192.0.2.$address/24" dev lan
                    on "$host" ip link set lan up
                    address=$((address + 1))
                done
                """)
            try cluster.remove("")
            try cluster.copyExample("mesh")
        }

        @Test func `hosts of the inventory reach each other in private, and nobody else does`() throws {
            try cluster.run("./collect -F '\(cluster.sshConfiguration)'")
            try cluster.deploy().require(0)
            try cluster.run("./generate")
            #expect(try cluster.run("grep -rl PrivateKey prod keys || true") == "")

            expect(
                try cluster.deptool("plan", "--limit", "rome").text,
                is: """
                    rome
                        add firewall
                            + manifest.json
                            + rules.nft
                            + systemd/nftables-mesh.service
                            place unit nftables-mesh.service
                            reload systemd
                            enable unit nftables-mesh.service
                            start unit nftables-mesh.service (restart it if it runs with other files)
                        update names
                            ~ hosts
                        add wireguard
                            + manifest.json
                            + mesh.conf
                            link /etc/wireguard/mesh.conf -> mesh.conf
                            enable unit wg-quick@mesh.service
                            start unit wg-quick@mesh.service (restart it if it runs with other files)
                        keep it only if a new login works (/etc/systemd/system/nftables-mesh.service is touched)

                    """)
            try cluster.deploy().require(0)
            for host in [bern, oslo, rome] {
                try host.run("nft --check --file /var/lib/deptool/apps/firewall/current/rules.nft")
                try host.run("systemd-analyze verify --man=no nftables-mesh.service wg-quick@mesh.service")
                #expect(try host.run("wg show mesh peers | wc -l") == "2\n")
                for other in [bern, oslo, rome] where other.name != host.name {
                    #expect(try greeting(of: "\(other.name).mesh", port: 22, from: host) == "SSH-2.0-")
                }
            }

            // Rome's database is open to everybody, its other ports only to the mesh.
            for port in [5432, 5433] {
                try rome.run(
                    """
                    systemd-run --quiet perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(
                        LocalPort => \(port), Listen => 5, ReuseAddr => 1) or die; while ($c = $s->accept) { print $c "Database" }'
                    """)
                try rome.wait(for: "ss -ltn | grep -q :\(port)")
                #expect(try greeting(of: "rome.mesh", port: port, from: bern) == "Database")
            }
            #expect(try greeting(of: "192.0.2.3", port: 5432, from: bern) == "Database")
            #expect(try greeting(of: "192.0.2.3", port: 5433, from: bern) == "")

            // A firewall that locks the operator out opens again.
            let rules = "bern/firewall/rules.nft"
            try cluster.edit(rules, replacing: "tcp dport 22 accept", with: "tcp dport 2222 accept")
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("bern: no new login to the host worked, so this would have locked you out:\n"), "\(output)")
            #expect(try bern.run("nft list table inet mesh").contains("tcp dport 22 accept"))
            #expect(try cluster.run("ssh -F '\(cluster.sshConfiguration)' bern echo in") == "in\n")

            // The same inventory gives the same tree: the corrected rules are deployed.
            try cluster.run("./generate")
            #expect(try cluster.deptool("plan").text == nothingToDo)

            try cluster.run("rm -r prod/*")
            for name in ["bern", "oslo", "rome"] { try cluster.deploy("--remove-host", name).require(0) }
            for host in [bern, oslo, rome] {
                #expect(try host.links() == "")
                #expect(try host.run("wg show; nft list ruleset") == "")
            }
        }

        /// The first eight bytes of a server, or nothing if it cannot be reached.
        private func greeting(of name: String, port: Int, from host: Host) throws -> String {
            try host.attempt("timeout 10 bash -c 'head -c 8 </dev/tcp/\(name)/\(port)'").text
        }
    }
}
