import Model

/// A private key that opens sealed files: an ed25519 key of SSH, or an identity of age.
package struct AgeIdentity: ~Copyable {
    private let scalar: SecretBytes
    /// The public key that belongs to the scalar, on the Montgomery curve.
    package let point: [UInt8]
    /// The public key in SSH's wire format; empty for an identity of age.
    package let sshKey: [UInt8]
    /// See ``SealedFile/Stanza/tag``; empty for an identity of age.
    package let tag: [UInt8]

    static let x25519 = "age-encryption.org/v1/X25519", ssh = "age-encryption.org/v1/ssh-ed25519"

    /// - Parameters:
    ///   - seed: 32 bytes (RFC 8032).
    ///   - sshKey: the public key in SSH's wire format.
    package init<Primitives: AgePrimitives>(seed: borrowing SecretBytes, sshKey: [UInt8], _: Primitives.Type) {
        scalar = Primitives.sha512(seed)[0..<32]
        point = publicPoint(of: scalar, Primitives.self)
        self.sshKey = sshKey
        tag = [UInt8](Primitives.sha256(sshKey)[..<4])
    }

    /// An identity of age, 32 bytes.
    package init<Primitives: AgePrimitives>(scalar: consuming SecretBytes, _: Primitives.Type) {
        self.scalar = scalar
        point = publicPoint(of: self.scalar, Primitives.self)
        sshKey = []
        tag = []
    }

    /// The file's key. Nil if this stanza is for another key; an error if it is for this one, and damaged.
    @inline(never) func open<Primitives: AgePrimitives>(_ stanza: SealedFile.Stanza, _: Primitives.Type) throws(AgeError) -> SecretBytes? {
        let isSSH = !sshKey.isEmpty
        // An identity of age has no tag, and neither has its stanza.
        guard stanza.kind == (isSSH ? .ed25519 : .age), stanza.tag == tag else { return nil }
        let info = (isSSH ? Self.ssh : Self.x25519).bytes
        guard var shared = Primitives.x25519(scalar: scalar, point: SecretBytes(copying: stanza.share[...])) else {
            throw .damaged(.stanza)
        }
        if isSSH {
            let tweak = Primitives.hkdfSHA256(SecretBytes(count: 0), salt: sshKey, info: info)
            guard let tweaked = Primitives.x25519(scalar: tweak, point: shared) else { throw .damaged(.stanza) }
            shared = tweaked
        }
        let wrapping = Primitives.hkdfSHA256(shared, salt: stanza.share + point, info: info)
        var key = SecretBytes(copying: stanza.body[..<16])
        let isOurs = unsafe key.withMutableBytes { text in
            unsafe Primitives.open(text, tag: [UInt8](stanza.body[16...]), key: wrapping, nonce: [UInt8](repeating: 0, count: 12))
        }
        guard isOurs else { return nil }
        return key
    }
}

/// Of a scalar that is clamped and so never zero.
@inline(never) func publicPoint<Primitives: AgePrimitives>(of scalar: borrowing SecretBytes, _: Primitives.Type) -> [UInt8] {
    var base = SecretBytes(count: 32)
    base[0] = 9
    guard let point = Primitives.x25519(scalar: scalar, point: base) else { return [] }
    return unsafe point.withBytes { unsafe [UInt8]($0) }
}

extension SealedFile {
    /// Opens the file: all of its content or nothing.
    @inline(never) package func open<Primitives: AgePrimitives>(
        with identity: borrowing AgeIdentity, _: Primitives.Type
    ) throws(AgeError) -> SecretBytes {
        for stanza in stanzas {
            if let key = try identity.open(stanza, Primitives.self) { return try open(key: key, Primitives.self) }
        }
        throw isSealed(forTag: identity.tag) ? .damaged(.stanza) : .noStanzaForKey
    }
}
