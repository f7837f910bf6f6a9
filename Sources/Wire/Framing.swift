import Model

/// The framing of messages in the byte stream: a big-endian 32-bit length, then the message. A magic precedes the
/// agent's first frame, so that the client can skip anything that a login prints.
package enum Frame {
    /// The first bytes of the agent: a NUL, which no login message contains, its name, and the protocol version.
    package static var magic: [UInt8] { [0] + "deptool-agent 1\n".bytes }

    /// The longest message, in bytes: the file list of a host with some hundred thousand files.
    package static var limit: Int { 64 << 20 }

    /// The most content in one message, and the most that the agent reads from a file at once, in bytes. Above 128 KiB,
    /// musl maps new memory from the kernel each time.
    package static var contentLimit: Int { 64 << 10 }

    package static func encode(_ message: some WireCodable) -> [UInt8] {
        var writer = ByteWriter.framed
        message.encode(to: &writer)
        return writer.finishFrame()
    }
}

/// Splits a byte stream, fed in arbitrary pieces, into messages. It has to pass large contents at memory speed, so it
/// moves bytes with `copyMemory`: in an agent, which is compiled for size, Array copies them one at a time.
package struct FrameDecoder {
    /// The bytes from `start` to `end` have arrived but are not consumed; the rest is free space.
    private var buffer: [UInt8] = []
    private var start = 0
    private var end = 0

    /// The least free space for a read, in bytes: the capacity of a pipe (pipe(7)).
    private static var room: Int { 64 << 10 }

    package init() {}

    /// Calls `read` to add bytes after those that have arrived. `read` returns their number, or zero or less for none;
    /// `fill` returns the same.
    package mutating func fill(_ read: (UnsafeMutableRawBufferPointer) -> Int64) -> Int64 {
        makeRoom(Self.room)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(UnsafeMutableRawBufferPointer(rebasing: $0[end...])) }
        if count > 0 { end = min(end + Int(count), buffer.count) }
        return count
    }

    package mutating func append(_ bytes: ArraySlice<UInt8>) {
        makeRoom(bytes.count)
        unsafe buffer.withUnsafeMutableBytes { buffer in
            unsafe bytes.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[end...]).copyMemory(from: $0) }
        }
        end += bytes.count
    }

    private mutating func makeRoom(_ room: Int) {
        guard buffer.count - end < room else { return }
        let count = end - start
        if buffer.count >= 2 * (count + room) {
            unsafe buffer.withUnsafeMutableBytes { buffer in
                unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
            }
        } else {
            // Nothing reads beyond `end`, so the free space needs no initial value.
            let old = buffer
            buffer = unsafe [UInt8](unsafeUninitializedCapacity: 2 * (count + room)) { buffer, size in
                size = 2 * (count + room)
                unsafe old.withUnsafeBytes { old in
                    unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(rebasing: old[start..<end]))
                }
            }
        }
        start = 0
        end = count
    }

    /// Whether no part of a message has arrived.
    package var isEmpty: Bool { start == end }

    /// The next message; nil if it is not complete yet.
    package mutating func next<Message: WireCodable>(_ type: Message.Type) throws(WireError) -> Message? {
        guard end - start >= 4 else { return nil }
        var length = 0
        for index in start..<start + 4 { length = length << 8 | Int(buffer[index]) }
        // The length can be negative if an Int has 32 bits.
        guard 0...Frame.limit ~= length else { throw .tooLong }
        guard end - start - 4 >= length else { return nil }
        let body = start + 4
        start = body + length
        return try Message(decoding: buffer, in: body..<start)
    }
}
