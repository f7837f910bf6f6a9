import Model

/// A public key that a file is sealed for. RSA keys of SSH are sealed for elsewhere.
package enum AgeRecipient: Hashable, Sendable {
    /// `age1…`: 32 bytes.
    case age([UInt8])
    /// An ed25519 key in SSH's wire format, and the same point on the Montgomery curve, 32 bytes.
    case ssh(key: [UInt8], point: [UInt8])

    /// Nil if the text is not `age1…`.
    package init?(age text: [UInt8]) {
        let text = SecretBytes(copying: text[...])
        guard let point = Bech32.decode(text, 0..<text.count, prefix: "age") else { return nil }
        self = .age(unsafe point.withBytes { unsafe [UInt8]($0) })
    }

    /// Nil if the point is one that no key has.
    package func seal<Primitives: AgeSealingPrimitives>(_ key: borrowing SecretBytes, _: Primitives.Type) -> SealedStanza? {
        let scalar = Primitives.random(32)
        let share = publicPoint(of: scalar, Primitives.self)
        let info: [UInt8], point: [UInt8], arguments: [[UInt8]]
        switch self {
        case .age(let own): (info, point, arguments) = (AgeIdentity.x25519.bytes, own, ["X25519".bytes])
        case .ssh(let key, let own):
            let tag = BareBase64.encode([UInt8](Primitives.sha256(key)[..<4]))
            (info, point, arguments) = (AgeIdentity.ssh.bytes, own, ["ssh-ed25519".bytes, tag])
        }
        guard var shared = Primitives.x25519(scalar: scalar, point: SecretBytes(copying: point[...])) else { return nil }
        if case .ssh(let key, _) = self {
            let tweak = Primitives.hkdfSHA256(SecretBytes(count: 0), salt: key, info: info)
            guard let tweaked = Primitives.x25519(scalar: tweak, point: shared) else { return nil }
            shared = tweaked
        }
        let wrapping = Primitives.hkdfSHA256(shared, salt: share + point, info: info)
        var body = key[0..<key.count]
        let tag = unsafe body.withMutableBytes { text in
            unsafe Primitives.seal(text, key: wrapping, nonce: [UInt8](repeating: 0, count: 12))
        }
        return SealedStanza(arguments + [BareBase64.encode(share)], body: unsafe body.withBytes { unsafe [UInt8]($0) } + tag)
    }
}

/// A file's key, sealed for one recipient, to be written.
package struct SealedStanza {
    let text: [UInt8]

    init(text: [UInt8]) { self.text = text }

    package init(_ arguments: [[UInt8]], body: [UInt8]) {
        var text = "->".bytes
        for argument in arguments { text += [UInt8(ascii: " ")] + argument }
        let body = BareBase64.encode(body)
        // The last line is a short one, even if nothing is left for it.
        for start in stride(from: 0, through: body.count, by: 64) {
            text += [UInt8(ascii: "\n")] + body[start..<min(start + 64, body.count)]
        }
        self.init(text: text + [UInt8(ascii: "\n")])
    }

    /// The first argument of a stanza for a key of SSH.
    package static func tag(_ tag: [UInt8]) -> [UInt8] { BareBase64.encode(tag) }
}

extension SealedFile {
    /// The most content that fits into a sealed file for any number of recipients, in bytes.
    package static let contentLimit = limit - headerLimit - Payload.nonce - (limit / Payload.chunk + 1) * Payload.tag

    /// Seals the content under a new key, which `wrap` seals for each recipient.
    package static func seal<Primitives: AgeSealingPrimitives, Failure: Error>(
        _ content: borrowing SecretBytes, _: Primitives.Type, wrap: (borrowing SecretBytes) throws(Failure) -> [SealedStanza]
    ) throws(Failure) -> [UInt8] {
        let key = Primitives.random(16)
        var file = version.bytes
        for stanza in try wrap(key) { file += stanza.text }
        file += "---".bytes
        let macKey = Primitives.hkdfSHA256(key, salt: [], info: "header".bytes)
        file += " ".bytes + BareBase64.encode(Primitives.hmacSHA256(key: macKey, file[...])) + "\n".bytes
        let nonce = unsafe Primitives.random(Payload.nonce).withBytes { unsafe [UInt8]($0) }
        file += nonce
        let payloadKey = Primitives.hkdfSHA256(key, salt: nonce, info: "payload".bytes)
        var at = 0, index = 0
        repeat {
            let end = min(at + Payload.chunk, content.count)
            var part = content[at..<end]
            let tag = unsafe part.withMutableBytes { text in
                unsafe Primitives.seal(text, key: payloadKey, nonce: Payload.nonce(index, isLast: end == content.count))
            }
            file += unsafe part.withBytes { unsafe [UInt8]($0) } + tag
            (at, index) = (end, index + 1)
        } while at < content.count
        return file
    }
}
