/// The zlib format (RFC 1950) with stored blocks (RFC 1951, 3.2.4): the format that Git requires for objects, without
/// the cost of compression. Configuration is small, and artifacts are already compressed; `git gc` packs the rest.
struct StoredZlib {
    private var low: UInt32 = 1
    private var high: UInt32 = 0

    /// Starts a stream at the end of `output`.
    init(into output: inout [UInt8]) {
        output.append(0x78)
        output.append(0x01)
    }

    mutating func add(_ bytes: [UInt8], into output: inout [UInt8]) {
        output.reserveCapacity(output.count + bytes.count + 5 * (bytes.count / 65535 + 1))
        var at = 0
        while at < bytes.count {
            let end = min(at + 65535, bytes.count)
            Self.header(isLast: false, count: UInt16(end - at), into: &output)
            output += bytes[at..<end]
            at = end
        }
        unsafe bytes.withUnsafeBufferPointer { unsafe sum($0) }
    }

    func finish(into output: inout [UInt8]) {
        Self.header(isLast: true, count: 0, into: &output)
        output.append(bigEndian: high << 16 | low)
    }

    private static func header(isLast: Bool, count: UInt16, into output: inout [UInt8]) {
        output.append(isLast ? 1 : 0)
        for half in [count, ~count] {
            output.append(UInt8(truncatingIfNeeded: half))
            output.append(UInt8(truncatingIfNeeded: half >> 8))
        }
    }

    /// Adler-32. The sums could overflow after 5552 bytes.
    private mutating func sum(_ bytes: UnsafeBufferPointer<UInt8>) {
        var at = 0
        while at < bytes.count {
            let end = min(at + 5552, bytes.count)
            for index in at..<end {
                low &+= UInt32(unsafe bytes[index])
                high &+= low
            }
            low %= 65521
            high %= 65521
            at = end
        }
    }
}

extension [UInt8] {
    mutating func append(bigEndian value: UInt32) {
        for shift in stride(from: 24, through: 0, by: -8) { append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
    }
}
