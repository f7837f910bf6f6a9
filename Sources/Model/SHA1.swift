/// SHA-1 (RFC 3174), fed in pieces. Git's object ids are made with it.
public struct SHA1: Sendable {
    private var state: (UInt32, UInt32, UInt32, UInt32, UInt32) =
        (0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0)
    private var pending: [UInt8] = []
    private var length: UInt64 = 0

    public init() { pending.reserveCapacity(64) }

    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var at = 0
        if !pending.isEmpty {
            let taken = min(64 - pending.count, bytes.count)
            for index in 0..<taken { pending.append(bytes[index]) }
            at = taken
            guard pending.count == 64 else { return }
            let block = pending
            block.withUnsafeBytes { compress($0, at: 0) }
            pending.removeAll(keepingCapacity: true)
        }
        while bytes.count - at >= 64 {
            compress(bytes, at: at)
            at += 64
        }
        while at < bytes.count {
            pending.append(bytes[at])
            at += 1
        }
    }

    public mutating func finish() -> ObjectID {
        let bits = length &* 8
        var padding: [UInt8] = [0x80]
        padding.append(contentsOf: repeatElement(0, count: (119 - Int(length % 64)) % 64))
        for shift in stride(from: 56, through: 0, by: -8) { padding.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift))) }
        update(padding)
        return ObjectID(words: state)
    }

    // The message schedule lives on the stack: nothing is allocated per block.
    private mutating func compress(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { w in
            for i in 0..<16 {
                w[i] = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset &+ i &* 4, as: UInt32.self))
            }
            for i in 16..<80 {
                let mixed = w[i &- 3] ^ w[i &- 8] ^ w[i &- 14] ^ w[i &- 16]
                w[i] = mixed << 1 | mixed >> 31
            }
            var (a, b, c, d, e) = state
            func round(_ f: UInt32, _ k: UInt32, _ word: UInt32) {
                let next = (a << 5 | a >> 27) &+ f &+ e &+ k &+ word
                e = d
                d = c
                c = b << 30 | b >> 2
                b = a
                a = next
            }
            for i in 0..<20 { round((b & c) | (~b & d), 0x5A82_7999, w[i]) }
            for i in 20..<40 { round(b ^ c ^ d, 0x6ED9_EBA1, w[i]) }
            for i in 40..<60 { round((b & c) | (b & d) | (c & d), 0x8F1B_BCDC, w[i]) }
            for i in 60..<80 { round(b ^ c ^ d, 0xCA62_C1D6, w[i]) }
            state = (state.0 &+ a, state.1 &+ b, state.2 &+ c, state.3 &+ d, state.4 &+ e)
        }
    }
}

/// The kinds of Git object that Deptool makes and checks.
public enum ObjectKind: Sendable {
    case blob, tree, commit

    public var name: String {
        switch self {
        case .blob: "blob"
        case .tree: "tree"
        case .commit: "commit"
        }
    }
}

/// The id of a Git object whose content comes in pieces, of a size known beforehand.
public struct ObjectHasher: Sendable {
    private var hash = SHA1()

    public init(_ kind: ObjectKind, size: UInt64) {
        hash.update(Array("\(kind.name) \(size)".utf8) + [0])
    }

    public mutating func update(_ bytes: [UInt8]) { hash.update(bytes) }
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bytes) }
    public mutating func finish() -> ObjectID { hash.finish() }
}

extension ObjectID {
    /// The id of an object with these bytes.
    public static func of(_ kind: ObjectKind, _ bytes: [UInt8]) -> ObjectID {
        var hasher = ObjectHasher(kind, size: UInt64(bytes.count))
        hasher.update(bytes)
        return hasher.finish()
    }
}
