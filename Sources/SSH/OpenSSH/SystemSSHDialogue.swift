import CSystem

/// The questions of one `ssh`, put to the person in Deptool's own words where these are known.
final class SystemSSHDialogue {
    let askpass: Askpass
    private let settings: HostSettings
    private let questions: Prompts
    /// Passphrases that were given; one that is asked for again was wrong.
    private var given: [String: Secret] = [:]
    /// How often each question was put: a server may ask without end.
    private var tries: [String: Int] = [:]
    private(set) var declined: HostKeyQuestion?
    /// Keys whose passphrase was not to be had, and those for which it was wrong.
    private(set) var outcomes: [String: Offer.Outcome] = [:]
    private var isGivenUp = false

    /// Of passphrases, passwords and codes, for one login.
    private static let maximumQuestions = 10

    init(_ settings: HostSettings, _ questions: Prompts) throws(SSHError) {
        askpass = try Askpass()
        self.settings = settings
        self.questions = questions
    }

    /// Answers the question that there may be. The deadline stands still meanwhile.
    func serve(_ interrupt: Interrupt, _ log: SystemSSHLog, _ deadline: inout Deadline) throws(SSHError) {
        var waiting = deadline
        try askpass.serve(interrupt) { question in waiting.paused { answer(question, log) } }
        deadline = waiting
    }

    private func answer(_ question: Askpass.Question, _ log: SystemSSHLog) -> Secret? {
        let text = question.text
        if question.kind == .none {
            questions.notice?(settings.name, text)
            return Secret("")
        }
        // After a no, ssh tries other ways to log in; the person has had enough.
        guard !isGivenUp, question.kind == .line else { return nil }
        if let key = Self.hostKey(in: text) {
            let asked =
                log.hostKey.map { $0.fingerprint == key.fingerprint } ?? false
                ? HostKeyQuestion(host: settings.knownHostsName, type: log.hostKey?.type ?? key.type, fingerprint: key.fingerprint)
                : key
            guard questions.confirm?(asked) == .accept else {
                declined = asked
                return Secret("no")
            }
            return Secret("yes")
        }
        tries[text, default: 0] += 1
        guard tries[text, default: 0] <= Secret.maximumTries, tries.values.reduce(0, +) <= Self.maximumQuestions else {
            isGivenUp = true
            return nil
        }
        if let path = passphrasePath(in: text) {
            let answer = questions.passphrase?(path, given[path])
            outcomes[path] = answer == nil ? .noPassphrase : .wrongPassphrase
            given[path] = answer
            return answer
        }
        guard let answer = questions.secret?(settings.name, text) else {
            isGivenUp = true
            return nil
        }
        return answer
    }

    /// From `Enter passphrase for key '…': `, which has at most 100 bytes of the path.
    private func passphrasePath(in text: String) -> String? {
        let beginning = "Enter passphrase for key '"
        guard text.hasPrefix(beginning), let end = text.lastIndex(of: "'") else { return nil }
        let path = String(text[..<end].dropFirst(beginning.count))
        return settings.identityFiles.first { $0 == path || path.utf8.count >= 100 && $0.hasPrefix(path) } ?? path
    }

    /// From ssh's question whether a host is the right one.
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
