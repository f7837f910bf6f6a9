import Model

/// Bech32 (BIP 173) of 32 bytes, the form of age's keys: `age1…` and `AGE-SECRET-KEY-1…`.
enum Bech32 {
    static let alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

    /// The bytes of this line, whose part in front of the `1` is `prefix`. Nil if it is written in another way.
    static func decode(_ text: borrowing SecretBytes, _ line: Range<Int>, prefix: String) -> SecretBytes? {
        let prefix = prefix.bytes, alphabet = alphabet.bytes
        let isUpper = prefix.contains { (0x41...0x5A).contains($0) }
        guard line.count == prefix.count + 1 + 52 + 6, text.has(prefix + [UInt8(ascii: "1")], at: line.lowerBound) else { return nil }
        var sum = Checksum(prefix)
        var bytes = SecretBytes(count: 32)
        var bits: UInt32 = 0, count = 0, filled = 0
        let start = line.lowerBound + prefix.count + 1
        for index in start..<line.upperBound {
            let byte = text[index], letter = isUpper ? byte | 0x20 : byte
            let isDigit = (0x30...0x39).contains(byte)
            guard isDigit || (0x61...0x7A).contains(letter) && (byte < 0x60) == isUpper,
                let place = alphabet.firstIndex(of: isDigit ? byte : letter)
            else { return nil }
            sum.add(UInt8(place))
            guard index < start + 52 else { continue }
            bits = bits << 5 & 0xFFFF | UInt32(place)
            count += 5
            guard count >= 8 else { continue }
            count -= 8
            bytes[filled] = UInt8(truncatingIfNeeded: bits >> UInt32(count))
            filled += 1
        }
        // The last four bits are padding.
        guard sum.value == 1, bits & 0xF == 0 else { return nil }
        return bytes
    }

    /// In lower case.
    static func encode(_ bytes: [UInt8], prefix: String) -> [UInt8] {
        let alphabet = alphabet.bytes
        var sum = Checksum(prefix.bytes)
        var text = prefix.bytes + [UInt8(ascii: "1")]
        var bits: UInt32 = 0, count = 0
        func add(_ value: UInt32) {
            sum.add(UInt8(value & 31))
            text.append(alphabet[Int(value & 31)])
        }
        for byte in bytes {
            bits = bits << 8 & 0xFFFF | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                add(bits >> UInt32(count))
            }
        }
        if count > 0 { add(bits << UInt32(5 - count)) }
        var end = sum
        for _ in 0..<6 { end.add(0) }
        end.value ^= 1
        for place in 0..<6 { text.append(alphabet[Int(end.value >> UInt32(5 * (5 - place)) & 31)]) }
        return text
    }

    private struct Checksum {
        var value: UInt32 = 1

        /// Of the prefix in lower case.
        init(_ prefix: [UInt8]) {
            let prefix = prefix.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
            for byte in prefix { add(byte >> 5) }
            add(0)
            for byte in prefix { add(byte & 31) }
        }

        mutating func add(_ digit: UInt8) {
            let top = value >> 25
            value = (value & 0x1FF_FFFF) << 5 ^ UInt32(digit)
            if top & 1 != 0 { value ^= 0x3B6A_57B2 }
            if top & 2 != 0 { value ^= 0x2650_8E6D }
            if top & 4 != 0 { value ^= 0x1EA1_19FA }
            if top & 8 != 0 { value ^= 0x3D42_33DD }
            if top & 16 != 0 { value ^= 0x2A14_62B3 }
        }
    }
}
