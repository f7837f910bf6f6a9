import CSSH2

/// Public key authentication (RFC 4252, section 7), one key after another, without querying the server's methods
/// first.
struct Login {
    private let session: Session
    private let settings: HostSettings
    private let prompts: Prompts
    private let interrupt: Interrupt
    private var offers: [Offer] = []

    /// sshd's default limit (MaxAuthTries). Key queries that it accepts do not count.
    private static let maximumRefusals = 6

    init(session: Session, settings: HostSettings, prompts: Prompts, interrupt: Interrupt) {
        self.session = session
        self.settings = settings
        self.prompts = prompts
        self.interrupt = interrupt
    }

    /// Returns when logged in. Throws ``SSHError/loginFailed(_:)``, and errors that end a wait or the connection.
    mutating func run(deadline: inout Deadline) throws(SSHError) {
        var agent: SSHAgent?
        if case .path(let path) = settings.agent { agent = SSHAgent(at: path, interrupt: interrupt) }
        let keys = try agent?.keys(deadline: deadline) ?? []
        let candidates = Candidate.order(
            files: settings.identityFiles.compactMap(KeyFile.init(at:)), agent: keys,
            identities: settings.identities, rsa: Library.rsaSignatures
        ).filter { settings.algorithms.accept($0.type) }
        var refusals = 0
        for candidate in candidates {
            guard refusals < Self.maximumRefusals else { throw failed(.stoppedEarly) }
            let attempt: Attempt
            do throws(SSHError) {
                switch candidate {
                case .agent(let key): attempt = try offer(key, agent, deadline)
                case .file(let file): attempt = try offer(file, &deadline)
                }
            } catch .connectionLost {
                offers.append(Offer(source: candidate.source, type: candidate.type, outcome: .refused))
                throw failed(.serverHungUp)
            }
            switch attempt {
            case .accepted: return
            case .failed(let outcome):
                offers.append(Offer(source: candidate.source, type: candidate.type, outcome: outcome))
                if outcome.wasAnswered { refusals += 1 }
            }
        }
        throw failed(.allTried, methods: refusals < Self.maximumRefusals - 1 ? methods(deadline) : [])
    }

    private enum Attempt {
        case accepted
        case failed(Offer.Outcome)
    }

    private func failed(_ end: LoginFailure.End, methods: [String] = []) -> SSHError {
        .loginFailed(LoginFailure(user: settings.user, offers: offers, end: end, methods: methods))
    }

    /// `libssh2_userauth_list`: the server's other methods. Queried only after everything else has failed.
    private func methods(_ deadline: Deadline) -> [String] {
        let user = settings.user
        var list: UnsafeMutablePointer<CChar>?
        _ = try? unsafe session.drive(.login, until: deadline) { handle in
            unsafe list = libssh2_userauth_list(handle, user, UInt32(user.utf8.count))
            return unsafe list == nil ? Int(unsafe libssh2_session_last_errno(handle)) : 0
        }
        guard let list = unsafe list else { return [] }
        return unsafe String(cString: list).prefix(256).split(separator: ",").map(String.init)
    }

    // MARK: Keys of the agent

    private func offer(_ key: AgentKey, _ agent: SSHAgent?, _ deadline: Deadline) throws(SSHError) -> Attempt {
        guard let agent, !key.key.isBeyondLibrary else { return .failed(.unsupported) }
        let signer = Signer { data, algorithm throws(SSHError) in
            try agent.sign(data, with: key.key, algorithm: algorithm, deadline: deadline)
        }
        let code = try authenticate(key.key, signer, deadline)
        if let error = signer.error { throw error }
        if code == 0 { return .accepted }
        if signer.wasAsked && !signer.hasSigned { return .failed(.agentWouldNotSign) }
        return .failed(try refusal(code))
    }

    /// `libssh2_userauth_publickey`, which first queries whether the server would accept the key, and then signs.
    private func authenticate(_ key: PublicKey, _ signer: Signer, _ deadline: Deadline) throws(SSHError) -> Int {
        let blob = Self.offered(key)
        let user = settings.user
        var context: UnsafeMutableRawPointer? = unsafe Unmanaged.passUnretained(signer).toOpaque()
        return try withExtendedLifetime(signer) { () throws(SSHError) in
            try unsafe withUnsafeMutablePointer(to: &context) { context throws(SSHError) in
                try unsafe session.drive(.login, until: deadline) { handle in
                    Int(unsafe libssh2_userauth_publickey(handle, user, blob, blob.count, signForLibrary, context))
                }
            }
        }
    }

    /// libssh2 before 1.11 takes the signature algorithm from the beginning of the key blob, where RSA keys have
    /// `ssh-rsa`, which means SHA-1. sshd treats a blob with `rsa-sha2-512` there as the same key, and expects
    /// SHA-512.
    private static func offered(_ key: PublicKey) -> [UInt8] {
        guard key.isRSA, Library.rsaSignatures == .sha1 else { return key.blob }
        var writer = SSHWireWriter()
        writer.string("rsa-sha2-512".utf8)
        return writer.bytes + key.blob.dropFirst(4 + key.type.utf8.count)
    }

