import Testing

@testable import SSH

/// xorshift64: the same numbers for the same seed.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

@Suite struct ParsingTests {
    @Test(arguments: [UInt64(1), 2, 3])
    func `no bytes make a reader trap`(seed: UInt64) throws {
        let scratch = try Scratch()
        let key = try scratch.key("id", passphrase: "secret")
        let good = [
            Array(try scratch.read("id").utf8), Array(try scratch.read("id.pub").utf8),
            Array("@revoked |1|AAAA|AAAA a,!b*?c ssh-ed25519 AAAA x\n".utf8), Array("u@[::1]:22".utf8),
            [12, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0], [14, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        #expect(KeyFile(at: key) != nil)
        var random = Seeded(state: seed)
        for _ in 0..<300 {
            for sample in good {
                var bytes = sample
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
                }
                bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
                _ = PrivateKeyFormat(bytes)
                _ = PublicKey(line: bytes[...])
                _ = PublicKey(blob: bytes)
                _ = AgentMessages.keys(bytes)
                _ = AgentMessages.signature(bytes)
                _ = JumpHost(String(decoding: bytes, as: UTF8.self))
                var known = KnownHosts()
                known.parse(bytes, path: "")
                _ = known.types(of: "a")
            }
        }
    }

    @Test func `the agent's list of keys is parsed`() throws {
        var blob = SSHWireWriter(), answer = SSHWireWriter()
        blob.string("ssh-ed25519".utf8)
        answer.byte(12)
        answer.number(1)
        answer.string(blob.bytes)
        answer.string("me".utf8)
        let keys = try #require(AgentMessages.keys(answer.bytes))
        #expect(keys.map(\.comment) == ["me"])
        #expect(keys.map(\.key.type) == ["ssh-ed25519"])
        #expect(AgentMessages.keys([5]) == nil)
        #expect(AgentMessages.keys(Array(answer.bytes.dropLast())) == nil)
        #expect(AgentMessages.signature([5]) == nil)
    }

    @Test func `bytes leave a queue in order`() {
        var queue = ByteQueue(), random = Seeded(state: 7)
        var sent: [UInt8] = [], received: [UInt8] = []
        for _ in 0..<500 {
            let chunk = (0..<Int.random(in: 0...9, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            queue.append(chunk)
            sent += chunk
            if Bool.random(using: &random) { received += queue.take(Int.random(in: 1...12, using: &random)) }
            #expect(queue.count == sent.count - received.count)
        }
        while !queue.isEmpty { received += queue.take(5) }
        #expect(received == sent)
        #expect(queue.take(5) == [])
    }

    @Test func `deadlines of any length work`() {
        #expect(Deadline.after(.seconds(Int64.max)) == .never)
        #expect(Deadline.after(.seconds(-5)).hasPassed)
        #expect(Deadline.after(.zero).hasPassed)
        #expect(!Deadline.after(.seconds(5)).hasPassed)
        #expect(Deadline.after(.seconds(5)) < .after(.seconds(6)))
        #expect(Deadline.never.pollTimeout == -1)
        #expect(Deadline.after(.seconds(-5)).pollTimeout == 0)
    }

    @Test func `a busy server is tried again`() {
        let error = SSHError.closedEarly(printed: "Exceeded MaxStartups\r\n")
        #expect(error.isWorthRetrying)
        #expect(error.phrase == "connection closed")
        #expect(
            error.explanation(host: "web1") == """
                web1 takes no more connections for now. Its output:
                    Exceeded MaxStartups
                """)
        #expect(!SSHError.closedEarly(printed: "220 mail\n").isWorthRetrying)
        #expect(!SSHError.interrupted.isWorthRetrying)
    }
}
