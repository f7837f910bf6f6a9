import CSHA1

/// SHA-1 (RFC 3174), fed in pieces. Git's object ids use it.
package struct SHA1: Sendable {
    private var state: (UInt32, UInt32, UInt32, UInt32, UInt32) =
        (0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0)
    private var pending: [UInt8] = []
    private var length: UInt64 = 0

    package init() { pending.reserveCapacity(64) }

    package mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var at = 0
        if !pending.isEmpty {
            at = min(64 - pending.count, bytes.count)
            for index in 0..<at { unsafe pending.append(bytes[index]) }
            guard pending.count == 64 else { return }
            let block = pending
            unsafe block.withUnsafeBytes { unsafe compress($0, at: 0, count: 1) }
            pending.removeAll(keepingCapacity: true)
        }
        let count = (bytes.count - at) / 64
        unsafe compress(bytes, at: at, count: count)
        for index in at + 64 * count..<bytes.count { unsafe pending.append(bytes[index]) }
    }

    package mutating func finish() -> ObjectID {
        let bits = length &* 8
        var padding: [UInt8] = [0x80]
        padding.append(contentsOf: repeatElement(0, count: (119 - Int(length % 64)) % 64))
        for shift in stride(from: 56, through: 0, by: -8) { padding.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift))) }
        update(padding)
        return ObjectID(words: state)
    }

    /// Compresses `count` whole blocks.
    private mutating func compress(_ bytes: UnsafeRawBufferPointer, at offset: Int, count: Int) {
        guard count > 0, let start = bytes.baseAddress else { return }
        unsafe withUnsafeMutableBytes(of: &state) { state in
            unsafe csha1_compress(state.assumingMemoryBound(to: UInt32.self).baseAddress, start + offset, count)
        }
    }
}

/// The kinds of Git objects that Deptool creates and checks.
package enum ObjectKind: Sendable {
    case blob, tree, commit

    package var name: String {
        switch self {
        case .blob: "blob"
        case .tree: "tree"
        case .commit: "commit"
        }
    }
}

/// Computes the id of a Git object of a given size whose content comes in pieces.
package struct ObjectHasher: Sendable {
    private var hash = SHA1()

    package init(_ kind: ObjectKind, size: UInt64) {
        hash.update("\(kind.name) \(size)".bytes + [0])
    }

    package mutating func update(_ bytes: [UInt8]) { hash.update(bytes) }
    package mutating func update(_ bytes: UnsafeRawBufferPointer) { unsafe hash.update(bytes) }
    package mutating func finish() -> ObjectID { hash.finish() }
}

extension ObjectID {
    /// The id of an object with these bytes.
    package static func of(_ kind: ObjectKind, _ bytes: [UInt8]) -> ObjectID {
        var hasher = ObjectHasher(kind, size: UInt64(bytes.count))
        hasher.update(bytes)
        return hasher.finish()
    }
}
