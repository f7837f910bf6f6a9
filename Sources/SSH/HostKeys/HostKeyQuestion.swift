import Model

/// A host key that is not in known_hosts.
package struct HostKeyQuestion: Hashable, Sendable {
    /// The name in known_hosts: `host`, or `[host]:port`.
    package let host: String
    /// Such as `ssh-ed25519`.
    package let type: String
    /// `SHA256:` and the base64 of the key's hash, in the format of `ssh-keygen -l`.
    package let fingerprint: String
    /// The types of the host's keys in known_hosts: empty for a new host.
    package let knownTypes: [String]

    package init(host: String, type: String, fingerprint: String, knownTypes: [String] = []) {
        self.host = host
        self.type = type
        self.fingerprint = fingerprint
        self.knownTypes = knownTypes
    }
}

/// A line of a known_hosts file; lines count from 1.
package struct KnownHostsPlace: Hashable, Sendable {
    package let path: String
    package let line: Int

    package init(path: String, line: Int) {
        self.path = path
        self.line = line
    }
}

/// The user's answer.
package enum HostKeyAnswer: Sendable {
    case accept, refuse
}

/// Prompts that only a person can answer. Nil without a terminal: the answer is no.
///
/// Called on the connection's thread, which waits; deadlines pause meanwhile. Several connections prompt at once
/// unless the closures queue them.
package struct Prompts: Sendable {
    package var confirm: (@Sendable (HostKeyQuestion) -> HostKeyAnswer)?
    /// The passphrase of the key file at this path; nil to skip the key. Repeated at most three times, with the
    /// previous wrong one.
    package var passphrase: (@Sendable (_ path: String, _ wrong: Secret?) -> Secret?)?
    /// ssh's other prompts during a login, such as for a password or the PIN of a security key.
    package var secret: (@Sendable (_ host: Hostname, _ question: String) -> Secret?)?
    /// The password of this user for sudo; repeated with the previous wrong one.
    package var sudoPassword: (@Sendable (_ host: Hostname, _ user: String, _ wrong: Secret?) -> Secret?)?
    /// Prompts the user to touch a security key.
    package var notice: (@Sendable (_ host: Hostname, _ text: String) -> Void)?

    package init(
        confirm: (@Sendable (HostKeyQuestion) -> HostKeyAnswer)? = nil,
        passphrase: (@Sendable (_ path: String, _ wrong: Secret?) -> Secret?)? = nil,
        secret: (@Sendable (_ host: Hostname, _ question: String) -> Secret?)? = nil,
        sudoPassword: (@Sendable (_ host: Hostname, _ user: String, _ wrong: Secret?) -> Secret?)? = nil,
        notice: (@Sendable (_ host: Hostname, _ text: String) -> Void)? = nil
    ) {
        self.confirm = confirm
        self.passphrase = passphrase
        self.secret = secret
        self.sudoPassword = sudoPassword
        self.notice = notice
    }

    package static let none = Self()

    /// Whether no login prompt can be answered.
    var isEmpty: Bool { confirm == nil && passphrase == nil && secret == nil }
}
