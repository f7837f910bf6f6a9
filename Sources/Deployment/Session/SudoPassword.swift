import SSH

/// sudo's password prompts on standard error, and our answers on the stream, until the program on the host has started.
struct SudoPassword {
    /// How long that may take, but for the answers of a person. A host that prints a little now and then is never silent.
    static let limit = Duration.seconds(300)

    var deadline: Deadline
    private let prompt: [UInt8]
    private let ask: ((_ wrong: Secret?) -> Secret?)?
    private var answered = 0
    private(set) var last: Secret?

    init(prompt: String, ask: ((_ wrong: Secret?) -> Secret?)?, limit: Duration = Self.limit) {
        deadline = .after(limit)
        self.prompt = Array(prompt.utf8)
        self.ask = ask
    }

    /// Sends the password if sudo has asked since the last call. Throws after the deadline.
    mutating func answer(_ stream: any RemoteStream) throws(HostError) {
        guard !deadline.hasPassed else { throw .ssh(.timedOut(.login)) }
        let said = stream.standardError
        guard said.split(separator: prompt, omittingEmptySubsequences: false).count - 1 > answered else { return }
        answered += 1
        // sudo gives up by then; a host that asks more often is collecting passwords.
        var waiting = deadline
        guard answered <= Secret.maximumTries, let password = waiting.paused(during: { ask?(last) }) else {
            throw .sudo(last == nil ? .passwordNeeded : .passwordWrong, printed: cleaned(said))
        }
        (last, deadline) = (password, waiting)
        try overSSH(stream.write(password, deadline: .after(Conversation.timeout)))
        try overSSH(stream.write([10], deadline: .after(Conversation.timeout)))
    }

    /// The output without the prompts.
    func cleaned(_ said: [UInt8]) -> [UInt8] {
        Array(said.split(separator: prompt, omittingEmptySubsequences: false).joined())
    }
}
