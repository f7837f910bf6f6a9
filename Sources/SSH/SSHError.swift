import CSystem

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
    case refused(Endpoint)
    case unreachable(Endpoint, SystemErrorCode)
    case timedOut(Phase)
    /// The peer did not identify itself as an SSH server; its first bytes, at most 1024.
    case closedEarly(printed: String)
    /// The ProxyCommand or jump host failed; its output.
    case proxyFailed(command: String, printed: String)

    case hostKeyUnknown(HostKeyQuestion)
    case hostKeyDeclined(HostKeyQuestion)
    case hostKeyChanged(HostKeyQuestion, at: KnownHostsPlace)
    case hostKeyRevoked(HostKeyQuestion, at: KnownHostsPlace)
    case knownHostsUnusable(path: String, SystemErrorCode)

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
    case system(operation: String, SystemErrorCode)
}

/// The operation that failed.
package enum Phase: Hashable, Sendable {
    case readingSettings, resolving, connecting, handshake, login, askingAgent, starting, transferring, ending
}

/// An errno value.
package struct SystemErrorCode: Hashable, Sendable {
    package let number: Int32

    package init(number: Int32) { self.number = number }

    /// strerror(3).
    package var text: String {
        unsafe csys_strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
    }
}

/// The destination of a connection: a name or numeric address, and a port.
package struct Endpoint: Hashable, Sendable {
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
    /// Whether the system's `ssh`, which supports more algorithms, keys and login methods than libssh2, may succeed
    /// where libssh2 failed. `questions` are the prompts that it may use.
    package func systemSSHMayWork(_ questions: Prompts) -> Bool {
        switch self {
        case .loginFailed(let failure): failure.systemSSHMayWork(questions)
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
        // A jump host that was too busy for `ssh -W`, or a busy host behind it.
        case .proxyFailed(_, let printed):
            printed.isEmpty
                || ["kex_exchange_identification", "Exceeded MaxStartups", "Not allowed at this time"].contains(where: printed.contains)
        case .connectionLost(.handshake), .resolverSilent: true
        default: false
        }
    }
}

extension LoginFailure {
    fileprivate func systemSSHMayWork(_ questions: Prompts) -> Bool {
        let isBeyondLibrary = offers.contains { offer in
            switch offer.outcome {
            case .refusedForSHA1, .unreadable, .unsupported: true
            case .refused, .agentWouldNotSign, .noPassphrase, .wrongPassphrase: false
            }
        }
        let others = questions.secret == nil ? Self.silentMethods : Self.silentMethods + ["keyboard-interactive", "password"]
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
