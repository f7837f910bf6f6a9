import Model

/// A private key as ssh-keygen writes it (`openssh-key-v1` in OpenSSH's PROTOCOL.key), without a passphrase.
package struct OpenSSHKey: ~Copyable {
    /// In SSH's wire format.
    package let publicKey: [UInt8]
    private let content: SecretBytes
    /// Where the six values of an RSA key are in `content`; empty for ed25519.
    private let values: [Range<Int>]

    /// - Parameter file: the whole file.
    package init(_ file: borrowing SecretBytes) throws(KeyFileError) {
        guard let content = keyContent(of: file) else {
            throw file.has("-----BEGIN ".bytes, at: 0) && !file.has(keyBegin.bytes, at: 0) ? .otherKind : .invalid
        }
        if content.isEd25519Key {
            publicKey = content.bytes(ed25519Public)
            values = []
            self.content = content
            return
        }
        var reader = Reader(content: content)
        let magic = "openssh-key-v1\0".bytes
        guard reader.content.has(magic, at: 0) else { throw .invalid }
        reader.position = magic.count
        let cipher = reader.string(), method = reader.string()
        _ = reader.string()
        let isOne = reader.number() == 1
        let publicKey = reader.content.bytes(reader.string())
        let rest = reader.string()
        guard isOne, !reader.isShort else { throw .invalid }
        // Some ciphers append a tag.
        guard reader.holds(cipher, "none"), reader.holds(method, "none") else { throw .encrypted }
        reader.position = rest.lowerBound
        // Two equal numbers, so that a wrong passphrase is seen.
        let isSame = reader.number() == reader.number()
        let type = reader.string()
        guard reader.holds(type, "ssh-rsa") else { throw reader.isShort || reader.holds(type, "ssh-ed25519") ? .invalid : .otherKind }
        var values: [Range<Int>] = []
        for _ in 0..<6 { values.append(reader.string()) }
        _ = reader.string()
        guard isSame, !reader.isShort, rest.upperBound == reader.content.count, rest.count % 8 == 0,
            reader.content.endsInPadding(from: Int64(reader.position))
        else { throw .invalid }
        // The public key is there twice.
        let modulus = reader.content.bytes(values[0]), exponent = reader.content.bytes(values[1])
        guard publicKey.elementsEqual(wireString("ssh-rsa".bytes) + wireString(exponent) + wireString(modulus)) else { throw .invalid }
        self.publicKey = publicKey
        self.values = values
        self.content = reader.content
    }

    /// The public key of a file, which is readable even if a passphrase protects the rest. Nil if the file is no such key.
    package static func publicKey(in file: borrowing SecretBytes) -> [UInt8]? {
        guard let content = keyContent(of: file) else { return nil }
        var reader = Reader(content: content)
        let magic = "openssh-key-v1\0".bytes
        guard reader.content.has(magic, at: 0) else { return nil }
        reader.position = magic.count
        for _ in 0..<3 { _ = reader.string() }
        _ = reader.number()
        let key = reader.content.bytes(reader.string())
        return reader.isShort ? nil : key
    }

    package var isEd25519: Bool { values.isEmpty }

    /// A value of an RSA key: n, e, d, the inverse of q, p, q.
    package func value(_ index: Int) -> SecretBytes { content[values[index]] }

    /// The identity that an ed25519 key is.
    package func identity<Primitives: AgePrimitives>(_: Primitives.Type) throws(KeyFileError) -> AgeIdentity {
        guard let identity = AgeIdentity(ed25519: content, Primitives.self) else { throw .otherKind }
        return identity
    }

    /// Reads the data types of RFC 4251, section 5.
    private struct Reader: ~Copyable {
        let content: SecretBytes
        var position = 0
        /// Whether more was read than there is.
        var isShort = false

        init(content: consuming SecretBytes) { self.content = content }

        @inline(never) mutating func number() -> Int64 {
            guard content.count - position >= 4 else {
                isShort = true
                return 0
            }
            var number: Int64 = 0
            for _ in 0..<4 {
                number = number << 8 | Int64(content[position])
                position += 1
            }
            return number
        }

        @inline(never) mutating func string() -> Range<Int> {
            let count = number()
            guard count <= Int64(content.count - position) else {
                isShort = true
                return 0..<0
            }
            let start = position
            position += Int(count)
            return start..<position
        }

        func holds(_ range: Range<Int>, _ text: String) -> Bool {
            range.count == text.utf8.count && content.has(text.bytes, at: range.lowerBound)
        }
    }
}

