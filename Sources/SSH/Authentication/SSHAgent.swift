import Platform

/// A connection to ssh-agent. libssh2's own agent support has no timeouts.
final class SSHAgent {
    private let socket: FileDescriptor
    private let interrupt: Interrupt

    /// Nil if nothing listens at the path; ssh ignores that too.
    init?(at path: String, interrupt: Interrupt) {
        do throws(Errno) { socket = try FileDescriptor(connectingTo: path) } catch { return nil }
        self.interrupt = interrupt
    }

    /// Empty if the agent refuses or its answer is invalid. Throws errors that end a wait.
    func keys(deadline: Deadline) throws(SSHError) -> [AgentKey] {
        try exchange(AgentMessages.listKeys, deadline).flatMap(AgentMessages.keys) ?? []
    }

    /// Nil if the agent refuses, or its user declines.
    func sign(_ data: [UInt8], with key: PublicKey, algorithm: String, deadline: Deadline) throws(SSHError) -> [UInt8]? {
        try exchange(AgentMessages.sign(data, with: key.blob, algorithm: algorithm), deadline)
            .flatMap(AgentMessages.signature)
    }

    /// One request, one answer; nil if the agent hangs up.
    private func exchange(_ question: [UInt8], _ deadline: Deadline) throws(SSHError) -> [UInt8]? {
        var sent = 0
        while sent < question.count {
            do throws(Errno) {
                sent += try socket.send(question.span.extracting(sent...))
            } catch {
                guard error == .wouldBlock else { return nil }
                _ = try interrupt.wait(for: .writable, on: socket.number, until: deadline, in: .askingAgent)
            }
        }
        guard let header = try receive(4, deadline) else { return nil }
        var reader = SSHWireReader(header)
        guard let length = reader.number(), length <= AgentMessages.limit else { return nil }
        return try receive(Int(length), deadline)
    }

    private func receive(_ count: Int, _ deadline: Deadline) throws(SSHError) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            do throws(Errno) {
                let chunk = try socket.receive(upTo: count - bytes.count)
                if chunk.isEmpty { return nil }
                bytes += chunk
            } catch {
                guard error == .wouldBlock else { return nil }
                _ = try interrupt.wait(for: .readable, on: socket.number, until: deadline, in: .askingAgent)
            }
        }
        return bytes
    }
}
