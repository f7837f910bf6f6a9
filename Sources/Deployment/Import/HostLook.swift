import Model
import Planning
import Platform
import SSH

/// A look at a host, over one login. Nothing is written there.
package struct HostLook: Sendable {
    private let task: HostTask

    package init(_ host: Hostname, access: Access) throws(SSHError) { task = try HostTask([host], access: access) }

    package func cancel() { task.cancel() }

    /// Looks at everything below the paths. `choose` selects the files to read; the answer is in the same order.
    package func look(
        at paths: [AbsolutePath], _ choose: @escaping @Sendable (HostSurvey) -> [FoundFile]
    ) async -> Result<(survey: HostSurvey, contents: [FoundContent]), HostError> {
        let results = await task.onEach { host, access, interrupt in
            Result { () throws(HostError) -> (survey: HostSurvey, contents: [FoundContent]) in
                var session = try SurveySession(host, access, interrupt)
                let survey = try session.survey(paths)
                return (survey, try session.contents(choose(survey)))
            }
        }
        guard let result = results.first else { preconditionFailure("there is one host") }
        return result
    }
}

/// The conversation with a ``SurveyScript``.
private struct SurveySession {
    /// The most that a host may send in an answer.
    private static let limit = ImportLimits.all + (64 << 20)
    /// The most names in a command, in bytes.
    private static let batch = 32 << 10

    private let stream: any RemoteStream
    private let script: SurveyScript
    private let deadline = Deadline.after(.seconds(600))

    init(_ host: Hostname, _ access: Access, _ interrupt: Interrupt) throws(HostError) {
        script = SurveyScript(key: hex(randomBytes(16)))
        let bootstrap = Bootstrap(agents: [])
        let user: String
        (stream, user) = try overSSH(access.start(bootstrap.asRoot(SurveyScript.listener), on: host, access.prompts, interrupt))
        var sudo = SudoPassword(
            prompt: bootstrap.passwordPrompt, ask: access.prompts.sudoPassword.map { ask in { wrong in ask(host, user, wrong) } })
        var printed: [UInt8] = []
        let begin = Array("\n\(SurveyScript.begin)\n".utf8)
        while printed.firstRange(of: begin) == nil {
            try sudo.answer(stream)
            guard try overSSH(stream.waitForOutput(deadline: .after(Conversation.timeout))) else { continue }
            let bytes = try overSSH(stream.read(max: 64 << 10, deadline: .after(Conversation.timeout)))
            printed += bytes
            guard bytes.isEmpty || printed.count > 256 << 10 else { continue }
            let status = bytes.isEmpty ? try overSSH(stream.exitStatus(deadline: .after(.seconds(5)))) : nil
            let all = printed + sudo.cleaned(stream.standardError)
            if let problem = SudoProblem(String(decoding: all, as: UTF8.self)) { throw .sudo(problem, printed: all) }
            throw .noAgentSpoke(status, printed: all)
        }
    }

    mutating func survey(_ paths: [AbsolutePath]) throws(HostError) -> HostSurvey {
        guard let survey = HostSurvey(try ask(script.survey(paths))) else { throw .malformedSurvey }
        return survey
    }

    mutating func contents(_ files: [FoundFile]) throws(HostError) -> [FoundContent] {
        var found: [FoundContent] = []
        var rest = files[...]
        while let first = rest.first {
            var (batch, length, bytes): ([FoundFile], Int, UInt64) = ([first], 0, first.status.size)
            for file in rest.dropFirst() {
                length += file.path.text.utf8.count + 3
                bytes += min(file.status.size, ImportLimits.file)
                guard length < Self.batch, bytes < UInt64(ImportLimits.all) else { break }
                batch.append(file)
            }
            rest = rest.dropFirst(batch.count)
            let pieces = try ask(script.contents(batch.map(\.path)))
            guard let contents = FoundContent.read(pieces, of: batch) else { throw .malformedSurvey }
            found += contents
        }
        return found
    }

    private func ask(_ line: String) throws(HostError) -> SurveyPieces {
        try overSSH(stream.write(Array((line + "\n").utf8), deadline: .after(Conversation.timeout)))
        let end = Array("\(script.key) end\n".utf8)
        var bytes: [UInt8] = []
        while !bytes.suffix(end.count).elementsEqual(end) {
            guard !deadline.hasPassed else { throw .ssh(.timedOut(.transferring)) }
            guard try overSSH(stream.waitForOutput(deadline: .after(Self.timeout))) else { continue }
            let more = try overSSH(stream.read(max: 1 << 20, deadline: .after(Self.timeout)))
            guard !more.isEmpty else { throw .ssh(.connectionLost(.transferring)) }
            bytes += more
            guard bytes.count <= Self.limit else { throw .malformedSurvey }
        }
        return SurveyPieces(bytes, key: script.key)
    }

    /// Packages and sums may take a slow host a while.
    private static let timeout = Duration.seconds(120)
}
