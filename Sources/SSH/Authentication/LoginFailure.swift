/// A login that the server did not grant.
package struct LoginFailure: Hashable, Sendable {
    package let user: String
    /// Every key that was considered, in order.
    package let offers: [Offer]
    /// The server hung up after too many tries, or Deptool stopped before it would.
    package let end: End
    /// The ways to log in that the server offers, such as `publickey`; empty when unknown.
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

/// A key, and what became of it.
package struct Offer: Hashable, Sendable {
    package let source: Source
    /// Such as `ssh-ed25519`; empty when the key could not be read.
    package let type: String
    package let outcome: Outcome

    package enum Source: Hashable, Sendable {
        case agent(comment: String)
        case file(path: String)
        /// Not a key but another way, such as `password`.
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
        /// The file exists, and is no private key that libssh2 reads.
        case unreadable(message: String)
        /// A FIDO key, or another that libssh2 cannot use.
        case unsupported
    }

    package init(source: Source, type: String, outcome: Outcome) {
        self.source = source
        self.type = type
        self.outcome = outcome
    }
}
