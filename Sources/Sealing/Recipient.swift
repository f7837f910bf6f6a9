import Age
import Model
import SSH

/// A public key that secrets are sealed for, and whose it is.
package struct Recipient: Sendable {
    package let key: Key
    /// The host's name, or the comment of a line of `recipients`.
    package let name: String

    package enum Key: Hashable, Sendable {
        case age([UInt8])
        /// In SSH's wire format, with the same point on the Montgomery curve.
        case ed25519([UInt8], point: [UInt8])
        case rsa([UInt8])
    }

    package enum ParseError: Error, Hashable, Sendable {
        case notAKey
        /// A type of SSH that age cannot seal for.
        case otherType(String)
        case shortRSA(bits: Int)
    }

    private init(key: Key, name: String) {
        self.key = key
        self.name = name
    }

    /// A key of SSH.
    package init(_ key: PublicKey, name: String) throws(ParseError) {
        let kind: Key
        switch key.type {
        case "ssh-ed25519":
            let point = key.blob.count == 51 ? montgomeryPoint(ofEd25519: Array(key.blob.suffix(32))) : nil
            guard let point else { throw .notAKey }
            kind = .ed25519(key.blob, point: point)
        case "ssh-rsa":
            guard let rsa = RSAKey(publicKey: key.blob) else { throw .notAKey }
            guard rsa.bits >= RSAKey.minimumBits else { throw .shortRSA(bits: Int(rsa.bits)) }
            kind = .rsa(key.blob)
        default: throw .otherType(key.type)
        }
        self.init(key: kind, name: name)
    }

    /// A line as in authorized_keys (sshd(8)), or `age1…` with a comment.
    package init(line: ArraySlice<UInt8>) throws(ParseError) {
        let words = line.split(maxSplits: 1) { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
        if let first = words.first, first.starts(with: "age1".utf8) {
            guard case .age(let point)? = AgeRecipient(age: Array(first)) else { throw .notAKey }
            let comment = Self.comment(words.dropFirst().first ?? [])
            self = Recipient(key: .age(point), name: comment ?? String(decoding: first, as: UTF8.self))
            return
        }
        // Options may stand in front of the key.
        guard
            let (found, rest) = [line, Self.withoutOptions(line)].lazy.compactMap({ line in PublicKey(line: line).map { ($0, line) } })
                .first
        else { throw .notAKey }
        let comment = rest.split(maxSplits: 2) { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.dropFirst(2).first ?? []
        try self.init(found, name: Self.comment(comment) ?? fingerprint(of: found))
    }

    private static func comment(_ bytes: ArraySlice<UInt8>) -> String? {
        let text = String(decoding: bytes, as: UTF8.self).split { $0.isWhitespace }.joined(separator: " ")
        return text.isEmpty ? nil : text
    }

    private static func withoutOptions(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var isQuoted = false, previous: UInt8 = 0
        let rest = line.drop { byte in
            if byte == UInt8(ascii: "\""), previous != UInt8(ascii: "\\") { isQuoted.toggle() }
            previous = byte
            return isQuoted || byte != UInt8(ascii: " ") && byte != UInt8(ascii: "\t")
        }
        return rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }

    /// The tag by which a sealed file names this key; nil for `age1…`, whose stanzas have none.
    package var tag: [UInt8]? {
        switch key {
        case .age: nil
        case .ed25519(let blob, _), .rsa(let blob): tagBytes(blob)
        }
    }

    /// The fingerprint that distinguishes it from others of the same name, as `ssh-keygen -l` prints it, or that it is a key of age.
    package var mark: String {
        switch key {
        case .age: "a key of age"
        case .ed25519(let blob, _), .rsa(let blob): "SHA256:" + Base64.encode(Libcrypto.sha256(blob), .bare)
        }
    }

    /// The file's key, sealed for this recipient.
    func seal(_ fileKey: borrowing SecretBytes) -> SealedStanza? {
        switch key {
        case .age(let point): return AgeRecipient.age(point).seal(fileKey, Libcrypto.self)
        case .ed25519(let blob, let point): return AgeRecipient.ssh(key: blob, point: point).seal(fileKey, Libcrypto.self)
        case .rsa(let blob):
            guard let tag, let body = RSAKey(publicKey: blob)?.seal(fileKey) else { return nil }
            return SealedStanza([Array("ssh-rsa".utf8), SealedStanza.tag(tag)], body: body)
        }
    }
}

private func tagBytes(_ blob: [UInt8]) -> [UInt8] { Array(Libcrypto.sha256(blob)[..<4]) }

/// See ``Age/SealedFile/Stanza/tag``.
package func tag(of key: PublicKey) -> [UInt8] { tagBytes(key.blob) }

/// As `ssh-keygen -l` prints it.
package func fingerprint(of key: PublicKey) -> String { "SHA256:" + Base64.encode(Libcrypto.sha256(key.blob), .bare) }

extension Recipient.ParseError {
    package var phrase: String {
        switch self {
        case .notAKey: "not a public key: a line is as in authorized_keys, or 'age1…'"
        case .otherType(let type):
            "'\(visible(type))' cannot be sealed for: only 'ssh-ed25519', 'ssh-rsa' and 'age1…' can"
        case .shortRSA(let bits): "an RSA key of \(bits) bits is too weak: \(RSAKey.minimumBits) are needed"
        }
    }
}

/// The file `recipients` of a cluster: the operators.
package struct RecipientsFile {
    package static let name = "recipients"
    package var recipients: [Recipient] = []

    package struct LineError: Error {
        package let line: Int
        package let problem: Recipient.ParseError
    }

    package init(parsing bytes: [UInt8]) throws(LineError) {
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let line = line.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
            guard let first = line.first, first != UInt8(ascii: "#") else { continue }
            do throws(Recipient.ParseError) {
                let recipient = try Recipient(line: line)
                if !recipients.contains(where: { $0.key == recipient.key }) { recipients.append(recipient) }
            } catch {
                throw LineError(line: index + 1, problem: error)
            }
        }
    }
}

extension SealedFile {
    /// Seals the content for each of the recipients. Nil if a key is one that nothing can be sealed for.
    package static func seal(_ content: borrowing SecretBytes, for recipients: [Recipient]) -> [UInt8]? {
        struct HeaderError: Error {}
        do throws(HeaderError) {
            return try seal(content, Libcrypto.self) { key throws(HeaderError) in
                var stanzas: [SealedStanza] = []
                for recipient in recipients {
                    guard let stanza = recipient.seal(key) else { throw HeaderError() }
                    stanzas.append(stanza)
                }
                return stanzas
            }
        } catch {
            return nil
        }
    }

    /// Whether it is sealed for exactly these, as far as the file shows: `age1…` recipients are only counted.
    package func isSealed(for recipients: [Recipient]) -> Bool {
        let native = stanzas.filter { $0.kind == .age }.count
        return Set(tags) == Set(recipients.compactMap(\.tag)) && tags.count == recipients.compactMap(\.tag).count
            && native == recipients.filter { $0.tag == nil }.count && stanzas.count == tags.count + native
    }

    /// Of the keys of SSH that it is sealed for.
    package var tags: [[UInt8]] { stanzas.map(\.tag).filter { !$0.isEmpty } }
}
