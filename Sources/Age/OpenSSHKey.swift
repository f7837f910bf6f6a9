import Model

/// A private key as ssh-keygen writes it (`openssh-key-v1` in OpenSSH's PROTOCOL.key), without a passphrase.
package struct OpenSSHKey: ~Copyable {
    /// In SSH's wire format.
    package let publicKey: [UInt8]
    private let content: SecretBytes
    /// Where the values of the private key are in `content`: two for ed25519, six for RSA.
    private let values: [Range<Int>]

    private static let begin = "-----BEGIN OPENSSH PRIVATE KEY-----", end = "-----END OPENSSH PRIVATE KEY-----"

    /// - Parameter file: the whole file.
    @inline(never) package init(_ file: borrowing SecretBytes) throws(KeyFileError) {
        var reader = Reader(content: try Self.content(of: file))
        let magic = "openssh-key-v1\0".bytes
        guard reader.content.has(magic, at: 0) else { throw .invalid }
        reader.position = magic.count
        let cipher = reader.string(), method = reader.string()
        _ = reader.string()
        let isOne = reader.number() == 1
        let publicKey = reader.bytes(reader.string())
        let rest = reader.string()
        guard isOne, !reader.isShort else { throw .invalid }
        // Of some ciphers, a tag follows.
        guard reader.holds(cipher, "none"), reader.holds(method, "none") else { throw .encrypted }
        reader.position = rest.lowerBound
        // Two equal numbers, so that a wrong passphrase is seen.
        let isSame = reader.number() == reader.number()
        let type = reader.string()
        let isEd25519 = reader.holds(type, "ssh-ed25519")
        guard isEd25519 || reader.holds(type, "ssh-rsa") || reader.isShort else { throw .otherKind }
        var values: [Range<Int>] = []
        for _ in 0..<(isEd25519 ? 2 : 6) { values.append(reader.string()) }
        _ = reader.string()
        let end = reader.content.count
        guard isSame, !reader.isShort, rest.upperBound == end, rest.count % 8 == 0, end - reader.position < 8 else { throw .invalid }
        for place in reader.position..<end {
            guard Int(reader.content[place]) == place - reader.position + 1 else { throw .invalid }
        }
        // The public key is there three times.
        let wire: [UInt8]
        let first = reader.bytes(values[0]), second = values[1]
        if isEd25519 {
            guard first.count == 32, second.count == 64, reader.content.has(first, at: second.lowerBound + 32) else { throw .invalid }
            wire = wireString("ssh-ed25519".bytes) + wireString(first)
        } else {
            wire = wireString("ssh-rsa".bytes) + wireString(reader.bytes(second)) + wireString(first)
        }
        guard publicKey.elementsEqual(wire) else { throw .invalid }
        self.publicKey = publicKey
        self.values = values
        content = reader.content
    }

    /// The public key of a file, which is readable even if a passphrase protects the rest. Nil if the file is no such key.
    package static func publicKey(in file: borrowing SecretBytes) -> [UInt8]? {
        guard let content = try? content(of: file) else { return nil }
        var reader = Reader(content: content)
        let magic = "openssh-key-v1\0".bytes
        guard reader.content.has(magic, at: 0) else { return nil }
        reader.position = magic.count
        for _ in 0..<3 { _ = reader.string() }
        _ = reader.number()
        let key = reader.bytes(reader.string())
        return reader.isShort ? nil : key
    }

    package var isEd25519: Bool { values.count == 2 }

    /// A value of the private key: of ed25519 the public key, then the seed with the public key; of RSA n, e, d, the inverse of q, p, q.
    package func value(_ index: Int) -> SecretBytes { content[values[index]] }

    /// What is between the lines `BEGIN` and `END`.
    @inline(never) private static func content(of file: borrowing SecretBytes) throws(KeyFileError) -> SecretBytes {
        let begin = begin.bytes, end = end.bytes
        guard file.has(begin, at: 0) else { throw file.has("-----BEGIN ".bytes, at: 0) ? .otherKind : .invalid }
        var content = SecretBytes(count: file.count)
        var bits: UInt32 = 0, count = 0, filled = 0, digits = 0, padding = 0
        var index = begin.count
        while index < file.count, file[index] != UInt8(ascii: "-") {
            let byte = file[index]
            index += 1
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { continue }
            digits += 1
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let value = BareBase64.value(of: byte) else { throw .invalid }
            bits = bits << 6 & 0xFFFF | UInt32(value)
            count += 6
            guard count >= 8 else { continue }
            count -= 8
            content[filled] = UInt8(truncatingIfNeeded: bits >> UInt32(count))
            filled += 1
        }
        guard file.has(end, at: index), digits % 4 == 0, padding <= 2, count == 2 * padding, bits & (1 << UInt32(count) - 1) == 0 else {
            throw .invalid
        }
        for index in index + end.count..<file.count {
            guard file[index] == UInt8(ascii: "\n") || file[index] == UInt8(ascii: "\r") else { throw .invalid }
        }
        return content[0..<filled]
    }

    /// Reads the data types of RFC 4251, section 5.
    private struct Reader: ~Copyable {
        let content: SecretBytes
        var position = 0
        /// Whether more was read than there is.
        var isShort = false

        init(content: consuming SecretBytes) { self.content = content }

        @inline(never) mutating func number() -> Int {
            guard content.count - position >= 4 else {
                isShort = true
                return 0
            }
            var number = 0
            for _ in 0..<4 {
                number = number << 8 | Int(content[position])
                position += 1
            }
            return number
        }

        @inline(never) mutating func string() -> Range<Int> {
            let count = number()
            guard count <= content.count - position else {
                isShort = true
                return 0..<0
            }
            position += count
            return position - count..<position
        }

        func holds(_ range: Range<Int>, _ text: String) -> Bool {
            range.count == text.utf8.count && content.has(text.bytes, at: range.lowerBound)
        }

        /// For what is public.
        func bytes(_ range: Range<Int>) -> [UInt8] { range.map { content[$0] } }
    }
}

/// A string of RFC 4251.
func wireString(_ bytes: [UInt8]) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bytes.count >> $0) } + bytes
}

extension AgeIdentity {
    /// The ed25519 key in an OpenSSH key file.
    @inline(never) package init<Primitives: AgePrimitives>(_ key: borrowing OpenSSHKey, _: Primitives.Type) throws(KeyFileError) {
        guard key.isEd25519 else { throw .otherKind }
        self.init(seed: key.value(1)[0..<32], sshKey: key.publicKey, Primitives.self)
    }

    /// - Parameter file: the whole file: an ed25519 key as ssh-keygen writes it, or one identity as age-keygen does.
    package init<Primitives: AgePrimitives>(file: borrowing SecretBytes, _: Primitives.Type) throws(KeyFileError) {
        if file.has("-----BEGIN ".bytes, at: 0) {
            try self.init(OpenSSHKey(file), Primitives.self)
            return
        }
        var identity: Range<Int>?
        var start = 0
        for index in 0...file.count where index == file.count || file[index] == UInt8(ascii: "\n") {
            let line = start..<index
            start = index + 1
            if line.isEmpty || file[line.lowerBound] == UInt8(ascii: "#") { continue }
            guard identity == nil else { throw .invalid }
            identity = line
        }
        guard let identity, let scalar = Bech32.decode(file, identity, prefix: "AGE-SECRET-KEY-") else { throw .invalid }
        self.init(scalar: scalar, Primitives.self)
    }
}
