import Model

/// How to reach and log in to one host: its ssh_config(5) settings, fully expanded.
package struct HostSettings: Hashable, Sendable {
    /// The name passed to ssh.
    package var name: Hostname
    package var hostName: String
    package var user: String
    package var port: UInt16 = 22
    /// In ssh's order. Includes files that do not exist: ssh has a list of defaults.
    package var identityFiles: [String] = []
    package var identities: Identities = .any
    package var agent: AgentSocket = .none
    package var route: Route = .direct
    package var hostKeyAlias: String?
    /// New keys go to the first.
    package var userKnownHostsFiles: [String] = []
    package var globalKnownHostsFiles: [String] = []
    package var strictHostKeyChecking: StrictHostKeyChecking = .ask
    /// Whether to ask about an unknown host regardless of the configuration.
    package private(set) var isStrict = false
    package var knownHostsNames: KnownHostsNames = .plain
    package var connectTimeout: Duration?
    /// ConnectTimeout; without it 10 seconds, or 30 behind a jump host, since these include a whole login there.
    package var connectLimit: Duration {
        if case .jump = route { return connectTimeout ?? .seconds(30) }
        return connectTimeout ?? .seconds(10)
    }
    package var addressFamily: AddressFamily = .any
    package var controlPath: String?
    /// The algorithms that ssh would offer the server, in its order; nil if it does not report them.
    package var algorithms = Algorithms()
    /// Active settings that only the system's `ssh` supports, such as `PKCS11Provider`.
    package var unsupported: [String] = []
    /// Options that restore ssh's standard input and our command despite the configuration; only those that this ssh
    /// supports.
    package var resets: [String] = []
    /// The configuration file that the user named, also for the `ssh` that connects through a jump host.
    package var configurationFile: String?

    package init(name: Hostname, hostName: String, user: String) {
        self.name = name
        self.hostName = hostName
        self.user = user
    }

    /// For a host with unknown settings that ssh itself can read.
    package static func named(_ name: Hostname, user: String, configurationFile: String?) -> HostSettings {
        var settings = HostSettings(name: name, hostName: name.text, user: user)
        settings.configurationFile = configurationFile
        return settings
    }

    /// Comma-separated names, as in ssh.
    package struct Algorithms: Hashable, Sendable {
        package var keyExchange: String?
        package var hostKeys: String?
        package var ciphers: String?
        package var macs: String?
        package var userKeys: String?

        package init() {}

        /// `ciphers` in the order for libssh2: if they are ssh's default ones, AES-GCM comes first. Both ends take longer for chacha20, and
        /// libssh2 three times as long.
        var ciphersForLibrary: String? {
            guard let names = ciphers?.split(separator: ",").map(String.init), names.first == Self.defaultFirst,
                Set(names.dropFirst()) == Self.defaultOthers
            else { return ciphers }
            let fast = names.filter { $0.contains("-gcm@") }
            return (fast + names.filter { !fast.contains($0) }).joined(separator: ",")
        }

        /// Of all releases of OpenSSH since 7.6 (ssh_config(5), Ciphers).
        private static let defaultFirst = "chacha20-poly1305@openssh.com"
        private static let defaultOthers: Set = [
            "aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
        ]
    }

    package enum Identities: Hashable, Sendable {
        case any
        /// IdentitiesOnly: only those keys of the agent that are among the identity files.
        case onlyConfigured
    }

    package enum AgentSocket: Hashable, Sendable {
        case none
        case path(String)
    }

    package enum Route: Hashable, Sendable {
        case direct
        /// ProxyCommand for `sh -c`, with its tokens expanded.
        case command(String)
        /// ProxyJump: hosts as `[user@]host[:port]`, the nearest first.
        case jump([String])
    }

    package enum StrictHostKeyChecking: Hashable, Sendable {
        case yes, ask, acceptNew, no
    }

    package enum KnownHostsNames: Hashable, Sendable {
        case plain
        /// HashKnownHosts.
        case hashed
    }

    package enum AddressFamily: Hashable, Sendable {
        case any, inet, inet6
    }

    /// The host's name in known_hosts: HostKeyAlias, `host`, or `[host]:port` for ports other than 22.
    package var knownHostsName: String {
        if let hostKeyAlias { return hostKeyAlias.lowercased() }
        let host = hostName.lowercased()
        return port == 22 ? host : "[\(host)]:\(port)"
    }
}

extension HostSettings {
    /// Accepts no host that the user has not accepted.
    package mutating func beStrict() {
        isStrict = true
        if strictHostKeyChecking != .yes { strictHostKeyChecking = .ask }
    }
}
