/// Reads the data types of RFC 4251, section 5, from untrusted bytes.
struct SSHWireReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: some Collection<UInt8>) { rest = Array(bytes)[...] }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func number() -> UInt32? {
        guard rest.count >= 4 else { return nil }
        let value = rest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        rest = rest.dropFirst(4)
        return value
    }

    mutating func string() -> [UInt8]? {
        guard let length = number(), Int(length) <= rest.count else { return nil }
        defer { rest = rest.dropFirst(Int(length)) }
        return Array(rest.prefix(Int(length)))
    }

    mutating func skip(_ count: Int) -> Void? {
        guard rest.count >= count else { return nil }
        rest = rest.dropFirst(count)
        return ()
    }
}

/// Writes the data types of RFC 4251, section 5.
struct SSHWireWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func number(_ value: UInt32) {
        for shift: UInt32 in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func string(_ value: some Collection<UInt8>) {
        number(UInt32(truncatingIfNeeded: value.count))
        bytes.append(contentsOf: value)
    }
}

/// A public key in SSH's wire format (RFC 4253, section 6.6): its type, then type-specific data.
package struct PublicKey: Hashable, Sendable {
    package let blob: [UInt8]
    package let type: String

    /// Nil if the blob does not begin with a plausible type.
    init?(blob: [UInt8]) {
        var reader = SSHWireReader(blob.prefix(128))
        guard let type = reader.string(), (1...64).contains(type.count), type.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        self.blob = blob
        self.type = String(decoding: type, as: UTF8.self)
    }

    /// A line of a `.pub` file: type, base64, comment.
    package init?(line: ArraySlice<UInt8>) {
        let words = line.split(maxSplits: 2) { " \t\r".utf8.contains($0) }
        guard words.count >= 2, let blob = Base64.decode(words[1]), let key = Self(blob: blob),
            words[0].elementsEqual(key.type.utf8)
        else { return nil }
        self = key
    }

    /// As in authorized_keys, without a comment.
    package var line: String { "\(type) \(Base64.encode(blob))" }

    /// libssh2 cannot pass on signatures of FIDO keys, and names the wrong algorithm for certificates.
    var isBeyondLibrary: Bool { type.hasPrefix("sk-") || type.contains("-cert-v01@") }
    var isRSA: Bool { type == "ssh-rsa" }
}
