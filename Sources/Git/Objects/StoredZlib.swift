import CGit2

/// The zlib format (RFC 1950) with stored blocks (RFC 1951, 3.2.4): the format that Git requires for objects, without
/// the cost of compression. Configuration is small, and artifacts are already compressed; `git gc` packs the rest.
struct StoredZlib {
    /// Adler-32.
    private var checksum: UInt = 1

    /// Starts a stream at the end of `output`.
    init(into output: inout [UInt8]) {
        output.append(0x78)
        output.append(0x01)
    }

    mutating func add(_ bytes: [UInt8], into output: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        output.reserveCapacity(output.count + bytes.count + 5 * (bytes.count / 65535 + 1))
        var at = 0
        while at < bytes.count {
            let end = min(at + 65535, bytes.count)
            Self.header(isLast: false, count: UInt16(end - at), into: &output)
            output += bytes[at..<end]
            at = end
        }
        checksum = unsafe bytes.withUnsafeBufferPointer { unsafe adler32_z(checksum, $0.baseAddress, $0.count) }
    }

    func finish(into output: inout [UInt8]) {
        Self.header(isLast: true, count: 0, into: &output)
        output.append(bigEndian: UInt32(truncatingIfNeeded: checksum))
    }

    private static func header(isLast: Bool, count: UInt16, into output: inout [UInt8]) {
        output.append(isLast ? 1 : 0)
        for half in [count, ~count] {
            output.append(UInt8(truncatingIfNeeded: half))
            output.append(UInt8(truncatingIfNeeded: half >> 8))
        }
    }
}

extension [UInt8] {
    mutating func append(bigEndian value: UInt32) {
        for shift in stride(from: 24, through: 0, by: -8) { append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
    }
}
