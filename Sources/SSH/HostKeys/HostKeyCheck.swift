/// Decides whether to accept a server's host key.
struct HostKeyCheck {
    private let settings: HostSettings
    private let known: KnownHosts

    /// Reads the known_hosts files.
    init(_ settings: HostSettings) throws(SSHError) {
        self.settings = settings
        known = try KnownHosts(reading: settings.userKnownHostsFiles + settings.globalKnownHostsFiles)
    }

    /// Host key algorithms that ssh would also accept, those of known keys first: otherwise the server might show an
    /// unknown key.
    var preferredTypes: [String] {
        let allowed = settings.algorithms.hostKeys?.split(separator: ",")
        let ours = [
            "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512",
            "rsa-sha2-256", "ssh-rsa",
        ].filter { allowed?.contains($0[...]) ?? true }
        let types = known.types(of: settings.knownHostsName)
        let isKnown = { (algorithm: String) in
            types.contains(algorithm) || algorithm.hasPrefix("rsa-sha2-") && types.contains("ssh-rsa")
        }
        return ours.filter(isKnown) + ours.filter { !isKnown($0) }
    }

    /// Accepts a known key, and an unknown one according to StrictHostKeyChecking; never a changed or revoked one.
    func check(
        _ key: PublicKey, sha256: [UInt8], prompts: Prompts, deadline: inout Deadline
    ) throws(SSHError) {
        let name = settings.knownHostsName
        var question = HostKeyQuestion(
            host: name, type: key.type, fingerprint: "SHA256:" + Base64.encode(sha256, .bare))
        switch known.lookup(name, key) {
        case .known: return
        case .revoked(let place): throw .hostKeyRevoked(question, at: place)
        case .changed(let place): throw .hostKeyChanged(question, at: place)
        case .unknown(let types): question = HostKeyQuestion(question, knownTypes: types)
        }
        // Like ssh, accept a key of the name without its port.
        if settings.hostKeyAlias == nil, settings.port != 22,
            known.lookup(settings.hostName.lowercased(), key) == .known
        {
            return
        }
        switch settings.strictHostKeyChecking {
        case .yes:
            throw .hostKeyUnknown(question)
        case .ask:
            guard let confirm = prompts.confirm else { throw .hostKeyUnknown(question) }
            let asked = question
            guard deadline.paused(during: { confirm(asked) }) == .accept else { throw .hostKeyDeclined(question) }
        case .acceptNew, .no:
            // A host with other known keys is not new.
            guard question.knownTypes.isEmpty else { throw .hostKeyUnknown(question) }
        }
        guard let path = settings.userKnownHostsFiles.first else { return }
        try KnownHosts.append(KnownHosts.line(name, key, salt: salt()), to: path)
    }

    private func salt() -> [UInt8]? {
        guard settings.knownHostsNames == .hashed else { return nil }
        return (0..<20).map { _ in UInt8.random(in: .min ... .max) }
    }
}

extension HostKeyQuestion {
    fileprivate init(_ question: HostKeyQuestion, knownTypes: [String]) {
        self.init(
            host: question.host, type: question.type, fingerprint: question.fingerprint, knownTypes: knownTypes)
    }
}
