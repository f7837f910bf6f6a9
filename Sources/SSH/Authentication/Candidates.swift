/// A key to offer to the server.
enum Candidate {
    case agent(AgentKey)
    case file(KeyFile)

    /// All keys in ssh's order: the agent's keys that are among the identity files, the agent's other keys, then
    /// files that the agent does not hold. If libssh2 signs RSA with SHA-1, files with RSA keys come last, because
    /// few servers accept them.
    static func order(
        files: [KeyFile], agent: [AgentKey], identities: HostSettings.Identities, rsa: RSASignatures
    ) -> [Candidate] {
        let named = files.compactMap { file in
            file.publicKey.flatMap { key in agent.first { $0.key == key } }
        }
        let others = agent.filter { !named.contains($0) }
        let unheld = files.filter { file in
            if case .publicOnly = file.content { return false }
            return !agent.contains { $0.key == file.publicKey }
        }
        let isLate = { (file: KeyFile) in rsa == .sha1 && file.publicKey?.isRSA ?? false }
        var order = named.map(Candidate.agent)
        if identities == .any { order += others.map(Candidate.agent) }
        order += unheld.filter { !isLate($0) }.map(Candidate.file)
        order += unheld.filter(isLate).map(Candidate.file)
        return order
    }
}

/// How libssh2 signs with an RSA key from a file.
enum RSASignatures {
    /// Before 1.11: OpenSSH 8.8 and later refuse it.
    case sha1
    case sha2
}
