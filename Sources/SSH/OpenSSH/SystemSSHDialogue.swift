/// The prompts of one `ssh`, passed to the user in Deptool's own words where it recognises them.
final class SystemSSHDialogue {
    let askpass: Askpass
    private let settings: HostSettings
    private let prompts: Prompts
    /// Passphrases given so far; ssh asks again for a wrong one.
    private var given: [String: Secret] = [:]
    /// How often each prompt was shown: a server may repeat it forever.
    private var tries: [String: Int] = [:]
    private(set) var declined: HostKeyQuestion?
    /// Keys without a passphrase, and those with a wrong one.
    private(set) var outcomes: [String: Offer.Outcome] = [:]
    private var isGivenUp = false

    /// Maximum prompts for passphrases, passwords and codes during one login.
    private static let maximumPrompts = 10

    init(_ settings: HostSettings, _ prompts: Prompts) throws(SSHError) {
        askpass = try Askpass()
        self.settings = settings
        self.prompts = prompts
    }

    /// Answers a waiting prompt, if any. The deadline pauses meanwhile.
    func serve(_ interrupt: Interrupt, _ log: SystemSSHLog, _ deadline: inout Deadline) throws(SSHError) {
        var waiting = deadline
        try askpass.serve(interrupt) { question in waiting.paused { answer(question, log) } }
        deadline = waiting
    }

    private func answer(_ question: Askpass.Question, _ log: SystemSSHLog) -> Secret? {
        let text = question.text
        if question.kind == .none {
            prompts.notice?(settings.name, text)
            return Secret("")
        }
        // After a refusal, ssh tries other methods; the user has already declined.
        guard !isGivenUp, question.kind == .line else { return nil }
        if let key = Self.hostKey(in: text) {
            let asked =
                log.hostKey.map { $0.fingerprint == key.fingerprint } ?? false
                ? HostKeyQuestion(host: settings.knownHostsName, type: log.hostKey?.type ?? key.type, fingerprint: key.fingerprint)
                : key
            guard prompts.confirm?(asked) == .accept else {
                declined = asked
                return Secret("no")
            }
            return Secret("yes")
        }
        tries[text, default: 0] += 1
        guard tries[text, default: 0] <= Secret.maximumTries, tries.values.reduce(0, +) <= Self.maximumPrompts else {
            isGivenUp = true
            return nil
        }
        if let path = passphrasePath(in: text) {
            let answer = prompts.passphrase?(path, given[path])
            outcomes[path] = answer == nil ? .noPassphrase : .wrongPassphrase
            given[path] = answer
            return answer
        }
        guard let answer = prompts.secret?(settings.name, text) else {
            isGivenUp = true
            return nil
        }
        return answer
    }

    /// Parses `Enter passphrase for key '…': `, which has at most 100 bytes of the path.
    private func passphrasePath(in text: String) -> String? {
        let beginning = "Enter passphrase for key '"
        guard text.hasPrefix(beginning), let end = text.lastIndex(of: "'") else { return nil }
        let path = String(text[..<end].dropFirst(beginning.count))
        return settings.identityFiles.first { $0 == path || path.utf8.count >= 100 && $0.hasPrefix(path) } ?? path
    }

    /// Parses ssh's host key prompt.
    static func hostKey(in text: String) -> HostKeyQuestion? {
        guard text.contains("(yes/no"), let hash = text.firstRange(of: "SHA256:") else { return nil }
        let fingerprint = text[hash.lowerBound...].prefix { !$0.isWhitespace }
        let type = text[..<hash.lowerBound].firstRange(of: " key fingerprint is ").map { end in
            text[..<end.lowerBound].reversed().prefix { !$0.isWhitespace }.reversed().map(String.init).joined()
        }
        let parts = text.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
        let host = parts.count == 3 ? String(parts[1]).split(separator: " ").first.map(String.init) : nil
        var bare = String(fingerprint)
        if bare.hasSuffix(".") { bare.removeLast() }
        return HostKeyQuestion(host: host ?? "", type: type ?? "", fingerprint: bare)
    }
}
