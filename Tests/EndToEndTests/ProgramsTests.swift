import Foundation
import Testing

extension EndToEnd {
    /// The programs of `Manual/checks.md`, with its manifests.
    @Suite final class ProgramsTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        @Test(arguments: [Site.Flavour.programs, .programs13])
        func `each check accepts valid files, and finds a mistake in an included file`(flavour: Site.Flavour) throws {
            let manifests = try Self.manifests()
            #expect(Set(manifests.keys) == Set(Example.all.map(\.name)))
            let host = try site.boot("web1", flavour)
            // Removes package files in the place of the apps' own. Unbound's unit makes its key when it first starts.
            try host.run(
                """
                rm /etc/bind/named.conf.local /etc/caddy/Caddyfile /etc/haproxy/haproxy.cfg /etc/nftables.conf
                rm /etc/postfix/main.cf /etc/prometheus/prometheus.yml
                /usr/libexec/unbound-helper root_trust_anchor_update
                """)

            // The name servers want the same port, so one follows the other.
            let nameServers = ["named", "NSD", "Unbound"]
            for server in nameServers {
                for other in Example.all where nameServers.contains(other.name) && other.name != server {
                    try cluster.run("rm -rf prod/web1/\(other.app)")
                }
                let examples = Example.all.filter { $0.name == server || server == nameServers[0] && !nameServers.contains($0.name) }
                for example in examples {
                    try cluster.write("web1/\(example.app)/manifest.json", try #require(manifests[example.name]))
                    for (path, content) in example.files { try cluster.write("web1/\(example.app)/\(path)", content) }
                    try write(example, number: 1)
                }
                try check().require(0)
                try cluster.deploy().require(0)

                for example in examples { try write(example, number: 2) }
                let checked = try check().require(0)
                #expect(checked.text.contains("  web1: every check passed\n"), "\(checked)")
                let deployed = try cluster.deploy().require(0)
                let reloads = examples.filter { manifests[$0.name]?.contains(#""reload""#) == true }.count
                #expect(deployed.text.matches(of: #/\n        reload unit /#).count == reloads, "\(deployed)")

                let before = try host.snapshot()
                for example in examples {
                    try cluster.write("web1/\(example.app)/\(example.included)", example.broken)
                    let output = try check()
                    #expect(output.code == 1, "\(example.name): \(output)")
                    #expect(output.text.contains("` of \(example.app) failed (status "), "\(example.name): \(output)")
                    #expect(output.text.contains(example.complaint), "\(example.name): \(output)")
                    #expect(output.text.hasSuffix("\n\nNothing was changed.\n"), "\(example.name): \(output)")
                    expect(try host.snapshot(), is: before)
                    try write(example, number: 2)
                }
                #expect(try cluster.deptool("plan").text == nothingToDo)
            }
        }

        private func write(_ example: Example, number: Int) throws {
            try cluster.write("web1/\(example.app)/\(example.included)", example.valid.replacing("NUMBER", with: "\(number)"))
        }

        private func check() throws -> Output { try cluster.deptool("check", "--ssh-config", cluster.sshConfiguration) }

        /// The first JSON below each heading of the chapter on programs.
        private static func manifests() throws -> [String: String] {
            let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Manual/checks.md")
            let page = try String(contentsOf: file, encoding: .utf8)
            let chapter = try #require(page.split(separator: "\n## ").first { $0.hasPrefix("Programs\n") })
            var manifests: [String: String] = [:]
            for section in chapter.split(separator: "\n### ").dropFirst() {
                let name = try #require(section.split(separator: "\n").first)
                manifests[String(name)] = section.firstMatch(of: #/```json\n(.*?)```/#.dotMatchesNewlines()).map { String($0.output.1) }
            }
            return manifests
        }
    }
}

/// An app of the chapter, with files that belong to its manifest.
private struct Example {
    /// The heading.
    var name: String
    /// Those that stay as they are, by their paths in the app.
    var files: [String: String] = [:]
    /// The path of a file that the others include.
    var included: String
    /// A valid content, which is another one for each `NUMBER`.
    var valid: String
    var broken: String
    /// The program's message about the broken file.
    var complaint: String

    /// The app's name.
    var app: String { name.lowercased().replacing(" ", with: "-") }

    static let all = [
        Self(
            name: "nginx", included: "shop.conf",
            valid: "server { listen 80; server_name shop.example.com; location = /up { return 20NUMBER; } }\n",
            broken: "server { listen 80; server_name shop.example.com; location = /up { retrun 204; } }\n",
            complaint: #"unknown directive "retrun" in /etc/nginx/conf.d/shop.conf:1"#),
        Self(
            name: "HAProxy",
            files: [
                "haproxy.cfg": """
                global
                    user haproxy
                    group haproxy
                defaults
                    mode http
                    timeout connect 5s
                    timeout client 5s
                    timeout server 5s
                frontend shop
                    bind :8080
                    http-request deny if { src -f /etc/haproxy/denied }
                    monitor-uri /up
                    default_backend shop
                backend shop
                    server shop 127.0.0.1:8000

                """
            ],
            included: "denied", valid: "192.0.2.NUMBER\n", broken: "192.0.2.300\n",
            complaint: "'192.0.2.300' is not a valid IPv4 or IPv6 address at line 1 of file '/etc/haproxy/denied'"),
        Self(
            name: "NSD",
            files: [
                "zones.conf": """
                zone:
                    name: "example.com"
                    zonefile: "/var/lib/deptool/apps/nsd/current/zones/example.com.zone"

                """
            ],
            included: "zones/example.com.zone", valid: zone("192.0.2.NUMBER"), broken: zone("192.0.2.300"),
            complaint: "error: zones/example.com.zone:5: "),
        Self(
            name: "named",
            files: [
                "named.conf.local": """
                zone "example.com" { type primary; file "/etc/bind/zones/example.com.zone"; };

                """
            ],
            included: "zones/example.com.zone", valid: zone("192.0.2.NUMBER"), broken: zone("192.0.2.300"),
            complaint: "/etc/bind/zones/example.com.zone:5: near '192.0.2.300': bad dotted quad"),
        Self(
            name: "Unbound", included: "home.conf",
            valid: "server:\n    local-zone: \"home.arpa.\" static\n    local-data: \"nas.home.arpa. IN A 192.0.2.NUMBER\"\n",
            broken: "server:\n    local-data: \"nas.home.arpa. IN A 192.0.2.300\"\n",
            complaint: "Bad local-data RR nas.home.arpa. IN A 192.0.2.300"),
        Self(
            name: "sshd", included: "login.conf", valid: "ClientAliveInterval NUMBER0\n", broken: "ClientAliveInterval seldom\n",
            complaint: "/etc/ssh/sshd_config.d/login.conf line 1: "),
        Self(
            name: "sudo", included: "ops", valid: "operator ALL=(ALL) NOPASSWD: /usr/bin/true NUMBER\n",
            broken: "operator ALL=(ALL NOPASSWD: ALL\n", complaint: "/etc/sudoers.d/ops:1:19: syntax error"),
        Self(
            name: "nftables",
            files: [
                "nftables.conf": """
                flush ruleset
                table inet filter {
                    chain input {
                        type filter hook input priority filter; policy accept;
                    }
                }
                include "/etc/nftables.d/*.nft"

                """
            ],
            included: "rules/web.nft", valid: "add rule inet filter input tcp dport 8NUMBER accept\n",
            broken: "add rule inet filter input tcp dport eighty accept\n",
            complaint: "/etc/nftables.d/web.nft:1:38-43: Error: Could not resolve service"),
        Self(
            name: "Caddy", files: ["Caddyfile": "import /etc/caddy/sites/*\n"], included: "sites/shop",
            valid: "http://:8081 {\n    respond /up 20NUMBER\n}\n", broken: "http://:8081 {\n    respnd /up 204\n}\n",
            complaint: "/etc/caddy/sites/shop:2: unrecognized directive: respnd"),
        Self(
            name: "Prometheus",
            files: [
                "prometheus.yml": """
                rule_files: [rules/*.yml]
                scrape_configs:
                  - job_name: prometheus
                    static_configs: [{targets: ["localhost:9090"]}]

                """
            ],
            included: "rules/shop.yml", valid: rules("up == NUMBER"), broken: rules("up =="),
            complaint: #"rules/shop.yml: 4:29: group "shop", rule 1, "Down": could not parse expression"#),
        Self(
            name: "Postfix",
            files: [
                "main.cf": """
                compatibility_level = 3.6
                myhostname = mail.example.com
                mydestination = $myhostname, localhost
                alias_maps =
                inet_interfaces = loopback-only
                smtpd_client_restrictions = check_client_access cidr:/etc/postfix/clients.cidr

                """
            ],
            included: "clients.cidr", valid: "192.0.2.NUMBER/32 REJECT\n", broken: "192.0.2.300/32 REJECT\n",
            complaint: #"cidr map /etc/postfix/clients.cidr, line 1: bad network value in "192.0.2.300/32""#),
        Self(
            name: "systemd units",
            files: ["systemd/shop.service": "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"],
            included: "systemd/shop.service.d/limits.conf", valid: "[Service]\nMemoryMax=NUMBERG\n",
            broken: "[Service]\nMemoryMaximum=1G\n",
            complaint: "/etc/systemd/system/shop.service.d/limits.conf:2: Unknown key 'MemoryMaximum' in section [Service]"),
    ]

    private static func zone(_ address: String) -> String {
        """
        $ORIGIN example.com.
        $TTL 3600
        @   IN SOA ns1 hostmaster ( 1 14400 3600 1209600 300 )
        @   IN NS  ns1
        ns1 IN A   \(address)

        """
    }

    private static func rules(_ expression: String) -> String {
        """
        groups:
          - name: shop
            rules:
              - {alert: Down, expr: \(expression)}

        """
    }
}
