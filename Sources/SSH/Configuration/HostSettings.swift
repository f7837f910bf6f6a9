import Model

/// How to reach and log in to one host: what ssh_config(5) says about it, fully expanded.
package struct HostSettings: Hashable, Sendable {
    /// The name that was asked for.
    package var name: Hostname
    package var hostName: String
    package var user: String
    package var port: UInt16 = 22
    /// In ssh's order. Files that do not exist are in it too: ssh has a list of defaults.
    package var identityFiles: [String] = []
    package var identities: Identities = .any
    package var agent: AgentSocket = .none
    package var route: Route = .direct
    package var hostKeyAlias: String?
    /// New keys are added to the first.
    package var userKnownHostsFiles: [String] = []
    package var globalKnownHostsFiles: [String] = []
    package var strictHostKeyChecking: StrictHostKeyChecking = .ask
    package var knownHostsNames: KnownHostsNames = .plain
    package var connectTimeout: Duration?
    package var addressFamily: AddressFamily = .any
    package var controlPath: String?
    /// What ssh would offer the server, in its order; nil where it does not say.
    package var algorithms = Algorithms()
    /// Settings that are in force and that only the system's `ssh` follows, such as `PKCS11Provider`.
    package var unsupported: [String] = []
    /// Options that give ssh its standard input and our command back, whatever the configuration says of them; only those that this
    /// ssh knows.
    package var resets: [String] = []
    /// The configuration file that was named, for the `ssh` that reaches through a jump host.
    package var configurationFile: String?

    package init(name: Hostname, hostName: String, user: String) {
        self.name = name
        self.hostName = hostName
        self.user = user
    }

    /// For a host of whose settings nothing is known but that ssh knows them.
    package static func named(_ name: Hostname, user: String, configurationFile: String?) -> HostSettings {
        var settings = HostSettings(name: name, hostName: name.text, user: user)
        settings.configurationFile = configurationFile
        return settings
    }

    /// Names with commas between them, as ssh has them.
    package struct Algorithms: Hashable, Sendable {
        package var keyExchange: String?
        package var hostKeys: String?
        package var ciphers: String?
        package var macs: String?
        package var userKeys: String?

        package init() {}
    }

    package enum Identities: Hashable, Sendable {
        case any
        /// IdentitiesOnly: keys of the agent only if they are among the identity files.
        case onlyConfigured
    }

    package enum AgentSocket: Hashable, Sendable {
        case none
        case path(String)
    }

    package enum Route: Hashable, Sendable {
        case direct
        /// ProxyCommand, its tokens expanded: for `sh -c`.
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

    /// The host as known_hosts knows it: HostKeyAlias, `host`, or `[host]:port` on another port than 22.
    package var knownHostsName: String {
        if let hostKeyAlias { return hostKeyAlias.lowercased() }
        let host = hostName.lowercased()
        return port == 22 ? host : "[\(host)]:\(port)"
    }
}
