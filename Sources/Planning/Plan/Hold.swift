import Model

/// A host that the operators exclude from deploys for a while.
package struct Hold: Hashable, Sendable {
    package var host: Hostname
    /// Seconds since the epoch.
    package var until: Int64
    /// The operator who placed it.
    package var author: String
    package var reason: String

    package init(host: Hostname, until: Int64, author: String, reason: String) {
        self.host = host
        self.until = until
        self.author = author
        self.reason = reason
    }
}

extension Plan {
    /// The plan without the hosts that are held.
    package func leavingOut(_ holds: [Hold]) -> Plan {
        var plan = self
        plan.held = holds.filter { hold in hosts.contains { $0.host == hold.host } }
        plan.hosts.removeAll { host in holds.contains { $0.host == host.host } }
        return plan
    }
}
