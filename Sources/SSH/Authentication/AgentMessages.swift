/// Requests to ssh-agent and its answers (draft-ietf-sshm-ssh-agent), without the sockets.
enum AgentMessages {
    /// Maximum bytes of an answer: ssh-agent's own limit.
    static let limit = 256 * 1024

    static let listKeys: [UInt8] = framed { $0.byte(11) }

    /// A signature of `data` by `key`; RSA keys sign with the hash that `algorithm` names.
    static func sign(_ data: [UInt8], with key: [UInt8], algorithm: String) -> [UInt8] {
        framed { message in
            message.byte(13)
            message.string(key)
            message.string(data)
            message.number(algorithm.hasPrefix("rsa-sha2-512") ? 4 : algorithm.hasPrefix("rsa-sha2-256") ? 2 : 0)
        }
    }

    /// The keys in an answer to `listKeys`; nil if the agent refuses or the answer is invalid.
    static func keys(_ answer: [UInt8]) -> [AgentKey]? {
        var reader = SSHWireReader(answer)
        guard reader.byte() == 12, let count = reader.number(), count <= 4096 else { return nil }
        var keys: [AgentKey] = []
        for _ in 0..<count {
            guard let blob = reader.string(), let comment = reader.string() else { return nil }
            if let key = PublicKey(blob: blob) {
                keys.append(AgentKey(key: key, comment: String(decoding: comment.prefix(256), as: UTF8.self)))
            }
        }
        return keys
    }

    /// The raw signature in an answer to `sign`, without the name of its algorithm; nil if the agent refuses or the
    /// answer is invalid.
    static func signature(_ answer: [UInt8]) -> [UInt8]? {
        var reader = SSHWireReader(answer)
        guard reader.byte() == 14, let signature = reader.string() else { return nil }
        var inner = SSHWireReader(signature)
        guard inner.string() != nil else { return nil }
        return inner.string()
    }

    private static func framed(_ body: (inout SSHWireWriter) -> Void) -> [UInt8] {
        var inner = SSHWireWriter(), outer = SSHWireWriter()
        body(&inner)
        outer.string(inner.bytes)
        return outer.bytes
    }
}

/// A key that the agent holds.
struct AgentKey: Hashable {
    let key: PublicKey
    let comment: String
}
