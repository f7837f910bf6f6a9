import CSystem
import SSH

/// sudo's question for a password, which it puts to standard error, and our answers on the stream.
struct SudoPassword {
    private let prompt: [UInt8]
    private let ask: ((_ wrong: [UInt8]?) -> [UInt8]?)?
    private var answered = 0
    private var last: [UInt8]?

    init(prompt: String, ask: ((_ wrong: [UInt8]?) -> [UInt8]?)?) {
        self.prompt = Array(prompt.utf8)
        self.ask = ask
    }

    /// Sends the password when sudo has asked since the last time.
    mutating func answer(_ stream: any RemoteStream) throws(HostError) {
        let said = stream.standardError
        guard said.split(separator: prompt, omittingEmptySubsequences: false).count - 1 > answered else { return }
        answered += 1
        guard let password = ask?(last) else {
            throw .sudo(last == nil ? .passwordNeeded : .passwordWrong, printed: cleaned(said))
        }
        wipe()
        last = password
        var line = password + [10]
        defer { line.withUnsafeMutableBytes { csys_zero($0.baseAddress, $0.count) } }
        do {
            try stream.write(line, deadline: .after(Conversation.patience))
        } catch {
            throw .ssh(error)
        }
    }

    /// Overwrites the last password.
    mutating func wipe() { last?.withUnsafeMutableBytes { csys_zero($0.baseAddress, $0.count) } }

    /// What was written besides the questions.
    func cleaned(_ said: [UInt8]) -> [UInt8] {
        Array(said.split(separator: prompt, omittingEmptySubsequences: false).joined())
    }
}
