import Model

/// The holder of a host's lock.
package struct LockHolder: Hashable, Sendable {
    /// The name given by the operator's client.
    package var name: String
    /// The start of the lock, in seconds since the epoch, by the host's clock.
    package var since: Int64

    package init(name: String, since: Int64) {
        self.name = name
        self.since = since
    }
}