    // MARK: Key files

    private func offer(_ file: KeyFile, _ deadline: inout Deadline) throws(SSHError) -> Attempt {
        if let key = file.publicKey, key.isBeyondLibrary { return .failed(.unsupported) }
        let isSHA1 = Library.rsaSignatures == .sha1 && file.publicKey?.isRSA ?? false
        switch file.content {
        case .publicOnly, .privateKey(_, .beyondLibrary): return .failed(.unsupported)
        case .unreadable(let message): return .failed(.unreadable(message: message))
        case .privateKey(let text, .none):
            return try offer(text, passphrase: nil, deadline, isSHA1)
        case .privateKey(let text, .passphrase):
            if let key = file.publicKey, try !isWelcome(key, deadline) {
                return .failed(isSHA1 ? .refusedForSHA1 : .refused)
            }
            guard let ask = prompts.passphrase else { return .failed(.noPassphrase) }
            var wrong: Secret?
            for _ in 0..<Secret.maximumTries {
                guard let passphrase = deadline.paused(during: { ask(file.path, wrong) }) else {
                    return .failed(.noPassphrase)
                }
                wrong = passphrase
                let attempt = try offer(text, passphrase: passphrase, deadline, isSHA1)
                guard case .failed(.unreadable) = attempt else { return attempt }
            }
            return .failed(.wrongPassphrase)
        }
    }

    /// Whether the server would accept a signature by this key: avoids useless passphrase prompts.
    private func isWelcome(_ key: PublicKey, _ deadline: Deadline) throws(SSHError) -> Bool {
        let signer = Signer { _, _ in nil }
        let code = try authenticate(key, signer, deadline)
        if signer.wasAsked { return true }
        if code < 0 { _ = try refusal(code) }
        return false
    }

    /// `libssh2_userauth_publickey_frommemory`, which reads the key up to a zero byte, regardless of the length. A key that
    /// cannot be read, or not with this passphrase, is unreadable; nothing has been sent then.
    private func offer(
        _ text: Secret, passphrase: Secret?, _ deadline: Deadline, _ isSHA1: Bool
    ) throws(SSHError) -> Attempt {
        let user = settings.user
        guard let passphrase = passphrase ?? Secret("") else { return .failed(.noPassphrase) }
        let code = try unsafe session.drive(.login, until: deadline) { handle in
            unsafe text.withBytes { key in
                unsafe passphrase.withBytes { passphrase in
                    Int(
                        unsafe libssh2_userauth_publickey_frommemory(
                            handle, user, user.utf8.count, nil, 0, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count,
                            passphrase.baseAddress?.assumingMemoryBound(to: CChar.self)))
                }
            }
        }
        if code == 0 { return .accepted }
        switch Int32(truncatingIfNeeded: code) {
        case LIBSSH2_ERROR_AUTHENTICATION_FAILED, LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
            let outcome = try refusal(code)
            return .failed(isSHA1 ? .refusedForSHA1 : outcome)
        case LIBSSH2_ERROR_SOCKET_DISCONNECT, LIBSSH2_ERROR_SOCKET_SEND, LIBSSH2_ERROR_SOCKET_RECV:
            throw session.failure(code, .login)
        default:
            guard case .protocolError(_, let message) = session.failure(code, .login) else {
                return .failed(.unreadable(message: ""))
            }
            return .failed(.unreadable(message: message))
        }
    }

    /// The server's refusal, unless the code means that the connection is gone.
    private func refusal(_ code: Int) throws(SSHError) -> Offer.Outcome {
        switch Int32(truncatingIfNeeded: code) {
        case LIBSSH2_ERROR_AUTHENTICATION_FAILED: return .refused
        case LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED where session.isConnected: return .refused
        case LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED: throw .connectionLost(.login)
        default: throw session.failure(code, .login)
        }
    }
}

extension HostSettings.Algorithms {
    /// Whether ssh would log in with keys of this type (PubkeyAcceptedAlgorithms). The type can be empty for a file.
    fileprivate func accept(_ type: String) -> Bool {
        guard let userKeys, !type.isEmpty else { return true }
        let accepted = userKeys.split(separator: ",")
        return accepted.contains { $0 == type || type == "ssh-rsa" && $0.hasPrefix("rsa-sha2-") }
    }
}

extension Candidate {
    fileprivate var source: Offer.Source {
        switch self {
        case .agent(let key): .agent(comment: key.comment)
        case .file(let file): .file(path: file.path)
        }
    }

    fileprivate var type: String {
        switch self {
        case .agent(let key): key.key.type
        case .file(let file): file.publicKey?.type ?? ""
        }
    }
}

extension Offer.Outcome {
    /// Whether the server rejected it and counts the attempt.
    fileprivate var wasAnswered: Bool {
        switch self {
        case .refused, .refusedForSHA1: true
        case .agentWouldNotSign, .noPassphrase, .wrongPassphrase, .unreadable, .unsupported: false
        }
    }
}
