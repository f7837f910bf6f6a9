import Model

extension HostSettings {
    /// Parses the output of `ssh -G name`.
    ///
    /// ssh leaves `~`, tokens and variables in some values; this expands them as in TOKENS of ssh_config(5).
    package init(name: Hostname, printed: String, local: LocalUser, configurationFile: String? = nil) throws(SSHError) {
        let values = SettingValues(printed)
        guard let hostName = values.first("hostname") else { throw .settingInvalid(keyword: "hostname", value: "") }
        self.init(name: name, hostName: hostName, user: values.first("user") ?? local.name)
        self.configurationFile = configurationFile
        if let text = values.first("port") {
            guard let port = UInt16(text), port > 0 else { throw .settingInvalid(keyword: "port", value: text) }
            self.port = port
        }
        hostKeyAlias = values.first("hostkeyalias")
        let tokens = Tokens(settings: self, local: local)

        let files = values.all("identityfile").filter { $0 != "none" }
        identityFiles = files.compactMap(tokens.path)
        identities = values.isOn("identitiesonly") ? .onlyConfigured : .any
        agent = Self.agent(values.first("identityagent"), tokens)
        route = try Self.route(values, tokens)
        userKnownHostsFiles = Self.files(values.first("userknownhostsfile"), tokens)
        globalKnownHostsFiles = Self.files(values.first("globalknownhostsfile"), tokens)
        knownHostsNames = values.isOn("hashknownhosts") ? .hashed : .plain
        controlPath = values.first("controlpath").flatMap { $0 == "none" ? nil : tokens.path($0) }

        switch values.first("stricthostkeychecking") {
        case "yes", "true": strictHostKeyChecking = .yes
        case "accept-new": strictHostKeyChecking = .acceptNew
        case "no", "false", "off": strictHostKeyChecking = .no
        case "ask", nil: strictHostKeyChecking = .ask
        case let value?: throw .settingInvalid(keyword: "stricthostkeychecking", value: value)
        }
        switch values.first("addressfamily") {
        case "inet": addressFamily = .inet
        case "inet6": addressFamily = .inet6
        case "any", nil: addressFamily = .any
        case let value?: throw .settingInvalid(keyword: "addressfamily", value: value)
        }
        if let text = values.first("connecttimeout"), text != "none" {
            guard let seconds = UInt32(text) else { throw .settingInvalid(keyword: "connecttimeout", value: text) }
            connectTimeout = seconds == 0 ? nil : .seconds(Int64(seconds))
        }
        unsupported = Self.beyondLibrary.filter { keyword in
            values.first(keyword.lowercased()).map { !["none", "no", "false"].contains($0) } ?? false
        }
        // Tokens that only ssh can expand, such as %C.
        if identityFiles.count < files.count { unsupported.append("IdentityFile") }
        if let size = values.first("requiredrsasize"), size != "1024" { unsupported.append("RequiredRSASize") }
        resets = ["StdinNull=no", "ForkAfterAuthentication=no", "SessionType=default"].filter { option in
            values.first(option.prefix { $0 != "=" }.lowercased()) != nil
        }
        algorithms.keyExchange = values.first("kexalgorithms")
        algorithms.hostKeys = values.first("hostkeyalgorithms")
        algorithms.ciphers = values.first("ciphers")
        algorithms.macs = values.first("macs")
        algorithms.userKeys = values.first("pubkeyacceptedalgorithms")
        if !(values.first("preferredauthentications") ?? "publickey").contains("publickey") {
            unsupported.append("PreferredAuthentications")
        }
        if let value = values.first("pubkeyauthentication"), value == "no" || value == "false" {
            unsupported.append("PubkeyAuthentication")
        }
    }

    /// Settings that only the system's `ssh` supports, and that matter if they have a value.
    private static let beyondLibrary = [
        "PKCS11Provider", "CertificateFile", "ProxyUseFdpass", "KnownHostsCommand", "VerifyHostKeyDNS", "BindAddress",
        "BindInterface", "RevokedHostKeys",
    ]

    private static func agent(_ value: String?, _ tokens: Tokens) -> AgentSocket {
        let path: String?
        switch value {
        case "none": return .none
        case nil, "SSH_AUTH_SOCK": path = tokens.variable("SSH_AUTH_SOCK")
        case let value? where value.hasPrefix("$") && !value.hasPrefix("${"):
            path = tokens.variable(String(value.dropFirst()))
        case let value?: path = tokens.path(value)
        }
        return path.map { $0.isEmpty ? .none : .path($0) } ?? .none
    }

    private static func route(_ values: SettingValues, _ tokens: Tokens) throws(SSHError) -> Route {
        if let command = values.first("proxycommand"), command != "none" {
            guard let expanded = tokens.command(command) else {
                throw .settingInvalid(keyword: "proxycommand", value: command)
            }
            return .command(expanded)
        }
        guard let jumps = values.first("proxyjump"), jumps != "none" else { return .direct }
        let hosts = jumps.split(separator: ",").map(String.init)
        guard !hosts.isEmpty, hosts.allSatisfy({ JumpHost($0) != nil }) else {
            throw .settingInvalid(keyword: "proxyjump", value: jumps)
        }
        return .jump(hosts)
    }

    /// A list of paths, which ssh prints without quotes: a piece that cannot begin a path continues the one before.
    private static func files(_ value: String?, _ tokens: Tokens) -> [String] {
        var paths: [String] = []
        for piece in (value ?? "").split(separator: " ", omittingEmptySubsequences: false) {
            if paths.isEmpty || "/~%$".contains(piece.first ?? " ") {
                paths.append(String(piece))
            } else {
                paths[paths.count - 1] += " " + piece
            }
        }
        return paths.filter { $0 != "none" && !$0.isEmpty }.compactMap(tokens.path)
    }
}

/// Lines of `keyword value`, a keyword possibly several times.
private struct SettingValues {
    private var values: [String: [String]] = [:]

    init(_ printed: String) {
        for line in printed.split(whereSeparator: \.isNewline) {
            guard let space = line.utf8.firstIndex(of: UInt8(ascii: " ")) else { continue }
            let value = String(line[line.utf8.index(after: space)...])
            values[line[..<space].lowercased(), default: []].append(value)
        }
    }

    func all(_ keyword: String) -> [String] { values[keyword] ?? [] }
    func first(_ keyword: String) -> String? { values[keyword]?.first }
    func isOn(_ keyword: String) -> Bool { first(keyword) == "yes" || first(keyword) == "true" }
}
