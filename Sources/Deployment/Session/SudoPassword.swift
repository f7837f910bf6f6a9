import SSH

/// sudo's password prompts on standard error, and our answers on the stream.
struct SudoPassword {
    private let prompt: [UInt8]
    private let ask: ((_ wrong: Secret?) -> Secret?)?
    private var answered = 0
    private(set) var last: Secret?

    init(prompt: String, ask: ((_ wrong: Secret?) -> Secret?)?) {
        self.prompt = Array(prompt.utf8)
        self.ask = ask
    }

    /// Sends the password if sudo has asked since the last call.
    mutating func answer(_ stream: any RemoteStream) throws(HostError) {
        let said = stream.standardError
        guard said.split(separator: prompt, omittingEmptySubsequences: false).count - 1 > answered else { return }
        answered += 1
        // sudo gives up by then; a host that asks more often is collecting passwords.
        guard answered <= Secret.maximumTries, let password = ask?(last) else {
            throw .sudo(last == nil ? .passwordNeeded : .passwordWrong, printed: cleaned(said))
        }
        last = password
        try overSSH(stream.write(password, deadline: .after(Conversation.timeout)))
        try overSSH(stream.write([10], deadline: .after(Conversation.timeout)))
    }

    /// The output without the prompts.
    func cleaned(_ said: [UInt8]) -> [UInt8] {
        Array(said.split(separator: prompt, omittingEmptySubsequences: false).joined())
    }
}
