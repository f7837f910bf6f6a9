import Model

/// How messages lie in the byte stream: a big-endian 32-bit length, then the message. Before the agent's first frame
/// comes a magic, so that whatever a login prints can be skipped.
public enum Frame {
    /// The first bytes of the agent: a NUL, which no login message holds, its name, and the version of the protocol.
    public static var magic: [UInt8] { [0] + Array("deptool-agent 1\n".utf8) }

    /// The longest message, in bytes: the file list of a host with some hundred thousand files.
    public static var limit: Int { 64 << 20 }

    /// How much content goes into one message.
    public static var contentLimit: Int { 128 << 10 }

    public static func encode(_ message: some WireCodable) -> [UInt8] {
        let body = message.encoded
        var frame: [UInt8] = []
        frame.reserveCapacity(body.count + 4)
        let length = UInt32(truncatingIfNeeded: body.count)
        for shift in stride(from: 24, through: 0, by: -8) { frame.append(UInt8(truncatingIfNeeded: length >> UInt32(shift))) }
        frame.append(contentsOf: body)
        return frame
    }
}

/// Cuts a byte stream, fed in arbitrary pieces, into messages.
public struct FrameDecoder {
    private var buffer: [UInt8] = []
    private var start = 0

    public init() {}

    public mutating func append(_ bytes: [UInt8]) {
        // What was consumed goes away when it is the larger part, so that a byte is moved once on average.
        if start > buffer.count / 2 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// Whether nothing of a message has come.
    public var isEmpty: Bool { start == buffer.count }

    /// The next message, nil while it is not complete.
    public mutating func next<Message: WireCodable>(_ type: Message.Type) throws(DecodingProblem) -> Message? {
        guard buffer.count - start >= 4 else { return nil }
        var length = 0
        for index in start..<start + 4 { length = length << 8 | Int(buffer[index]) }
        guard length <= Frame.limit else { throw .tooLong }
        guard buffer.count - start - 4 >= length else { return nil }
        let body = Array(buffer[start + 4..<start + 4 + length])
        start += 4 + length
        return try Message(decoding: body)
    }
}
