import Model
import Testing
import Wire

@testable import TestSupport

@Suite struct CodingTests {
    private func roundTrip<Message: WireCodable & Equatable>(
        _ count: Int, _ make: (inout Seeded) -> Message
    ) throws {
        var random = Seeded()
        for _ in 0..<count {
            let message = make(&random)
            let bytes = message.encoded
            #expect(try Message(decoding: bytes) == message, "seed \(random.seed)")
            #expect(try Message(decoding: bytes).encoded == bytes, "seed \(random.seed)")
        }
    }

    @Test func `the last tag of a kind keeps its number, and so do all before it`() {
        #expect(Request.probe([]).encoded == [13, 0])
        #expect(Reply.answer(.passed).encoded.first == 21)
        #expect(Step(nil, .confirm(within: .zero, because: .program)).encoded == [0, 29, 0])
    }

    @Test func `requests survive encoding and decoding`() throws { try roundTrip(3000) { $0.request() } }
    @Test func `replies survive encoding and decoding`() throws { try roundTrip(3000) { $0.reply() } }
    @Test func `records survive encoding and decoding`() throws { try roundTrip(1000) { $0.record() } }
    @Test func `holders survive encoding and decoding`() throws {
        try roundTrip(100) { LockHolder(name: $0.text(), since: Int64($0.number())) }
    }

    /// Bytes that are no message are refused; if they are one, it is written as it was read: there is one form.
    private func judge<Message: WireCodable & Equatable>(
        _ type: Message.Type, _ bytes: [UInt8], _ random: Seeded
    ) -> Bool {
        guard let message = try? Message(decoding: bytes) else { return false }
        #expect(message.encoded == bytes, "seed \(random.seed)")
        return true
    }

    private func damage<Message: WireCodable & Equatable>(_ count: Int, _ make: (inout Seeded) -> Message) {
        var random = Seeded()
        for _ in 0..<count {
            let bytes = make(&random).encoded
            for length in bytes.indices {
                #expect(!judge(Message.self, Array(bytes[..<length]), random), "cut to \(length), seed \(random.seed)")
            }
            #expect(throws: WireError.self, "seed \(random.seed)") { try Message(decoding: bytes + [0]) }
            for index in bytes.indices {
                var changed = bytes
                changed[index] ^= UInt8.random(in: 1...255, using: &random)
                _ = judge(Message.self, changed, random)
                changed[index] = 0xff
                _ = judge(Message.self, changed, random)
            }
        }
    }

    @Test func `damaged requests are refused or read, never a trap`() { damage(60) { $0.request() } }
    @Test func `damaged replies are refused or read, never a trap`() { damage(60) { $0.reply() } }

    @Test func `noise is refused or read, never a trap`() {
        var random = Seeded()
        for _ in 0..<20_000 {
            var bytes = random.bytes(random.int(0...40))
            // Mostly a known tag, so that the bytes behind it are decoded.
            if !bytes.isEmpty, random.bool() { bytes[0] %= 13 }
            _ = judge(Request.self, bytes, random)
            _ = judge(Reply.self, bytes, random)
            _ = judge(Record.self, bytes, random)
        }
    }

    @Test(arguments: [
        ([UInt8](repeating: 0x80, count: 9) + [0x02], WireError.badNumber),  // 65 bits
        ([UInt8](repeating: 0xff, count: 10), .badNumber),
        ([0x80, 0x00], .badNumber),  // zero, but longer
        ([0x80], .truncated),
        ([], .truncated),
    ])
    func `a number has one form and 64 bits`(bytes: [UInt8], problem: WireError) {
        var reader = ByteReader(bytes)
        #expect(throws: problem) { try reader.number() }
    }

    @Test func `numbers survive encoding and decoding`() throws {
        var values: [UInt64] = [0, .max]
        for shift in 0..<64 as Range<UInt64> { values += [1 << shift, 1 << shift &- 1, 1 << shift | 1] }
        for value in values {
            var writer = ByteWriter()
            writer.number(value)
            writer.signed(Int64(bitPattern: value))
            var reader = ByteReader(writer.bytes)
            #expect(try reader.number() == value)
            #expect(try reader.signed() == Int64(bitPattern: value))
            #expect(reader.isAtEnd)
        }
    }

