import Platform

/// Everything that can go wrong between here and a remote command.
///
/// Texts from the other side are unchecked: the display makes them safe. Their length is limited.
package enum SSHError: Error, Hashable, Sendable {
    /// There is no `ssh` in `PATH`.
    case sshNotFound
    /// `ssh -G` rejected its configuration; its output.
    case configurationRefused(printed: String)
    /// A setting that Deptool cannot use, as `ssh -G` prints it.
    case settingInvalid(keyword: String, value: String)

    case unknownName(String)
    /// The resolver did not answer for this name.
    case resolverSilent(name: String)
    case refused(SSHEndpoint)
    case unreachable(SSHEndpoint, Errno)
    case timedOut(Phase)
    /// The peer did not identify itself as an SSH server; its first bytes, at most 1024.
    case closedEarly(printed: String)
    /// The ProxyCommand or jump host failed; its output.
    case proxyFailed(command: String, printed: String)

    case hostKeyUnknown(HostKeyQuestion)
    case hostKeyDeclined(HostKeyQuestion)
    case hostKeyChanged(HostKeyQuestion, at: KnownHostsPlace)
    case hostKeyRevoked(HostKeyQuestion, at: KnownHostsPlace)
    case knownHostsUnusable(path: String, Errno)

    case loginFailed(LoginFailure)

    /// This client and the server have no key exchange, host key, cipher or MAC algorithm in common.
    case noCommonAlgorithm(said: String)
    case connectionLost(Phase)
    /// The server refused to open a channel or run the command.
    case commandRefused(message: String)
    /// The system's ssh exited before it had logged in, for a reason that Deptool does not recognise; its output.
    case systemSSHFailed(printed: String)
    /// With libssh2's message.
    case protocolError(Phase, message: String)
    case interrupted
    case system(operation: String, Errno)
}

extension SSHError {
    /// The failure of a proxy that wrote this. An ssh behind it wrote that its proxy ended as well, in words that
    /// depend on which of the two was faster: they are left out.
    static func proxyFailed(command: String, output: String) -> SSHError {
        var lines: [Substring] = []
        for line in output.split(whereSeparator: \.isNewline) {
            guard tellsOfEnd(line) else {
                lines.append(line)
                continue
            }
            if let last = lines.last, last.hasPrefix("kex_exchange_identification: "), ends.contains(where: last.hasSuffix) {
                lines.removeLast()
            }
        }
        return .proxyFailed(command: command, printed: lines.joined(separator: "\n"))
    }

    /// Whether ssh reports only the end of its proxy. It uses this name for the peer in other messages, too, if there is no socket.
    private static func tellsOfEnd(_ line: Substring) -> Bool {
        let peer = "UNKNOWN port 65535"
        return line == "Connection closed by \(peer)" || line == "Connection reset by \(peer)"
            || line.contains("Connection to \(peer): ") && ends.contains(where: line.hasSuffix)
    }

    private static let ends = ["Connection closed by remote host", ": Connection reset by peer", ": Broken pipe"]
}

/// The operation that failed.
package enum Phase: Hashable, Sendable {
    case readingSettings, resolving, connecting, handshake, login, askingAgent, starting, transferring, ending
}

/// The result of system calls, whose error becomes one of the operation.
func attempt<Result: ~Copyable>(
    _ operation: String, _ body: @autoclosure () throws(Errno) -> Result
) throws(SSHError) -> Result {
    do throws(Errno) { return try body() } catch { throw .system(operation: operation, error) }
}

/// The destination of a connection: a name or numeric address, and a port.
package struct SSHEndpoint: Hashable, Sendable {
    package let address: String
    package let port: UInt16

    package init(address: String, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// `address:port`, IPv6 in brackets.
    package var text: String {
        address.utf8.contains(UInt8(ascii: ":")) ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}

extension SSHError {
    /// The messages of ssh about a jump host whose answer will be the same half a minute later.
    private static let lastingProblems = [
        "Permission denied", "Too many authentication failures", "verification failed", "HOST IDENTIFICATION HAS CHANGED",
        "Could not resolve hostname", "Connection refused", "open failed: ", "No route to host", "Network is unreachable", "timed out",
        "no matching ", "invalid format", "invalid characters", "Bad configuration", "Bad owner", "terminating, ", "not found",
    ]

    /// Whether the system's `ssh`, which supports more algorithms, keys and login methods than libssh2, may succeed
    /// where libssh2 failed. `prompts` are the prompts that it may use.
    package func systemSSHMayWork(_ prompts: Prompts) -> Bool {
        switch self {
        case .loginFailed(let failure): failure.systemSSHMayWork(prompts)
        case .noCommonAlgorithm: true
        case .hostKeyUnknown(let question): !question.knownTypes.isEmpty
        case .settingInvalid: true
        case .sshNotFound, .configurationRefused, .unknownName, .resolverSilent, .refused, .unreachable, .timedOut,
            .closedEarly, .proxyFailed, .hostKeyDeclined, .hostKeyChanged, .hostKeyRevoked, .knownHostsUnusable, .connectionLost,
            .commandRefused, .systemSSHFailed, .protocolError, .interrupted, .system:
            false
        }
    }

    /// Whether the server was apparently just too busy: sshd drops connections at random when many start at once
    /// (MaxStartups in sshd_config(5)).
    package var isWorthRetrying: Bool {
        switch self {
        case .closedEarly(let printed):
            ["", "Exceeded MaxStartups", "Not allowed at this time"].contains(
                String(printed.prefix { !$0.isNewline }))
        case .proxyFailed(let command, let printed): Self.proxyMayBeBusy(command, printed)
        case .connectionLost(.handshake), .resolverSilent: true
        default: false
        }
    }

    /// A jump host that was too busy for `ssh -W`, or a busy host behind one. ssh prints the jump host's banner and its own warnings
    /// before.
    private static func proxyMayBeBusy(_ command: String, _ printed: String) -> Bool {
        if printed.isEmpty || ["Exceeded MaxStartups", "Not allowed at this time"].contains(where: printed.contains) { return true }
        let isSSH =
            command.hasPrefix("ssh ")
            || ["kex_exchange_identification: ", "banner exchange: Connection to "].contains(where: printed.contains)
        return isSSH && !lastingProblems.contains(where: printed.contains)
    }
}

extension LoginFailure {
    fileprivate func systemSSHMayWork(_ prompts: Prompts) -> Bool {
        let isBeyondLibrary = offers.contains { offer in
            switch offer.outcome {
            case .refusedForSHA1, .unreadable, .unsupported: true
            case .refused, .agentWouldNotSign, .noPassphrase, .wrongPassphrase: false
            }
        }
        let others = prompts.secret == nil ? Self.silentMethods : Self.silentMethods + ["keyboard-interactive", "password"]
        return isBeyondLibrary || methods.contains(where: others.contains)
    }

    /// Login methods without prompts that libssh2 lacks.
    private static let silentMethods = ["gssapi-with-mic", "hostbased"]

    /// ssh's failure, completed with libssh2's details about the keys.
    package func completed(by other: LoginFailure) -> LoginFailure {
        let missing = other.offers.filter { offer in
            (offer.outcome == .noPassphrase || offer.outcome == .wrongPassphrase)
                && !offers.contains { $0.source == offer.source && $0.outcome != .refused }
        }
        let rest = offers.filter { offer in !missing.contains { $0.source == offer.source } }
        return LoginFailure(user: user, offers: missing + rest, end: end, methods: methods)
    }
}
