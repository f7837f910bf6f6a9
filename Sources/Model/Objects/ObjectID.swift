/// The id of a Git object: the SHA-1 of its type, length and bytes.
package struct ObjectID: Hashable, Comparable, Sendable {
    // Twenty bytes, big-endian, in three words, so that comparing and hashing need no allocation.
    private let high: UInt64
    private let middle: UInt64
    private let low: UInt32

    /// Nil unless there are exactly 20 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 20 else { return nil }
        var words: (UInt64, UInt64, UInt64) = (0, 0, 0)
        var position = 0
        for byte in bytes {
            switch position {
            case 0..<8: words.0 = words.0 << 8 | UInt64(byte)
            case 8..<16: words.1 = words.1 << 8 | UInt64(byte)
            default: words.2 = words.2 << 8 | UInt64(byte)
            }
            position += 1
        }
        high = words.0
        middle = words.1
        low = UInt32(truncatingIfNeeded: words.2)
    }

    init(words: (UInt32, UInt32, UInt32, UInt32, UInt32)) {
        high = UInt64(words.0) << 32 | UInt64(words.1)
        middle = UInt64(words.2) << 32 | UInt64(words.3)
        low = words.4
    }

    /// Nil unless there are exactly 40 hexadecimal digits.
    package init?(hex: String) {
        guard let bytes = decode(hex: hex.bytes[...]) else { return nil }
        self.init(bytes)
    }

    package init?(hex: ArraySlice<UInt8>) {
        guard let bytes = decode(hex: hex) else { return nil }
        self.init(bytes)
    }

    /// Orders ids by their bytes.
    package static func < (one: ObjectID, other: ObjectID) -> Bool {
        (one.high, one.middle, one.low) < (other.high, other.middle, other.low)
    }

    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20)
        for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: high >> UInt64(shift))) }
        for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: middle >> UInt64(shift))) }
        for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: low >> UInt32(shift))) }
        return bytes
    }

    /// 40 lower-case digits.
    package var hex: String { Model.hex(bytes) }

    /// The first ten digits, for people and directory names.
    package var short: String { Model.hex(Array(bytes[..<5])) }
}

/// Lower-case hexadecimal digits, two a byte.
package func hex(_ bytes: some Sequence<UInt8>) -> String {
    var digits: [UInt8] = []
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            digits.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
    return String(decoding: digits, as: UTF8.self)
}

/// The bytes of an even number of hexadecimal digits; nil for anything else.
private func decode(hex: ArraySlice<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    var pending: UInt8?
    for byte in hex {
        let digit: UInt8
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
        default: return nil
        }
        if let first = pending {
            result.append(first << 4 | digit)
            pending = nil
        } else {
            pending = digit
        }
    }
    return pending == nil ? result : nil
}
