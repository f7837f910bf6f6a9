/// A login that the server rejected.
package struct LoginFailure: Hashable, Sendable {
    package let user: String
    /// Every key considered, in order.
    package let offers: [Offer]
    /// Whether the server hung up after too many tries, or Deptool stopped before it would.
    package let end: End
    /// The login methods that the server offers, such as `publickey`; empty if unknown.
    package let methods: [String]

    package enum End: Hashable, Sendable {
        case allTried, serverHungUp, stoppedEarly
    }

    package init(user: String, offers: [Offer], end: End, methods: [String] = []) {
        self.user = user
        self.offers = offers
        self.end = end
        self.methods = methods
    }
}

/// A key and its outcome.
package struct Offer: Hashable, Sendable {
    package let source: Source
    /// Such as `ssh-ed25519`; empty if the key could not be read.
    package let type: String
    package let outcome: Outcome

    package enum Source: Hashable, Sendable {
        case agent(comment: String)
        case file(path: String)
        /// Another method instead of a key, such as `password`.
        case method(String)
    }

    package enum Outcome: Hashable, Sendable {
        case refused
        /// An RSA key in a file, which libssh2 before 1.11 signs with SHA-1: OpenSSH 8.8 and later refuse that.
        case refusedForSHA1
        /// Accepted by the server, but the agent would not sign.
        case agentWouldNotSign
        case noPassphrase
        case wrongPassphrase
        /// The file exists, but is not a private key that libssh2 can read.
        case unreadable(message: String)
        /// A FIDO key, or another kind that libssh2 cannot use.
        case unsupported
    }

    package init(source: Source, type: String, outcome: Outcome) {
        self.source = source
        self.type = type
        self.outcome = outcome
    }
}
