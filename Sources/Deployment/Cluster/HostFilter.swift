import Model

/// Selects hosts of a cluster, or apps on them.
package struct HostFilter: Sendable {
    private struct Pattern: Sendable {
        /// As given.
        var text: String
        var host: String
        /// Nil for the whole host.
        var app: String?

        func matches(_ name: Hostname) -> Bool { HostFilter.matches(name.text, host) }
    }

    /// Empty for all.
    private let patterns: [Pattern]

    package static let all = HostFilter([])

    /// Whether nothing was named.
    package var isAll: Bool { patterns.isEmpty }

    /// Whether any app was named.
    package var namesApps: Bool { patterns.contains { $0.app != nil } }

    /// Names of hosts and glob patterns. Each list may contain commas. An empty one, such as a shell's unset variable,
    /// matches no host rather than all.
    package init(_ lists: [String]) {
        patterns = Self.words(lists).map { Pattern(text: $0, host: $0, app: nil) }
    }

    /// The same, and apps of hosts, as in `web1/nginx`.
    package init(places lists: [String]) {
        patterns = Self.words(lists).map { text in
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return Pattern(text: text, host: parts[0], app: parts.count == 2 ? parts[1] : nil)
        }
    }

    private static func words(_ lists: [String]) -> [String] {
        lists.flatMap { list in
            let names = list.split(separator: ",").map(String.init)
            return names.isEmpty ? [""] : names
        }
    }

    package func includes(_ host: Hostname) -> Bool { patterns.isEmpty || patterns.contains { $0.matches(host) } }

    /// Whether it selects apps of the host rather than all of it.
    package func isPartial(_ host: Hostname) -> Bool {
        let chosen = patterns.filter { $0.matches(host) }
        return !chosen.isEmpty && chosen.allSatisfy { $0.app != nil }
    }

    /// Whether it selects the app, given by the name of its directory.
    func includes(app: String, on host: Hostname) -> Bool {
        patterns.isEmpty || patterns.contains { $0.matches(host) && ($0.app.map { Self.matches(app, $0) } ?? true) }
    }

    /// Whether the host is named, and not only matched by a pattern.
    package func names(_ host: Hostname) -> Bool { patterns.contains { $0.host == host.text } }

    /// The names in the list that can be hosts.
    var hosts: [Hostname] { patterns.compactMap { Hostname($0.host) } }

    /// Throws for names that match none of the hosts.
    package func check(_ known: [Hostname]) throws(ClusterError) {
        if known.isEmpty { throw .noHosts }
        let unknown = patterns.filter { pattern in !known.contains(where: pattern.matches) }
        guard unknown.isEmpty else { throw .unknownHosts(unknown.map(\.host), known: known) }
    }

    /// Throws for names of apps that none of the hosts has. `apps` are the apps of a host.
    func checkApps(_ hosts: [Hostname], _ apps: (Hostname) throws(ClusterError) -> Set<String>) throws(ClusterError) {
        var unknown = patterns.filter { $0.app != nil }
        if unknown.isEmpty { return }
        var known: Set<String> = []
        for host in hosts where unknown.contains(where: { $0.matches(host) }) {
            let names = try apps(host)
            known.formUnion(names)
            unknown.removeAll { pattern in
                pattern.matches(host) && names.contains { name in pattern.app.map { Self.matches(name, $0) } == true }
            }
        }
        guard unknown.isEmpty else { throw .unknownApps(unknown.map(\.text), known: known.sorted()) }
    }

    /// `*` matches any characters, `?` matches one.
    static func matches(_ name: String, _ pattern: String) -> Bool { matchesGlob(Array(name.utf8), Array(pattern.utf8)) }
}
