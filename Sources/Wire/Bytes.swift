import Model

/// The reason why bytes from the other side, or from disk, are invalid.
package enum WireError: Error, Hashable, Sendable {
    case truncated
    case trailingBytes
    /// A number that exceeds its type, or is not in its shortest form.
    case badNumber
    /// A value or list that exceeds its limit.
    case tooLong
    case notUTF8
    /// A tag without a case.
    case unknownCase
    /// A name, path or id that is invalid.
    case badValue

    package var phrase: String {
        switch self {
        case .truncated: "it ends too early"
        case .trailingBytes: "there is more than there should be"
        case .badNumber: "it holds an impossible number"
        case .tooLong: "something in it is too long"
        case .notUTF8: "it holds text that is not UTF-8"
        case .unknownCase: "it holds a value that this version does not support"
        case .badValue: "it holds an invalid name, path or id"
        }
    }
}

/// A value with a single encoding, the same on both sides and on disk.
package protocol WireCodable {
    func encode(to writer: inout ByteWriter)
    init(from reader: inout ByteReader) throws(WireError)
}

extension WireCodable {
    package var encoded: [UInt8] {
        var writer = ByteWriter()
        encode(to: &writer)
        return writer.bytes
    }

    /// Decodes all of `bytes`.
    package init(decoding bytes: [UInt8]) throws(WireError) { try self.init(decoding: bytes, in: 0..<bytes.count) }

    /// Decodes all of `bytes[range]`.
    init(decoding bytes: [UInt8], in range: Range<Int>) throws(WireError) {
        var reader = ByteReader(bytes, in: range)
        try self.init(from: &reader)
        guard reader.isAtEnd else { throw .trailingBytes }
    }
}

package struct ByteWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// A writer that starts with four bytes for the length of the rest.
    static var framed: ByteWriter {
        var writer = ByteWriter()
        writer.bytes = [0, 0, 0, 0]
        return writer
    }

    /// Finishes a `framed` writer: fills in the length, big-endian.
    consuming func finishFrame() -> [UInt8] {
        let length = UInt32(truncatingIfNeeded: bytes.count - 4)
        for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * index)) }
        return bytes
    }

    @inline(never) package mutating func byte(_ value: UInt8) { bytes.append(value) }

    /// LEB128: seven bits a byte, the lowest first.
    @inline(never) package mutating func number(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// A signed number in zigzag form, with the sign in the lowest bit.
    @inline(never) package mutating func signed(_ value: Int64) { number(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    /// A status, a count, or a time in seconds, clamped to 32 bits.
    @inline(never) mutating func small(_ value: Int) { signed(Int64(max(Int(Int32.min), min(Int(Int32.max), value)))) }

    /// A length, then the bytes.
    @inline(never) package mutating func blob(_ value: [UInt8]) { blob(value[...]) }

    @inline(never) package mutating func blob(_ value: ArraySlice<UInt8>) {
        number(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    @inline(never) package mutating func text(_ value: String) {
        number(UInt64(value.utf8.count))
        bytes += value.bytes
    }

    @inline(never) package mutating func id(_ value: ObjectID) { bytes.append(contentsOf: value.bytes) }

    package mutating func list<Element: WireCodable>(_ elements: [Element]) {
        number(UInt64(elements.count))
        for element in elements { element.encode(to: &self) }
    }

    package mutating func optional<Value: WireCodable>(_ value: Value?) {
        if let value {
            byte(1)
            value.encode(to: &self)
        } else {
            byte(0)
        }
    }
}

/// Reads what `ByteWriter` writes. It trusts no input: a length counts only once the bytes are there.
package struct ByteReader {
    private let bytes: [UInt8]
    private var position: Int
    private let end: Int

    package init(_ bytes: [UInt8]) { self.init(bytes, in: 0..<bytes.count) }

    init(_ bytes: [UInt8], in range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    package var isAtEnd: Bool { position == end }

    @inline(never) package mutating func byte() throws(WireError) -> UInt8 {
        guard position < end else { throw .truncated }
        defer { position += 1 }
        return bytes[position]
    }

    @inline(never) package mutating func number() throws(WireError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            if shift == 63 && next > 1 || next == 0 && shift > 0 { throw .badNumber }
            value |= UInt64(next & 0x7f) << shift
            if next < 0x80 { return value }
            shift += 7
        }
    }

    @inline(never) package mutating func signed() throws(WireError) -> Int64 {
        let value = try number()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A number of at most 32 bits, so that arithmetic with it cannot overflow, even if a hostile peer sent it.
    @inline(never) mutating func small() throws(WireError) -> Int {
        let value = try signed()
        guard value >= Int64(Int32.min), value <= Int64(Int32.max) else { throw .badNumber }
        return Int(value)
    }

    /// A count of at most `limit`.
    @inline(never) package mutating func count(limit: Int) throws(WireError) -> Int {
        let value = try number()
        guard value <= UInt64(limit) else { throw .tooLong }
        return Int(value)
    }

    @inline(never) private mutating func take(_ count: Int) throws(WireError) -> ArraySlice<UInt8> {
        guard count <= end - position else { throw .truncated }
        defer { position += count }
        return bytes[position..<position + count]
    }

    @inline(never) package mutating func blob() throws(WireError) -> [UInt8] { Array(try slice()) }

    @inline(never) mutating func blob(limit: Int) throws(WireError) -> [UInt8] { Array(try take(try count(limit: limit))) }

    /// A blob that is not copied. It keeps all the bytes alive.
    @inline(never) package mutating func slice() throws(WireError) -> ArraySlice<UInt8> {
        let count = try count(limit: bytes.count)
        return try take(count)
    }

    /// All bytes that are left.
    mutating func rest() -> [UInt8] {
        defer { position = end }
        return Array(bytes[position..<end])
    }

    /// Text of at most `limit` bytes, by default the longest path (PATH_MAX).
    @inline(never) package mutating func text(limit: Int = 4096) throws(WireError) -> String {
        let count = try count(limit: limit)
        guard let text = String(validating: try take(count), as: UTF8.self) else { throw .notUTF8 }
        return text
    }

    @inline(never) package mutating func id() throws(WireError) -> ObjectID {
        guard let id = ObjectID(try take(20)) else { throw .badValue }
        return id
    }

    /// A list of at most a million elements, because some take many times more bytes in memory than here.
    package mutating func list<Element: WireCodable>(
        of type: Element.Type, limit: Int = 1 << 20
    ) throws(WireError) -> [Element] {
        // Every element takes at least one byte, so a forged count ends with the bytes.
        let count = try count(limit: min(limit, end - position))
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try Element(from: &self)) }
        return elements
    }

    package mutating func optional<Value: WireCodable>(_ type: Value.Type) throws(WireError) -> Value? {
        switch try byte() {
        case 0: nil
        case 1: try Value(from: &self)
        default: throw .unknownCase
        }
    }
}
