import Platform

extension SystemSSHLog {
    /// The meaning of ssh's complaints when it exited before it had logged in.
    func failure(_ settings: HostSettings, _ dialogue: SystemSSHDialogue?) -> SSHError {
        if let declined = dialogue?.declined { return .hostKeyDeclined(declined) }
        let text = String(complaints.joined(separator: "\n").prefix(4096))
        if let error = hostKeyFailure(settings, text) { return error }
        if complaints.contains(where: { $0.contains("Bad configuration option") || $0.contains("terminating, ") }) {
            return .configurationRefused(printed: text)
        }
        if let line = complaints.first(where: { $0.contains(": open failed: ") }) { return .commandRefused(message: line) }
        if phase == .login, let error = loginFailure(settings, dialogue) { return error }
        if case .command(let command) = settings.route, !hasGreeted { return .proxyFailed(command: command, output: text) }
        if case .jump(let hosts) = settings.route, !hasGreeted {
            return .proxyFailed(command: "ssh -J \(hosts.joined(separator: ","))", output: text)
        }
        for line in complaints {
            if let error = Self.networkFailure(line, settings) { return error }
        }
        if complaints.contains(where: { $0.hasPrefix("Unable to negotiate with ") }) { return .noCommonAlgorithm(said: text) }
        if hasGreeted { return isCut ? .connectionLost(phase) : .systemSSHFailed(printed: text) }
        return Self.greetingFailure(complaints, phase)
    }

    /// Whether ssh complains of nothing but the end of the connection.
    private var isCut: Bool {
        complaints.allSatisfy { $0.hasPrefix("Connection closed by ") || $0.hasPrefix("Connection reset by ") }
    }

    private func hostKeyFailure(_ settings: HostSettings, _ text: String) -> SSHError? {
        guard complaints.contains("Host key verification failed.") else { return nil }
        // Without a host key in the log, it is that of a jump host.
        guard let hostKey else {
            return .proxyFailed(command: "ssh -J", output: text)
        }
        let known = try? KnownHosts(reading: settings.userKnownHostsFiles + settings.globalKnownHostsFiles)
        let question = HostKeyQuestion(
            host: settings.knownHostsName, type: hostKey.type, fingerprint: hostKey.fingerprint,
            knownTypes: known?.types(of: settings.knownHostsName) ?? [])
        if complaints.contains(where: { $0.contains("REVOKED HOST KEY DETECTED") }),
            let place = known?.revoked(settings.knownHostsName, type: hostKey.type)
        {
            return .hostKeyRevoked(question, at: place)
        }
        if complaints.contains(where: { $0.contains("HOST IDENTIFICATION HAS CHANGED") }), let place = offendingPlace {
            return .hostKeyChanged(question, at: place)
        }
        if complaints.contains(where: { $0.contains("ertificate") || $0.contains("REVOKED") }) {
            return .systemSSHFailed(printed: text)
        }
        return .hostKeyUnknown(question)
    }

    /// Parses `Offending TYPE key in PATH:LINE`.
    private var offendingPlace: KnownHostsPlace? {
        for line in complaints where line.hasPrefix("Offending ") {
            guard let start = line.firstRange(of: " key in ")?.upperBound, let colon = line.lastIndex(of: ":"),
                start <= colon, let number = Int(line[line.index(after: colon)...])
            else { continue }
            return KnownHostsPlace(path: String(line[start..<colon]), line: number)
        }
        return nil
    }

    private func loginFailure(_ settings: HostSettings, _ dialogue: SystemSSHDialogue?) -> SSHError? {
        let offers = offers(dialogue?.outcomes ?? [:])
        let isRefused = complaints.contains { $0.contains("Permission denied") }
        let hasHungUp = complaints.contains { $0.contains("Too many authentication failures") } || isCut && !offers.isEmpty
        guard isRefused || hasHungUp else { return nil }
        return .loginFailed(
            LoginFailure(
                user: settings.user, offers: offers, end: isRefused ? .allTried : .serverHungUp, methods: methods))
    }

    /// Parses `ssh: connect to host NAME port NUMBER: WHY` and similar lines.
    private static func networkFailure(_ line: String, _ settings: HostSettings) -> SSHError? {
        if line.hasPrefix("ssh: Could not resolve hostname ") {
            return line.contains("emporary failure") ? .resolverSilent(name: settings.hostName) : .unknownName(settings.hostName)
        }
        if line.hasPrefix("Connection timed out during banner exchange") || line.hasSuffix(": Connection timed out during banner exchange")
        {
            return .timedOut(.handshake)
        }
        guard line.hasPrefix("ssh: connect to "), let why = line.split(separator: ": ").last.map(String.init) else { return nil }
        let endpoint = SSHEndpoint(address: settings.hostName, port: settings.port)
        if why == "Connection timed out" || why == "Operation timed out" { return .timedOut(.connecting) }
        // 132 is Linux's highest errno.
        guard let code = (1...132).map(Errno.init).first(where: { $0.text == why }) else {
            return .systemSSHFailed(printed: line)
        }
        return code == .connectionRefused ? .refused(endpoint) : .unreachable(endpoint, code)
    }

    /// The peer answered, but is not an SSH server or is too busy.
    private static func greetingFailure(_ complaints: [String], _ phase: Phase) -> SSHError {
        let chatter = [
            "kex_exchange_identification: ", "ssh_exchange_identification: ", "banner exchange: ", "Connection closed by ",
            "Connection reset by ",
        ]
        let said = complaints.filter { line in !chatter.contains { line.hasPrefix($0) } }
        if phase == .connecting, !said.isEmpty { return .systemSSHFailed(printed: complaints.joined(separator: "\n")) }
        return .closedEarly(printed: said.joined(separator: "\n"))
    }
}