    /// The size of a host's data is used in sums.
    @Test func `numbers of a failure stay within 32 bits`() throws {
        let unit = try #require(UnitName("a.service"))
        func failures(_ number: Int) -> [Problem] {
            [
                .system(operation: "", path: "", code: number), .command(arguments: [], status: number, output: ""),
                .timeout(arguments: [], seconds: number), .notConfirmed(seconds: number),
                .unit(unit, .failed(result: "", status: number), journal: ""), .unit(unit, .exited(status: number), journal: ""),
                .unit(unit, .restarting(times: number), journal: ""), .unit(unit, .tooSlow(state: "", seconds: number), journal: ""),
            ]
        }
        for (far, near) in [(Int.max, Int32.max), (Int(Int32.max) + 1, .max), (.min, .min), (Int(Int32.min) - 1, .min)] {
            for (sent, received) in zip(failures(far), failures(Int(near))) {
                #expect(try Problem(decoding: sent.encoded) == received)
                // By a malicious host.
                var (honest, hostile) = (ByteWriter(), ByteWriter())
                honest.signed(Int64(near))
                hostile.signed(Int64(far))
                let place = try #require(sent.encoded.firstRange(of: honest.bytes))
                let bytes = Array(sent.encoded[..<place.lowerBound]) + hostile.bytes + Array(sent.encoded[place.upperBound...])
                #expect(throws: WireError.badNumber) { try Problem(decoding: bytes) }
            }
        }
    }

    @Test func `text, lists and contents have their limits`() throws {
        let long = String(repeating: "x", count: 4097), longer = String(repeating: "x", count: 16 << 10 + 1)
        let failure = AgentError(.cancelled)
        let refused: [Reply] = [
            .refused(AgentError(.corrupt(path: long))), .busy(LockHolder(name: long, since: 0)),
            .log(Array(repeating: 0, count: 1 << 20 + 1)),
            .refused(AgentError(.command(arguments: ["x"], status: 1, output: longer))),
            .content(Array(repeating: 0, count: Frame.contentLimit + 1)),
            .refused(AgentError(.command(arguments: [long], status: 1, output: ""))), .report(Array(repeating: 0, count: 4 << 20 + 1)),
        ]
        for reply in refused { #expect(throws: WireError.tooLong) { try Reply(decoding: reply.encoded) } }
        // An honest agent limits what it sends.
        let broken = Outcome.broken(failure, undoing: Array(repeating: failure, count: 5000), .files)
        #expect(try Outcome(decoding: broken.encoded) == .broken(failure, undoing: Array(repeating: failure, count: 100), .files))
        let command = Problem.command(arguments: Array(repeating: "a.service", count: 3000), status: 1, output: "")
        #expect(
            try Problem(decoding: command.encoded) == .command(arguments: Array(repeating: "a.service", count: 100), status: 1, output: ""))
    }

    @Test(arguments: [1 << 7, 1 << 20, 1 << 31, 1 << 40, UInt64.max] as [UInt64])
    func `a false length is not believed`(length: UInt64) {
        var writer = ByteWriter()
        writer.number(length)
        let lie = writer.bytes + [1, 2, 3]
        for tag in [1, 2, 6] as [UInt8] {
            #expect(throws: WireError.self) { try Request(decoding: [tag] + lie) }
        }
        for tag in [2, 11] as [UInt8] {
            #expect(throws: WireError.self) { try Reply(decoding: [tag] + lie) }
        }
        var reader = ByteReader(lie)
        #expect(throws: WireError.self) { try reader.text() }
    }

