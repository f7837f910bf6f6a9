import Model

extension SSHError {
    /// One short phrase for a status line.
    package var phrase: String {
        switch self {
        case .sshNotFound: "no ssh on this machine"
        case .configurationRefused: "ssh refuses its configuration"
        case .settingInvalid(let keyword, _): "unusable setting \(keyword)"
        case .unknownName: "unknown name"
        case .resolverSilent: "name resolution failed"
        case .refused: "connection refused"
        case .unreachable(_, let code): code.text.lowercased()
        case .timedOut(let phase): "no answer while \(phase.doing)"
        case .closedEarly where isWorthRetrying: "connection closed"
        case .closedEarly: "not an SSH server"
        case .proxyFailed: "proxy failed"
        case .hostKeyUnknown: "unknown host key"
        case .hostKeyDeclined: "host key not accepted"
        case .hostKeyChanged: "host key changed"
        case .hostKeyRevoked: "host key revoked"
        case .knownHostsUnusable: "known_hosts unusable"
        case .loginFailed: "login failed"
        case .noCommonAlgorithm: "no common algorithm"
        case .connectionLost: "connection lost"
        case .commandRefused: "command refused"
        case .systemSSHFailed: "ssh failed"
        case .protocolError: "SSH protocol error"
        case .interrupted: "interrupted"
        case .system(_, let code): code.text.lowercased()
        }
    }

    /// The cause and the remedy: one or more sentences on one or more lines, without a final newline.
    package func explanation(host: String) -> String {
        switch self {
        case .sshNotFound:
            "Deptool asks ssh for the settings of each host, and found no ssh in PATH. Install the OpenSSH client."
        case .configurationRefused(let printed):
            """
            ssh does not accept its configuration for \(host):
            \(indented(printed))
            Once `ssh -G \(host)` works, so will this.
            """
        case .settingInvalid(let keyword, let value):
            """
            Deptool cannot use the setting `\(visible("\(keyword) \(value)"))` that ssh has for \(host). See what `ssh -G \(host)` \
            prints.
            """
        case .unknownName(let name):
            """
            There is no address for \(visible(name)). Check the name, or give \(host) a HostName in ~/.ssh/config.
            """
        case .resolverSilent(let name):
            "The name server gave no address for \(visible(name)). Check your network and try again."
        case .refused(let endpoint):
            """
            \(endpoint.text) refuses connections. Either sshd does not run on \(host), or it listens on another port: \
            give \(host) a Port in ~/.ssh/config.
            """
        case .unreachable(let endpoint, let code):
            "\(endpoint.text) cannot be reached: \(code.text.lowercased()). Check your network, and that \(host) is up."
        case .timedOut(let phase):
            "\(host) did not answer in time while Deptool was \(phase.doing). Check your network, and that \(host) is up."
        case .closedEarly(let printed) where printed.isEmpty:
            """
            \(host) closed the connection without a banner. It may have too many connections (MaxStartups in \
            sshd_config), or refuse your address.
            """
        case .closedEarly(let printed) where isWorthRetrying:
            """
            \(host) takes no more connections for now. Its output:
            \(indented(printed))
            """
        case .closedEarly(let printed):
            """
            The server at the address of \(host) is not an SSH server. It sent:
            \(indented(printed))
            Check HostName and Port in ~/.ssh/config.
            """
        case .proxyFailed(let command, let printed):
            """
            The proxy of \(host) failed\(printed.isEmpty ? ": `\(visible(command))` ended." : ". Output of `\(visible(command))`:")
            \(indented(printed))
            """.trimmed
        case .hostKeyUnknown(let question): Self.unknownKey(question, host)
        case .hostKeyDeclined(let question):
            "You did not accept the \(question.key) of \(host)."
        case .hostKeyChanged(let question, let place):
            """
            \(visible(question.host)) shows another \(visible(question.type)) key than the one in \(visible(place.path)), line \(place.line). \
            Somebody may be listening in, or \(host) was reinstalled.
            It shows \(visible(question.fingerprint)). If you know that this is right, run
                ssh-keygen -f \(visible(place.path)) -R '\(visible(question.host))'
            """
        case .hostKeyRevoked(let question, let place):
            """
            The \(visible(question.type)) key of \(visible(question.host)), \(visible(question.fingerprint)), is revoked in \
            \(visible(place.path)), line \
            \(place.line). Do not trust a server that presents it.
            """
        case .knownHostsUnusable(let path, let code):
            "\(visible(path)) cannot be used: \(code.text.lowercased()). Without it, no host key can be verified."
        case .loginFailed(let failure): failure.explanation(host: host)
        case .noCommonAlgorithm(let said):
            """
            \(host) accepts none of the algorithms that this machine has\(said.isEmpty ? "" : ", or the other way round"). \
            See KexAlgorithms, Ciphers and MACs in its sshd_config, and the output of `ssh \(host)`.
            \(indented(said))
            """.trimmed
        case .connectionLost(let phase):
            "The connection to \(host) broke while Deptool was \(phase.doing)."
        case .commandRefused(let message):
            """
            \(host) let you in, but does not run commands for you: \(visible(message)). Look for ForceCommand, PermitTTY or \
            MaxSessions in its sshd_config, and at your login shell there.
            """
        case .systemSSHFailed(let printed):
            """
            ssh could not log in to \(host). Its output:
            \(indented(printed))
            Once `ssh \(host)` works, so will this.
            """
        case .protocolError(let phase, let message):
            "Something went wrong with the SSH connection to \(host) while Deptool was \(phase.doing): \(visible(message))."
        case .interrupted:
            "Interrupted."
        case .system(let operation, let code):
            "A system call failed on this machine, for the connection to \(host): \(operation): \(code.text.lowercased())."
        }
    }

