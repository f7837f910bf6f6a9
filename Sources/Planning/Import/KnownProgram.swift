import Model

/// A program's entry in the manual's chapter on checks.
package struct KnownProgram: Sendable {
    /// The app's name, which is that of the directory in `/etc`.
    let name: String
    let unit: String
    /// Whether an app lists the unit, and so stops it when the app leaves.
    let isListed: Bool
    /// Files in the app that the unit reads again when it reloads; all others restart it.
    let reloads: [String]
    /// Without the program they are not there.
    let checks: [[String]]

    private init(_ name: String, _ unit: String, isListed: Bool = true, reloads: [String] = [], checks: [[String]]) {
        (self.name, self.unit, self.isListed, self.reloads, self.checks) = (name, unit, isListed, reloads, checks)
    }

    static func named(_ name: String) -> KnownProgram? { all.first { $0.name == name } }

    /// The programs of the checks.
    package static var programs: [String] { all.flatMap { $0.checks.compactMap(\.first) } }

    package static let all = [
        KnownProgram("nginx", "nginx.service", reloads: ["etc/nginx/"], checks: [["/usr/sbin/nginx", "-t", "-q"]]),
        KnownProgram(
            "haproxy", "haproxy.service", reloads: ["etc/haproxy/"],
            checks: [["/usr/sbin/haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg"]]),
        KnownProgram("nsd", "nsd.service", reloads: ["etc/nsd/zones/"], checks: [["/usr/sbin/nsd-checkconf", "/etc/nsd/nsd.conf"]]),
        KnownProgram("bind", "named.service", checks: [["/usr/bin/named-checkconf", "-z"]]),
        KnownProgram(
            "unbound", "unbound.service", reloads: ["etc/unbound/unbound.conf.d/"], checks: [["/usr/sbin/unbound-checkconf"]]),
        KnownProgram("ssh", "ssh.service", isListed: false, reloads: ["etc/ssh/"], checks: [["/usr/sbin/sshd", "-t"]]),
        KnownProgram("sudoers", "", isListed: false, checks: [["/usr/sbin/visudo", "-c", "-f", "/etc/sudoers"]]),
        KnownProgram(
            "nftables", "nftables.service", reloads: ["etc/nftables.conf", "etc/nftables.d/", "nftables/"],
            checks: [["/usr/sbin/nft", "-c", "-f", "/etc/nftables.conf"]]),
        KnownProgram(
            "caddy", "caddy.service", reloads: ["etc/caddy/"],
            checks: [["/usr/bin/caddy", "validate", "--config", "/etc/caddy/Caddyfile"]]),
        KnownProgram(
            "prometheus", "prometheus.service", reloads: ["etc/prometheus/"],
            checks: [["/usr/bin/promtool", "check", "config", "/etc/prometheus/prometheus.yml"]]),
        KnownProgram("postfix", "postfix.service", reloads: ["etc/postfix/"], checks: [["/usr/sbin/postfix", "check"]]),
    ]
}
