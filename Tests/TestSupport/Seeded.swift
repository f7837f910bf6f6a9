import Foundation

/// A generator whose seed a failure can name (splitmix64).
package struct Seeded: RandomNumberGenerator {
    package let seed: UInt64
    private var state: UInt64

    /// The seed is DEPTOOL_SEED if that is set, else a new one.
    package init() { self.init(ProcessInfo.processInfo.environment["DEPTOOL_SEED"].flatMap(UInt64.init) ?? .random(in: 0..<1 << 32)) }

    package init(_ seed: UInt64) {
        self.seed = seed
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    package mutating func bytes(_ count: Int) -> [UInt8] {
        let words = (0..<(count + 7) / 8).map { _ in next() }
        return Array(words.withUnsafeBytes { $0.prefix(count) })
    }
}
