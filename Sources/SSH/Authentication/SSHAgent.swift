import CSystem

/// A connection to ssh-agent. libssh2's own agent support has no timeouts.
final class SSHAgent {
    private let socket: Descriptor
    private let interrupt: Interrupt

    /// Nil if nothing listens at the path; ssh ignores that too.
    init?(at path: String, interrupt: Interrupt) {
        let number = unsafe csys_connect_unix(path)
        guard number >= 0 else { return nil }
        socket = Descriptor(number)
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
            let count = Int(
                unsafe question.withUnsafeBytes { bytes in
                    unsafe csys_send(socket.number, bytes.baseAddress.map { unsafe $0 + sent }, bytes.count - sent)
                })
            if count == -Int(csys_eagain()) {
                _ = try interrupt.wait(for: .writable, on: socket.number, until: deadline, in: .askingAgent)
            } else if count <= 0 {
                return nil
            } else {
                sent += count
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
            var received = 0
            let wanted = count - bytes.count
            let chunk = unsafe [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
                received = Int(unsafe csys_receive(socket.number, buffer.baseAddress, wanted))
                filled = max(received, 0)
            }
            if received == -Int(csys_eagain()) {
                _ = try interrupt.wait(for: .readable, on: socket.number, until: deadline, in: .askingAgent)
            } else if received <= 0 {
                return nil
            }
            bytes.append(contentsOf: chunk)
        }
        return bytes
    }
}