private let keyBegin = "-----BEGIN OPENSSH PRIVATE KEY-----", keyEnd = "-----END OPENSSH PRIVATE KEY-----"

/// The content between the lines `BEGIN` and `END`. Nil if the file is not exactly that.
@inline(never) private func keyContent(of file: borrowing SecretBytes) -> SecretBytes? {
    let begin = keyBegin.bytes, end = keyEnd.bytes
    guard file.has(begin, at: 0) else { return nil }
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
        guard padding == 0, let value = BareBase64.value(of: byte) else { return nil }
        bits = bits << 6 & 0xFFFF | UInt32(value)
        count += 6
        guard count >= 8 else { continue }
        count -= 8
        content[filled] = UInt8(truncatingIfNeeded: bits >> UInt32(count))
        filled += 1
    }
    guard file.has(end, at: index), digits % 4 == 0, padding <= 2, count == 2 * padding, bits & (1 << UInt32(count) - 1) == 0 else {
        return nil
    }
    for index in index + end.count..<file.count {
        guard file[index] == UInt8(ascii: "\n") || file[index] == UInt8(ascii: "\r") else { return nil }
    }
    return content[0..<filled]
}

/// Where the public key is, in SSH's wire format, and in the content of an ed25519 key.
private let ed25519Public = 43..<94

extension SecretBytes {
    /// Whether this is the content of an ed25519 key without a passphrase: all but the comment, which comes last, has its fixed place.
    fileprivate var isEd25519Key: Bool {
        @inline(never) get {
            let kind = "\0\0\0\u{b}ssh-ed25519\0\0\0 "
            let start = "openssh-key-v1\0\0\0\0\u{4}none\0\0\0\u{4}none\0\0\0\0\0\0\0\u{1}\0\0\0\u{33}" + kind
            // Two equal numbers are there so that a wrong passphrase is seen. The public key is there three times.
            let key = bytes(62..<94)
            return has(start.bytes, at: 0) && number(at: 94) == Int64(count) - 98 && count % 8 == 98 % 8
                && number(at: 98) == number(at: 102) && has(kind.bytes + key + [0, 0, 0, 64], at: 106) && has(key, at: 193)
                && endsInPadding(from: 229 + number(at: 225))
        }
    }

    /// Four bytes, big-endian; zero if they are not all there.
    @inline(never) private func number(at place: Int) -> Int64 {
        guard count - place >= 4 else { return 0 }
        var number: Int64 = 0
        for index in place..<place + 4 { number = number << 8 | Int64(self[index]) }
        return number
    }

    /// Whether fewer than eight bytes are left, and they are 1, 2, 3 and so on.
    @inline(never) fileprivate func endsInPadding(from place: Int64) -> Bool {
        guard place <= Int64(count), Int64(count) - place < 8 else { return false }
        let start = Int(place)
        for index in start..<count { guard Int(self[index]) == index - start + 1 else { return false } }
        return true
    }

    /// A part that is public; empty if it is not all there.
    @inline(never) fileprivate func bytes(_ range: Range<Int>) -> [UInt8] {
        guard range.upperBound <= count else { return [] }
        return unsafe withBytes { unsafe [UInt8]($0[range]) }
    }
}

/// A string of RFC 4251.
func wireString(_ bytes: [UInt8]) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bytes.count >> $0) } + bytes
}

extension AgeIdentity {
    /// The ed25519 key in a file as ssh-keygen writes it without a passphrase. Nil if it is anything else.
    @inline(never) package init?<Primitives: AgePrimitives>(keyFile file: borrowing SecretBytes, _: Primitives.Type) {
        guard let content = keyContent(of: file) else { return nil }
        self.init(ed25519: content, Primitives.self)
    }

    /// From the content of such a file.
    @inline(never) fileprivate init?<Primitives: AgePrimitives>(ed25519 content: borrowing SecretBytes, _: Primitives.Type) {
        guard content.isEd25519Key else { return nil }
        self.init(seed: content[161..<193], sshKey: content.bytes(ed25519Public), Primitives.self)
    }

    /// - Parameter file: the whole file: an ed25519 key as ssh-keygen writes it, or one identity as age-keygen does.
    package init<Primitives: AgePrimitives>(file: borrowing SecretBytes, _: Primitives.Type) throws(KeyFileError) {
        if file.has("-----BEGIN ".bytes, at: 0) {
            self = try OpenSSHKey(file).identity(Primitives.self)
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
