import Model

/// A host key that known_hosts does not vouch for.
package struct HostKeyQuestion: Hashable, Sendable {
    /// The name as known_hosts has it: `host`, or `[host]:port`.
    package let host: String
    /// Such as `ssh-ed25519`.
    package let type: String
    /// `SHA256:` and the base64 of the key's hash, as `ssh-keygen -l` prints it.
    package let fingerprint: String
    /// The types of the keys that known_hosts has for the host: none for a host never seen.
    package let knownTypes: [String]

    package init(host: String, type: String, fingerprint: String, knownTypes: [String] = []) {
        self.host = host
        self.type = type
        self.fingerprint = fingerprint
        self.knownTypes = knownTypes
    }
}

/// A line of a known_hosts file, counted from 1.
package struct KnownHostsPlace: Hashable, Sendable {
    package let path: String
    package let line: Int

    package init(path: String, line: Int) {
        self.path = path
        self.line = line
    }
}

/// What the person at the terminal answers.
package enum HostKeyAnswer: Sendable {
    case accept, refuse
}

/// Prompts that only a person can answer. Nil: nobody is there, so the answer is no.
///
/// Called on the connection's thread, which waits; deadlines stand still meanwhile. Several connections ask at once
/// unless the closures queue them.
package struct Prompts: Sendable {
    package var confirm: (@Sendable (HostKeyQuestion) -> HostKeyAnswer)?
    /// The passphrase of the key file at this path, nil to do without that key. Asked again, at most three times,
    /// when one was wrong, which it then gets.
    package var passphrase: (@Sendable (_ path: String, _ wrong: Secret?) -> Secret?)?
    /// What else ssh wants to know for a login, such as a password or the PIN of a security key.
    package var secret: (@Sendable (_ host: Hostname, _ question: String) -> Secret?)?
    /// The password of this user for sudo; asked again when one was wrong, which it then gets.
    package var sudoPassword: (@Sendable (_ host: Hostname, _ user: String, _ wrong: Secret?) -> Secret?)?
    /// Tells that a security key wants to be touched.
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

    /// Whether nobody is there to answer anything about a login.
    var isEmpty: Bool { confirm == nil && passphrase == nil && secret == nil }
}
