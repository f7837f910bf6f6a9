import Model

/// How messages lie in the byte stream: a big-endian 32-bit length, then the message. Before the agent's first frame
/// comes a magic, so that whatever a login prints can be skipped.
package enum Frame {
    /// The first bytes of the agent: a NUL, which no login message holds, its name, and the version of the protocol.
    package static var magic: [UInt8] { [0] + Array("deptool-agent 1\n".utf8) }

    /// The longest message, in bytes: the file list of a host with some hundred thousand files.
    package static var limit: Int { 64 << 20 }

    /// How much content goes into one message, and how much of a file the agent reads at once, in bytes. For what is larger than
    /// 128 KiB, musl has the kernel map new memory each time.
    package static var contentLimit: Int { 64 << 10 }

    package static func encode(_ message: some WireCodable) -> [UInt8] {
        var writer = ByteWriter.framed
        message.encode(to: &writer)
        return writer.finishFrame()
    }
}

/// Cuts a byte stream, fed in arbitrary pieces, into messages. Large contents pass through it at the speed of memory, which is why
/// it moves bytes with `copyMemory`: what Array has for that copies one at a time in an agent, which is compiled to be small.
package struct FrameDecoder {
    /// From `start` to `end` is what has come and was not taken yet; the rest is room.
    private var buffer: [UInt8] = []
    private var start = 0
    private var end = 0

    /// The least there is to read into, in bytes: what a pipe holds (pipe(7)).
    private static var room: Int { 64 << 10 }

    package init() {}

    /// Lets `read` put bytes behind what has come, of which it returns the number; what it returns otherwise, zero or less, is
    /// returned.
    package mutating func fill(_ read: (UnsafeMutableRawBufferPointer) -> Int64) -> Int64 {
        makeRoom(Self.room)
        let count = buffer.withUnsafeMutableBytes { read(UnsafeMutableRawBufferPointer(rebasing: $0[end...])) }
        if count > 0 { end = min(end + Int(count), buffer.count) }
        return count
    }

    package mutating func append(_ bytes: ArraySlice<UInt8>) {
        makeRoom(bytes.count)
        buffer.withUnsafeMutableBytes { buffer in
            bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: buffer[end...]).copyMemory(from: $0) }
        }
        end += bytes.count
    }

    private mutating func makeRoom(_ room: Int) {
        guard buffer.count - end < room else { return }
        let count = end - start
        if buffer.count >= 2 * (count + room) {
            buffer.withUnsafeMutableBytes { buffer in
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
            }
        } else {
            // Nothing reads beyond `end`, so the room needs no first value.
            let old = buffer
            buffer = [UInt8](unsafeUninitializedCapacity: 2 * (count + room)) { buffer, size in
                size = 2 * (count + room)
                old.withUnsafeBytes { old in
                    UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(rebasing: old[start..<end]))
                }
            }
        }
        start = 0
        end = count
    }

    /// Whether nothing of a message has come.
    package var isEmpty: Bool { start == end }

    /// The next message, nil while it is not complete.
    package mutating func next<Message: WireCodable>(_ type: Message.Type) throws(WireError) -> Message? {
        guard end - start >= 4 else { return nil }
        var length = 0
        for index in start..<start + 4 { length = length << 8 | Int(buffer[index]) }
        guard length <= Frame.limit else { throw .tooLong }
        guard end - start - 4 >= length else { return nil }
        let body = start + 4
        start = body + length
        return try Message(decoding: buffer, in: body..<start)
    }
}
