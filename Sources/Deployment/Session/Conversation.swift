import Model
import Platform
import SSH
import Wire

/// Messages over a stream: the client's end of a conversation with an agent.
struct Conversation {
    private let stream: any RemoteStream
    private var decoder = FrameDecoder()
    /// When the last ping was sent, by the monotonic clock.
    private var lastKeepalive = MonotonicClock.now
    /// A reply that arrived while only a pong was expected.
    private var kept: Reply?
    /// Whether a message other than a pong was received by `exchangeKeepalives`.
    var hasReply: Bool { kept != nil }
    /// The password that sudo got.
    private(set) var sudoPassword: Secret?

    /// How long a host may send or accept nothing before the connection is given up.
    static let timeout = Duration.seconds(30)
    /// How long it may stay silent while it rolls back an earlier deploy, or copies and syncs large files.
    static let workTimeout = Duration.seconds(300)
    /// The silence after which a host is pinged.
    private static let keepaliveInterval = Duration.seconds(10)

    /// Waits for the agent's magic, and sends the agent if the host asks for it, once `beforeInstall` returns. Calls
    /// `sudoPassword` with the wrong password, if any, when sudo needs one.
    ///
    /// Skips anything that the login prints first.
    init(
        _ stream: any RemoteStream, bootstrap: Bootstrap, sudoPassword: ((_ wrong: Secret?) -> Secret?)? = nil,
        limit: Duration = SudoPassword.limit, beforeInstall: () throws(HostError) -> Void
    ) throws(HostError) {
        self.stream = stream
        let agents = bootstrap.agents
        var sudo = SudoPassword(prompt: bootstrap.passwordPrompt, ask: sudoPassword, limit: limit)
        var printed: [UInt8] = []
        var installed = false
        while true {
            if let end = printed.firstRange(of: Frame.magic)?.upperBound {
                decoder.append(printed[end...])
                self.sudoPassword = sudo.last
                return
            }
            guard printed.count < 256 << 10 else { throw .noAgentSpoke(nil, printed: printed) }
            if let stage = line(after: Bootstrap.failed, in: printed) { throw try failure(stage, printed) }
            if !installed, let cpu = line(after: Bootstrap.need, in: printed) {
                guard let agent = agents.first(where: { $0.cpu == cpu }) else { throw .unexpected }
                try beforeInstall()
                let answer = unsafe Array("go\n".utf8) + agent.bytes
                installed = true
                do throws(SSHError) {
                    try stream.write(answer, deadline: .after(.seconds(600)))
                } catch {
                    // A host that gives up while it receives the agent has already printed the reason.
                    guard case .connectionLost = error else { throw .ssh(error) }
                }
                sudo.deadline = .after(limit)
            }
            try sudo.answer(stream)
            guard try overSSH(stream.waitForOutput(deadline: .after(Self.timeout))) else { continue }
            let bytes = try overSSH(stream.read(max: 64 << 10, deadline: .after(Self.timeout)))
            if bytes.isEmpty {
                if let stage = line(after: Bootstrap.failed, in: printed) { throw try failure(stage, printed) }
                let status = try overSSH(stream.exitStatus(deadline: .after(.seconds(5))))
                let all = printed + sudo.cleaned(stream.standardError)
                if status != .code(0), let problem = SudoProblem(String(decoding: all, as: UTF8.self)) {
                    throw .sudo(problem, printed: all)
                }
                throw .noAgentSpoke(status, printed: all)
            }
            printed += bytes
        }
    }

    private func failure(_ stage: String, _ printed: [UInt8]) throws(HostError) -> HostError {
        if stage.hasPrefix("cpu ") {
            return .unknownCPU(String(stage.dropFirst(4)), carried: BundledAgent.all.map(\.cpu))
        }
        // Standard error has the reason, and is complete when the command ends.
        _ = try? stream.exitStatus(deadline: .after(.seconds(5)))
        let words = stage.split(separator: " ")
        guard words.first == "write" else { return .bootstrap(stage: stage, printed: stream.standardError) }
        let left = words.dropFirst().map { UInt64($0) }
        let size = UInt64(BundledAgent.all.map { unsafe $0.bytes.count }.max() ?? 0)
        if let kilobytes = left.first ?? nil, kilobytes < size >> 10 {
            return .refused(AgentError(.noRoom(in: Layout.root, needed: size, available: kilobytes << 10)))
        }
        if left.count > 1, left[1] == 0 { return .refused(AgentError(.noInodes(needed: 1, available: 0))) }
        return .bootstrap(stage: "write", printed: stream.standardError)
    }

    /// The rest of a whole line after `prefix`, which need not begin the line: a profile's output may end without a
    /// newline.
    private func line(after prefix: String, in printed: [UInt8]) -> String? {
        for line in printed.split(separator: 10, omittingEmptySubsequences: false).dropLast() {
            guard let end = line.firstRange(of: Array(prefix.utf8))?.upperBound else { continue }
            return String(decoding: line[end...].filter { $0 >= 0x20 && $0 < 0x7f }, as: UTF8.self)
        }
        return nil
    }

    func send(_ request: Request) throws(HostError) {
        let frame = Frame.encode(request)
        try overSSH(stream.write(frame, deadline: .after(Self.timeout)))
    }

    /// The next message of an agent that answers at any time, however long its work takes. Pings it every ten
    /// seconds, and gives up when no answer comes back.
    mutating func receiveFromLiving() throws(HostError) -> Reply {
        var unanswered = 0
        while true {
            do {
                let reply = try receive(deadline: .after(Self.keepaliveInterval))
                unanswered = 0
                if MonotonicClock.now - lastKeepalive > Self.keepaliveInterval { try sendKeepalive() }
                if reply != .pong { return reply }
            } catch .ssh(.timedOut(let phase)) {
                guard unanswered < 2 else { throw .ssh(.timedOut(phase)) }
                unanswered += 1
                try sendKeepalive()
            } catch {
                throw error
            }
        }
    }

    /// Pings a waiting agent, and takes its answer. Returns any other message that the agent has sent by then, and
    /// keeps it to be received; nil if there is none.
    mutating func exchangeKeepalives() throws(HostError) -> Reply? {
        if let kept { return kept }
        try sendKeepalive()
        let reply = try receive(deadline: .after(Self.timeout))
        if reply != .pong { kept = reply }
        return kept
    }

    private mutating func sendKeepalive() throws(HostError) {
        lastKeepalive = MonotonicClock.now
        try send(.ping)
    }

    /// The next message, by the deadline.
    mutating func receive(deadline: Deadline) throws(HostError) -> Reply {
        if let reply = kept {
            kept = nil
            return reply
        }
        while true {
            do {
                if let reply = try decoder.next(Reply.self) { return reply }
            } catch {
                throw .malformed(error)
            }
            let bytes = try overSSH(stream.read(max: 256 << 10, deadline: deadline))
            guard !bytes.isEmpty else { throw .ssh(.connectionLost(.transferring)) }
            decoder.append(bytes[...])
        }
    }

    /// Ends the agent's input without waiting for it to exit.
    func hangUp() { try? stream.closeWrite(deadline: .after(.seconds(5))) }

    /// Ends the agent's input: it drops or rolls back its work, and exits.
    func close() {
        try? stream.closeWrite(deadline: .after(.seconds(5)))
        _ = try? stream.exitStatus(deadline: .after(.seconds(5)))
    }
}
