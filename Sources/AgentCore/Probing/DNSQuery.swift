import Model
import Wire

/// A query over UDP (RFC 1035), and the verdict on the datagrams that come back.
struct DNSQuery {
    let message: [UInt8]

    private static var headerSize: Int { 12 }

    init(id: UInt16, name: DomainName, type: RecordType) {
        var writer = ByteWriter()
        writer.word(id)
        // One question. The server may ask other servers.
        writer.word(0x100)
        writer.word(1)
        for _ in 0..<3 { writer.word(0) }
        // A label has at most 63 bytes, so its length is one byte.
        for label in pieces(name.text, at: UInt8(ascii: ".")) { writer.blob(label) }
        writer.byte(0)
        writer.word(type.rawValue)
        writer.word(1)
        message = writer.bytes
    }

    /// Judges a datagram: the first bytes of a buffer.
    ///
    /// The answer passes with one record of the type, whichever name has it, because the name asked for may be an alias.
    /// `unrelated` is anything that does not answer this query; the answer may still come. Nothing is asked again over TCP: a
    /// truncated answer passes if a record of the type is in it.
    func check(_ answer: [UInt8], count: Int) -> ProbeAnswer {
        // The same id, and the response to a standard query.
        guard count >= Self.headerSize, number(answer, 0) == number(message, 0), answer[2] & 0xf8 == 0x80 else { return .unrelated }
        let code = Int(answer[3] & 0xf)
        // A server that cannot read a query repeats no question.
        if code == 0 || number(answer, 4) != 0 {
            guard number(answer, 4) == 1, count >= message.count else { return .unrelated }
            for index in Self.headerSize..<message.count where answer[index] != message[index] {
                // Case may differ in the name.
                if index >= message.count - 4 || lowercase(answer[index]) != lowercase(message[index]) { return .unrelated }
            }
        }
        if code != 0 { return .responseCode(code) }
        let isTruncated = answer[2] & 2 != 0
        var result = isTruncated ? ProbeAnswer.truncated : .noRecord
        var at = message.count
        for _ in 0..<number(answer, 6) {
            // An owner, type, class, time to live, and length of the data.
            let owner = endOfName(answer, at, count: count)
            at = owner + 10
            if at <= count { at += number(answer, owner + 8) }
            if at > count {
                if isTruncated { break }
                return .malformed
            }
            if number(answer, owner) == number(message, message.count - 4), number(answer, owner + 2) == 1 { result = .passed }
        }
        return result
    }

    /// Two bytes, at an index that is valid.
    @inline(never) private func number(_ bytes: [UInt8], _ at: Int) -> Int { Int(bytes[at]) << 8 | Int(bytes[at + 1]) }

    /// The index behind a name, or one beyond `count` if the name is invalid. Each pointer has to lead further back than the
    /// one before, so no chain of pointers is a loop.
    private func endOfName(_ bytes: [UInt8], _ start: Int, count: Int) -> Int {
        var (at, origin, length, end) = (start, start, 0, 0)
        while at < count {
            let size = Int(bytes[at])
            at += 1
            if size == 0 { return end == 0 ? at : end }
            if size >= 0xc0, at < count {
                if end == 0 { end = at + 1 }
                at = (size & 0x3f) << 8 | Int(bytes[at])
                if at < Self.headerSize || at >= origin { break }
                origin = at
            } else {
                at += size
                length += size + 1
                if size >= 0x40 || length > 254 { break }
            }
        }
        return .max - 10
    }
}

extension ByteWriter {
    /// Big-endian.
    @inline(never) fileprivate mutating func word(_ value: UInt16) {
        byte(UInt8(truncatingIfNeeded: value >> 8))
        byte(UInt8(truncatingIfNeeded: value))
    }
}
