/// A FIFO queue of bytes; taken in pieces as they arrived, mostly without a copy.
struct ByteQueue {
    private var chunks: [[UInt8]] = []
    private var first = 0
    private var taken = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ chunk: [UInt8]) {
        guard !chunk.isEmpty else { return }
        chunks.append(chunk)
        count += chunk.count
    }

    /// At least one byte, unless empty, and at most `max`.
    mutating func take(_ max: Int) -> [UInt8] {
        guard first < chunks.count else { return [] }
        let chunk = chunks[first]
        let piece: [UInt8]
        if taken == 0, chunk.count <= max {
            piece = chunk
        } else {
            piece = Array(chunk[taken...].prefix(max))
        }
        taken += piece.count
        count -= piece.count
        if taken == chunk.count {
            taken = 0
            chunks[first] = []
            first += 1
            if first == chunks.count || first > 64 {
                chunks.removeSubrange(..<first)
                first = 0
            }
        }
        return piece
    }
}
