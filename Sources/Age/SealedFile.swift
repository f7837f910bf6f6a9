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
    package init(_ bytes: [UInt8]) throws(AgeError) {
        guard bytes.count <= Self.limit else { throw .tooLarge }
        guard begins(bytes[...], Self.version) else {
            if begins(bytes[...], "-----BEGIN AGE ENCRYPTED FILE-----") { throw .armored }
            throw begins(bytes[...], "age-encryption.org/") ? .otherVersion : .notAge
        }
        var lines = Lines(bytes.prefix(Self.headerLimit), at: Self.version.utf8.count)
        var stanzas: [Stanza] = []
        var line = try lines.next()
        while !begins(line, "---") {
            guard begins(line, "-> "), stanzas.count < Self.stanzaLimit else { throw .damaged(.header) }
            stanzas.append(try Stanza(line.dropFirst(3), &lines))
            line = try lines.next()
        }
        let hasPassphrase = stanzas.contains { $0.isOf("scrypt") }
        guard !stanzas.isEmpty, !hasPassphrase || stanzas.count == 1, begins(line, "--- "),
            let mac = BareBase64.decode(line.dropFirst(4)), mac.count == 32
        else { throw .damaged(.header) }
        if hasPassphrase { throw .passphrase }
        self.bytes = bytes
        self.stanzas = stanzas
        self.mac = mac
        macEnd = line.startIndex + 3
        payloadStart = lines.position
        guard contentCount != nil else { throw .damaged(.payload) }
    }

    /// Whether a key could open the file, as far as the header says: the file is not secret, and neither is the answer.
    package func isSealed(forTag tag: [UInt8]) -> Bool {
        stanzas.contains { $0.tag?.elementsEqual(tag) ?? false }
    }

    fileprivate struct Lines {
        let bytes: ArraySlice<UInt8>
        var position: Int

        init(_ bytes: ArraySlice<UInt8>, at position: Int) {
            self.bytes = bytes
            self.position = position
        }

        /// Without its end, which every line has.
        mutating func next() throws(AgeError) -> ArraySlice<UInt8> {
            let start = position
            while position < bytes.endIndex {
                position += 1
                if bytes[position - 1] == UInt8(ascii: "\n") { return bytes[start..<position - 1] }
            }
            throw .damaged(.header)
        }
    }

    /// The file's key, sealed for one recipient.
    package struct Stanza {
        /// Its type, and what that type needs.
        package let arguments: [ArraySlice<UInt8>]
        package let body: [UInt8]
        /// Of an SSH key: the first four bytes of the SHA-256 of its wire format.
        package private(set) var tag: [UInt8]?
        /// The sender's share in X25519.
        private(set) var share: [UInt8] = []

        fileprivate init(_ line: ArraySlice<UInt8>, _ lines: inout Lines) throws(AgeError) {
            arguments = pieces(line, at: UInt8(ascii: " "), withEmpty: true)
            guard arguments.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0 > 0x20 && $0 < 0x7F } }) else { throw .damaged(.header) }
            var text: [UInt8] = []
            var line: ArraySlice<UInt8>
            repeat {
                line = try lines.next()
                text += line
            } while line.count == 64
            guard line.count < 64, let body = BareBase64.decode(text[...]) else { throw .damaged(.header) }
            self.body = body
            var values = arguments.dropFirst()
            if isOf("ssh-ed25519") || isOf("ssh-rsa") {
                guard let tag = values.popFirst().flatMap(BareBase64.decode), tag.count == 4 else { throw .damaged(.header) }
                self.tag = tag
            }
            if isOf("ssh-ed25519") || isOf("X25519") {
                guard let share = values.popFirst().flatMap(BareBase64.decode), share.count == 32, body.count == 32 else {
                    throw .damaged(.header)
                }
                self.share = share
            }
            guard values.isEmpty || (tag == nil && share.isEmpty) else { throw .damaged(.header) }
        }

        package func isOf(_ type: String) -> Bool { arguments.first.map { $0.elementsEqual(type.bytes) } ?? false }
    }
}
