import Model

/// Selects hosts of a cluster.
package struct HostFilter: Sendable {
    /// Names and glob patterns; empty for all.
    private let patterns: [String]

    package static let all = HostFilter([])

    /// Whether no host was named.
    var isAll: Bool { patterns.isEmpty }

    /// Each list may contain commas. An empty one, such as a shell's unset variable, matches no host rather than all.
    package init(_ lists: [String]) {
        patterns = lists.flatMap { list in
            let names = list.split(separator: ",").map(String.init)
            return names.isEmpty ? [""] : names
        }
    }

    package func includes(_ host: Hostname) -> Bool {
        patterns.isEmpty || patterns.contains { Self.matches(host.text, $0) }
    }

    /// Whether the host is named, and not only matched by a pattern.
    package func names(_ host: Hostname) -> Bool { patterns.contains(host.text) }

    /// Throws for names that match none of the hosts.
    package func check(_ known: [Hostname]) throws(ClusterError) {
        if known.isEmpty { throw .noHosts }
        let unknown = patterns.filter { pattern in !known.contains { Self.matches($0.text, pattern) } }
        guard unknown.isEmpty else { throw .unknownHosts(unknown, known: known) }
    }

    /// `*` matches any characters, `?` matches one.
    static func matches(_ name: String, _ pattern: String) -> Bool { matchesGlob(Array(name.utf8), Array(pattern.utf8)) }
}
