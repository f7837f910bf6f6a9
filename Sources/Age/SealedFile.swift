import Model

/// A file in the format of age, version 1 (c2sp.org/age), whose header is read and whose content is still sealed.
package struct SealedFile {
    /// Bytes of a whole file.
    package static let limit = 1 << 20
    static let headerLimit = 64 << 10, stanzaLimit = 256

    let bytes: [UInt8]
    package let stanzas: [Stanza]
    let mac: [UInt8]
    /// Where the bytes end that the MAC protects.
    let macEnd: Int
    let payloadStart: Int

    static let version = "age-encryption.org/v1\n"

    /// Checks everything that no key is needed for.
    @inline(never) package init(_ bytes: [UInt8]) throws(AgeError) {
        guard bytes.count <= Self.limit else { throw .tooLarge }
        guard begins(bytes[...], Self.version) else {
            if begins(bytes[...], "-----BEGIN AGE ENCRYPTED FILE-----") { throw .armored }
            throw begins(bytes[...], "age-encryption.org/") ? .otherVersion : .notAge
        }
        var lines = Lines(bytes.prefix(Self.headerLimit), at: Self.version.utf8.count)
        var stanzas: [Stanza] = []
        var hasPassphrase = false
        var line = lines.next()
        while begins(line, "-> ") {
            guard stanzas.count < Self.stanzaLimit, let stanza = Stanza(line.dropFirst(3), &lines) else { throw .damaged(.header) }
            if stanza.kind == .passphrase { hasPassphrase = true }
            stanzas.append(stanza)
            line = lines.next()
        }
        let mac = begins(line, "--- ") ? BareBase64.decode(line.dropFirst(4)) : []
        guard mac.count == 32, !stanzas.isEmpty, stanzas.count == 1 || !hasPassphrase else { throw .damaged(.header) }
        if hasPassphrase { throw .passphrase }
        self.bytes = bytes
        self.stanzas = stanzas
        self.mac = mac
        macEnd = line.startIndex + 3
        payloadStart = lines.position
        guard contentCount != nil else { throw .damaged(.payload) }
    }

    /// Whether a key of SSH could open the file, by its header. The file is not secret, and neither is the answer.
    package func isSealed(forTag tag: [UInt8]) -> Bool {
        if tag.isEmpty { return false }
        for stanza in stanzas where stanza.tag == tag { return true }
        return false
    }

    fileprivate struct Lines {
        let bytes: ArraySlice<UInt8>
        var position: Int

        init(_ bytes: ArraySlice<UInt8>, at position: Int) {
            self.bytes = bytes
            self.position = position
        }

        /// Without its line end, which every line has. If there is no line, a line of one NUL, which is valid nowhere.
        @inline(never) mutating func next() -> ArraySlice<UInt8> {
            let start = position
            while position < bytes.endIndex {
                position += 1
                if bytes[position - 1] == UInt8(ascii: "\n") { return bytes[start..<position - 1] }
            }
            return [0]
        }
    }

    /// The file's key, sealed for one recipient.
    package final class Stanza {
        package let kind: Kind
        /// Of an SSH key: the first four bytes of the SHA-256 of its wire format.
        package let tag: [UInt8]
        /// The sender's share in X25519.
        let share: [UInt8]
        package let body: [UInt8]

        package enum Kind: UInt8, Sendable {
            /// Of a type that Deptool does not support: somebody else's.
            case other
            case age, ed25519, rsa, passphrase

            @inline(never) fileprivate init(_ type: ArraySlice<UInt8>) {
                func isType(_ name: String) -> Bool { type.count == name.utf8.count && begins(type, name) }
                self =
                    isType("ssh-ed25519")
                    ? .ed25519 : isType("X25519") ? .age : isType("ssh-rsa") ? .rsa : isType("scrypt") ? .passphrase : .other
            }
        }

        @inline(never) fileprivate init?(_ line: ArraySlice<UInt8>, _ lines: inout Lines) {
            let words = pieces(line, at: UInt8(ascii: " "), withEmpty: true)
            for word in words {
                guard !word.isEmpty else { return nil }
                for byte in word { guard byte > 0x20 && byte < 0x7F else { return nil } }
            }
            var text: [UInt8] = []
            var line: ArraySlice<UInt8>
            repeat {
                line = lines.next()
                text += line
            } while line.count == 64
            body = BareBase64.decode(text[...])
            // Nothing but an empty text is nothing.
            guard line.count < 64, body.isEmpty == text.isEmpty else { return nil }
            kind = Kind(words[0])
            let hasTag = kind == .ed25519 || kind == .rsa, hasShare = kind == .ed25519 || kind == .age
            tag = hasTag && words.count > 1 ? BareBase64.decode(words[1]) : []
            share = hasShare ? BareBase64.decode(words[words.count - 1]) : []
            guard kind == .other || kind == .passphrase || words.count == 1 + (hasTag ? 1 : 0) + (hasShare ? 1 : 0),
                tag.count == (hasTag ? 4 : 0), share.count == (hasShare ? 32 : 0), !hasShare || body.count == 32
            else { return nil }
        }
    }
}