    private static func unknownKey(_ question: HostKeyQuestion, _ host: String) -> String {
        let others =
            question.knownTypes.isEmpty
            ? "" : " known_hosts has other keys for it: \(visible(question.knownTypes.joined(separator: ", ")))."
        return """
            You have not accepted the host key of \(visible(question.host)) yet.\(others)
            Its key is the \(question.key). If that is right, run `ssh \(host)` once and \
            accept it.
            """
    }
}

extension Phase {
    /// As in "while Deptool was …".
    var doing: String {
        switch self {
        case .readingSettings: "asking ssh for the settings"
        case .resolving: "looking up the name"
        case .connecting: "connecting"
        case .handshake: "starting the SSH session"
        case .login: "logging in"
        case .askingAgent: "asking the SSH agent"
        case .starting: "starting a command"
        case .transferring: "transferring data"
        case .ending: "waiting for a command to end"
        }
    }
}

extension HostKeyQuestion {
    /// Its type and fingerprint, in the server's own words if ssh is the transport.
    fileprivate var key: String { visible("\(type) key \(fingerprint)") }
}

extension LoginFailure {
    func explanation(host: String) -> String {
        var text = "\(host) does not let \(user) in."
        if offers.isEmpty {
            text += " There is no key to log in with: no agent holds one, and none of the identity files exists."
        }
        for offer in offers { text += "\n    \(offer.source.text)\(offer.typeText): \(offer.outcome.text)" }
        switch end {
        case .allTried: break
        case .serverHungUp, .stoppedEarly:
            text += "\nThe server allows no more tries. Name the right key with IdentityFile and IdentitiesOnly."
        }
        if offers.contains(where: { $0.outcome == .refusedForSHA1 }) {
            text += """

                Deptool's SSH library (libssh2 before 1.11) signs with RSA keys in a way that OpenSSH 8.8 and later \
                refuse. Add the key to ssh-agent, or use an Ed25519 key.
                """
        }
        let others = methods.filter { $0 != "publickey" }
        if !methods.isEmpty, !methods.contains("publickey") || !others.isEmpty {
            text += "\nThe server offers: \(visible(methods.joined(separator: ", ")))."
        }
        if offers.contains(where: { $0.outcome == .noPassphrase }) {
            text += "\nAdd keys with a passphrase to ssh-agent: `ssh-add`."
        }
        return text
    }
}

extension Offer {
    fileprivate var typeText: String { type.isEmpty ? "" : " (\(visible(type)))" }
}

extension Offer.Source {
    fileprivate var text: String {
        switch self {
        case .agent(let comment): comment.isEmpty ? "a key of the agent" : "key \(visible(comment)) of the agent"
        case .file(let path): visible(path)
        case .method(let name): visible(name)
        }
    }
}

extension Offer.Outcome {
    fileprivate var text: String {
        switch self {
        case .refused: "refused"
        case .refusedForSHA1: "refused, perhaps because of its SHA-1 signature"
        case .agentWouldNotSign: "the agent refused to sign with it"
        case .noPassphrase: "needs a passphrase"
        case .wrongPassphrase: "wrong passphrase"
        case .unreadable(let message): "cannot be read\(message.isEmpty ? "" : ": \(visible(message))")"
        case .unsupported: "a kind of key that Deptool's SSH library cannot use"
        }
    }
}

/// Indents every line by four spaces.
private func indented(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).map { "    " + visible(String($0)) }.joined(separator: "\n")
}

extension String {
    /// Removes the newline that an empty last line leaves.
    fileprivate var trimmed: String { hasSuffix("\n") ? String(dropLast()) : self }
}
