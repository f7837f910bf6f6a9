import Model

/// How to reach and log in to one host: what ssh_config(5) says about it, fully expanded.
public struct HostSettings: Hashable, Sendable {
    /// The name that was asked for.
    public var name: Hostname
    public var hostName: String
    public var user: String
    public var port: UInt16 = 22
    /// In ssh's order. Files that do not exist are in it too: ssh has a list of defaults.
    public var identityFiles: [String] = []
    public var identities: Identities = .any
    public var agent: AgentSocket = .none
    public var route: Route = .direct
    public var hostKeyAlias: String?
    /// New keys are added to the first.
    public var userKnownHostsFiles: [String] = []
    public var globalKnownHostsFiles: [String] = []
    public var strictHostKeyChecking: StrictHostKeyChecking = .ask
    public var knownHostsNames: KnownHostsNames = .plain
    public var connectTimeout: Duration?
    public var addressFamily: AddressFamily = .any
    public var controlPath: String?
    /// What ssh would offer the server, in its order; nil where it does not say.
    public var algorithms = Algorithms()
    /// Settings that are in force and that only the system's `ssh` follows, such as `PKCS11Provider`.
    public var unsupported: [String] = []
    /// Options that give ssh its standard input and our command back, whatever the configuration says of them; only those that this
    /// ssh knows.
    public var resets: [String] = []
    /// The configuration file that was named, for the `ssh` that reaches through a jump host.
    public var configurationFile: String?

    public init(name: Hostname, hostName: String, user: String) {
        self.name = name
        self.hostName = hostName
        self.user = user
    }

    /// For a host of whose settings nothing is known but that ssh knows them.
    public static func named(_ name: Hostname, user: String, configurationFile: String?) -> HostSettings {
        var settings = HostSettings(name: name, hostName: name.text, user: user)
        settings.configurationFile = configurationFile
        return settings
    }

    /// Names with commas between them, as ssh has them.
    public struct Algorithms: Hashable, Sendable {
        public var keyExchange: String?
        public var hostKeys: String?
        public var ciphers: String?
        public var macs: String?
        public var userKeys: String?

        public init() {}
    }

    public enum Identities: Hashable, Sendable {
        case any
        /// IdentitiesOnly: keys of the agent only if they are among the identity files.
        case onlyConfigured
    }

    public enum AgentSocket: Hashable, Sendable {
        case none
        case path(String)
    }

    public enum Route: Hashable, Sendable {
        case direct
        /// ProxyCommand, its tokens expanded: for `sh -c`.
        case command(String)
        /// ProxyJump: hosts as `[user@]host[:port]`, the nearest first.
        case jump([String])
    }

    public enum StrictHostKeyChecking: Hashable, Sendable {
        case yes, ask, acceptNew, no
    }

    public enum KnownHostsNames: Hashable, Sendable {
        case plain
        /// HashKnownHosts.
        case hashed
    }

    public enum AddressFamily: Hashable, Sendable {
        case any, inet, inet6
    }

    /// The host as known_hosts knows it: HostKeyAlias, `host`, or `[host]:port` on another port than 22.
    public var knownHostsName: String {
        if let hostKeyAlias { return hostKeyAlias.lowercased() }
        let host = hostName.lowercased()
        return port == 22 ? host : "[\(host)]:\(port)"
    }
}
