import Model
import SSH

/// The output and exit status of a script that ran as root.
struct RootScriptResult {
    /// The first 256 KiB of standard output. Unchecked bytes from the host.
    var printed: [UInt8] = []
    /// Its standard error, without the prompts of sudo.
    fileprivate(set) var errors: [UInt8] = []
    /// Nil if it was still running when it had printed too much.
    fileprivate(set) var status: ExitStatus?

    /// Why the output does not come from the script.
    var failure: HostError {
        let all = printed + errors
        if let problem = SudoProblem(String(decoding: all, as: UTF8.self)) { return .sudo(problem, printed: all) }
        return .noAgentSpoke(status, printed: all)
    }
}

extension Access {
    /// Runs a script, which obeys the rules of ``Bootstrap``, as root. `answer` sees what was printed so far, and writes to the
    /// script if that asks for something.
    func run(
        asRoot script: String, on host: Hostname, _ interrupt: Interrupt,
        answer: (_ printed: [UInt8], _ stream: any RemoteStream) throws(HostError) -> Void = { _, _ in }
    ) throws(HostError) -> RootScriptResult {
        let bootstrap = Bootstrap(agents: [])
        let (stream, user) = try overSSH(start(bootstrap.asRoot(script), on: host, prompts, interrupt))
        var sudo = SudoPassword(
            prompt: bootstrap.passwordPrompt, ask: prompts.sudoPassword.map { ask in { wrong in ask(host, user, wrong) } })
        var result = RootScriptResult()
        while true {
            try sudo.answer(stream)
            guard try overSSH(stream.waitForOutput(deadline: .after(Conversation.timeout))) else { continue }
            let bytes = try overSSH(stream.read(max: 64 << 10, deadline: .after(Conversation.timeout)))
            if bytes.isEmpty { break }
            result.printed += bytes
            guard result.printed.count < 256 << 10 else { return result }
            try answer(result.printed, stream)
        }
        result.status = try overSSH(stream.exitStatus(deadline: .after(.seconds(5))))
        result.errors = sudo.cleaned(stream.standardError)
        return result
    }
}
