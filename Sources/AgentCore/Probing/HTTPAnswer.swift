import Model

/// Judges an answer in HTTP/1 (RFC 9112) as it arrives. It takes one byte after the other, so the verdict cannot depend on
/// how the network splits them.
///
/// The status decides, but a body that breaks off is a failure too, because the service died while it answered. A body with
/// a Content-Length has to arrive within the attempt, up to `bodyLimit`. Without one, a body may go on forever, as a stream
/// of events does. The attempt then passes at `bodyLimit` or at the end of its time, unless the connection breaks before.
struct HTTPAnswer: ~Copyable {
    /// In bytes, with the interim answers.
    static var headerLimit: Int { 64 << 10 }
    /// In bytes, with the framing of chunks.
    static var bodyLimit: Int { 1 << 20 }
    static var interimLimit: Int { 10 }
    /// The limit on what `notHTTP` shows, in bytes.
    static var shownLimit: Int { 64 }

    enum Ending { case closed, reset, timeout }

    private enum Part: UInt8 {
        case status, header, chunkSize
        /// A body or a chunk, of which `rest` bytes are missing.
        case chunk, body
    }

    /// The expected status; nil for any of 200 to 299.
    private let wanted: Int?
    private var part = Part.status
    /// The current line without its end. Of other lines than the first, in lowercase and without spaces.
    private var line: [UInt8] = []
    /// Whether the first line is no status line.
    private var isForeign = false
    private var received = 0
    /// The number of bytes that the header, or the body, may still take.
    private var room = headerLimit
    private var interims = 0
    private var status = 0
    /// The Content-Length; -1 if there is none, and -2 if it is invalid.
    private var length: Int64 = -1
    private var isCoded = false
    private var isChunked = false
    private var rest: Int64 = 0

    init(expecting status: Int?) { wanted = status }

    /// Takes the first bytes of a buffer, and returns the answer as soon as it is certain.
    mutating func take(_ bytes: [UInt8], count: Int) -> ProbeAnswer? {
        for index in 0..<count {
            if let answer = take(bytes[index]) { return answer }
        }
        return nil
    }

    /// The answer at the end of the connection or of the time, if there was none before.
    func end(_ ending: Ending) -> ProbeAnswer {
        let isInBody = part.rawValue >= Part.chunkSize.rawValue
        if isForeign { return notHTTP }
        // Without a length, the end of the connection is the end of the body.
        if isInBody, length < 0, ending == .timeout || ending == .closed && part == .body { return .passed }
        if ending == .timeout { return .late(received: received) }
        return isInBody ? .cutOff(received: Self.bodyLimit - room, of: length < 0 ? nil : length) : .closed(received: received)
    }

    private var notHTTP: ProbeAnswer {
        var count = min(line.count, Self.shownLimit)
        if count > 0, line[count - 1] == UInt8(ascii: "\r") { count -= 1 }
        return .notHTTP(Array(line[..<count]))
    }

    private mutating func take(_ byte: UInt8) -> ProbeAnswer? {
        received += 1
        room -= 1
        if part.rawValue >= Part.chunk.rawValue {
            rest -= 1
            if rest == 0 {
                if part == .body { return .passed }
                part = .chunkSize
            }
        } else if byte == UInt8(ascii: "\n") {
            if let answer = endLine() { return answer }
            line = []
        } else if part == .status {
            appendToStatus(byte)
            if isForeign, line.count == Self.shownLimit { return notHTTP }
        } else if byte > UInt8(ascii: " ") {
            line.append(lowercase(byte))
        }
        if room > 0 { return nil }
        return part.rawValue >= Part.chunkSize.rawValue ? .passed : .headerTooLong
    }

    private mutating func appendToStatus(_ byte: UInt8) {
        let start: StaticString = "HTTP/1.1 "
        let index = line.count
        if index < start.utf8CodeUnitCount, unsafe byte != start.utf8Start[index], index != 7 || byte != UInt8(ascii: "0") {
            isForeign = true
        }
        line.append(byte)
    }

    private mutating func endLine() -> ProbeAnswer? {
        switch part {
        case .status:
            // The reason phrase may be missing, with or without the space before it.
            if isForeign || line.count < 12 || line.count > 12 && line[12] > UInt8(ascii: " ") { return notHTTP }
            status = Int(number(from: 9, to: 12, radix: 10))
            if status < 100 { return notHTTP }
            length = -1
            isCoded = false
            isChunked = false
            part = .header
        case .header:
            if line.isEmpty { return endHeader() }
            if begins(line[...], "content-length:") {
                let number = number(from: 15, to: line.count, radix: 10)
                length = length == -1 || length == number ? number : -2
            } else if begins(line[...], "transfer-encoding:") {
                isCoded = true
                // Chunks are always the last coding.
                isChunked = begins(line[(line.count - 7)...], "chunked")
            }
        default:
            // This line ends the chunk before.
            if line.isEmpty { return nil }
            rest = number(from: 0, to: line.count, radix: 16)
            if rest <= 0 { return rest < 0 ? .malformed : .passed }
            part = .chunk
        }
        return nil
    }

    private mutating func endHeader() -> ProbeAnswer? {
        if let wanted { if status != wanted { return otherStatus() } } else if status / 100 != 2 { return otherStatus() }
        // These statuses have no body.
        if status < 200 || status == 204 || status == 304 { return .passed }
        if isCoded { length = -1 }
        if length == -2 { return .malformed }
        if length == 0 { return .passed }
        rest = length < 0 ? .max : length
        room = Self.bodyLimit
        part = isChunked ? .chunkSize : .body
        return nil
    }

    private mutating func otherStatus() -> ProbeAnswer? {
        // After an interim answer, the actual one follows; 101 ends HTTP.
        if status / 100 != 1 || status == 101 || interims == Self.interimLimit { return .status(status) }
        interims += 1
        part = .status
        return nil
    }

    /// The number in a part of the line, a hexadecimal one without extensions; -2 if it is invalid.
    private func number(from start: Int, to end: Int, radix: Int64) -> Int64 {
        var value: Int64 = 0
        var index = start
        while index < end, radix == 10 || line[index] != UInt8(ascii: ";") {
            let byte = Int64(line[index])
            let digit = byte > 96 ? byte - 87 : byte < 58 ? byte - 48 : -1
            guard digit >= 0, digit < radix, value < 1 << 48 else { return -2 }
            value = value * radix + digit
            index += 1
        }
        return index == start ? -2 : value
    }
}

/// Of ASCII.
@inline(never) func lowercase(_ byte: UInt8) -> UInt8 { 65...90 ~= byte ? byte | 32 : byte }