    /// The smallest elements make the most of the bytes: two of them are a step.
    @Test func `a message of many small values is refused before it fills the memory`() throws {
        var random = Seeded()
        var preparation = random.preparation()
        preparation.steps = []
        var bytes = Request.prepare(preparation).encoded
        bytes.removeLast(2)  // the count of steps, and what follows them
        let count = 3 << 20
        var writer = ByteWriter()
        writer.number(UInt64(count))
        bytes += writer.bytes
        for _ in 0..<count { bytes += [0, 5] }
        var problem: WireError?
        do { _ = try Request(decoding: bytes) } catch { problem = error }
        #expect(problem == .tooLong)
    }

    @Test func `text is UTF-8`() {
        for bad in [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]] as [[UInt8]] {
            var reader = ByteReader([UInt8(bad.count)] + bad)
            #expect(throws: WireError.notUTF8) { try reader.text() }
        }
    }

    @Test(arguments: ["", "..", "a//b", "a\n"])
    func `an invalid path is not decoded`(text: String) {
        for text in [text, "/" + text] {
            var writer = ByteWriter()
            writer.text(text)
            #expect(throws: WireError.badValue) { try RelativePath(decoding: writer.bytes) }
            #expect(throws: WireError.badValue) { try AbsolutePath(decoding: writer.bytes) }
        }
    }

    @Test(arguments: ["", "..", "a/b", "-a", ".a", "a\n", "current/.."])
    func `an invalid app name is not decoded`(text: String) {
        var writer = ByteWriter()
        writer.text(text)
        #expect(throws: WireError.badValue) { try AppName(decoding: writer.bytes) }
        #expect(throws: WireError.badValue) { try UnitName(decoding: writer.bytes) }
    }
}

@Suite struct FramingTests {
    @Test func `messages fed in random pieces come out whole and in order`() throws {
        var random = Seeded()
        for _ in 0..<100 {
            let messages = random.list(upTo: 20) { $0.request() }
            var stream = messages.flatMap { Frame.encode($0) }[...]
            var decoder = FrameDecoder()
            var received: [Request] = []
            while !stream.isEmpty {
                let piece = stream.prefix(random.int(0...50))
                stream = stream.dropFirst(piece.count)
                decoder.append(piece)
                while let message = try decoder.next(Request.self) { received.append(message) }
            }
            #expect(received == messages, "seed \(random.seed)")
            #expect(decoder.isEmpty)
        }
    }

    @Test func `one byte at a time is enough`() throws {
        var decoder = FrameDecoder()
        let stream = Frame.encode(Request.content([1, 2, 3][...])) + Frame.encode(Request.apply)
        var received: [Request] = []
        for (index, byte) in stream.enumerated() {
            decoder.append([byte][...])
            if let message = try decoder.next(Request.self) { received.append(message) }
            #expect(decoder.isEmpty == [8, 13].contains(index))
        }
        #expect(received == [.content([1, 2, 3]), .apply])
    }

    @Test func `a frame that would be too long is refused by its first four bytes`() {
        var decoder = FrameDecoder()
        decoder.append([0x04, 0, 0, 0][...])  // the limit itself: wait
        #expect(throws: Never.self) { try decoder.next(Request.self) }
        var other = FrameDecoder()
        other.append([0x04, 0, 0, 1])
        #expect(throws: WireError.tooLong) { try other.next(Request.self) }
    }

    @Test func `an empty frame is no message`() {
        var decoder = FrameDecoder()
        decoder.append([0, 0, 0, 0][...])
        #expect(throws: WireError.truncated) { try decoder.next(Request.self) }
    }

    @Test func `a frame with bytes after its message is refused`() {
        var decoder = FrameDecoder()
        decoder.append([0, 0, 0, 2, 3, 3][...])
        #expect(throws: WireError.trailingBytes) { try decoder.next(Request.self) }
    }

    @Test func `the decoder keeps little of the data it returned`() throws {
        var decoder = FrameDecoder()
        let frame = Frame.encode(Request.content([UInt8](repeating: 7, count: 1000)[...]))
        for _ in 0..<100_000 {
            decoder.append(frame[...])
            #expect(try decoder.next(Request.self) != nil)
        }
        #expect(decoder.isEmpty)
    }
}
