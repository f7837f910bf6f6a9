import CSystem
import Foundation
import Model
import TestSupport
import Testing
import Wire

@testable import AgentCore

private struct Answer {
    var owner: [UInt8] = [0xc0, 12]
    var type = RecordType.soa.rawValue
    var recordClass: UInt16 = 1
    var data: [UInt8] = [1, 2, 3, 4]

    var bytes: [UInt8] { owner + word(type) + word(recordClass) + [0, 0, 14, 16] + word(UInt16(data.count)) + data }
}

private func word(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

/// A response of a recursive server.
private func respond(_ query: [UInt8], flags: UInt16 = 0x8180, _ answers: [Answer] = [Answer()], count: Int? = nil) -> [UInt8] {
    query[..<2] + word(flags) + word(1) + word(UInt16(count ?? answers.count)) + [0, 0, 0, 0] + query[12...] + answers.flatMap(\.bytes)
}

@Suite struct DNSProbeTests {
    private func probe(
        timeout: Duration = .seconds(60), _ answer: @escaping @Sendable ([UInt8]) -> [[UInt8]]
    ) throws -> ProbeAnswer { try ProbedNameServer(answer).probe(timeout: timeout) }

    @Test func `a server that knows the name passes`() throws {
        #expect(try probe { [respond($0)] } == .passed)
    }

    @Test func `a server that does not know the name fails`() throws {
        #expect(try probe { [respond($0, flags: 0x8183, [])] } == .responseCode(3))
        #expect(try probe { [respond($0, flags: 0x8182, [])] } == .responseCode(2))
        #expect(try probe { [respond($0, [])] } == .noRecord)
    }

    @Test func `the answer to another query is ignored, and the right one may follow`() throws {
        #expect(try probe { [[$0[0] ^ 1] + respond($0).dropFirst(), [], $0, respond($0)] } == .passed)
        #expect(try probe(timeout: .seconds(2)) { [[$0[0] ^ 1] + respond($0).dropFirst()] } == .unrelated)
        #expect(try probe(timeout: .seconds(2)) { _ in [Array("not a name server".utf8)] } == .unrelated)
    }

    @Test func `each attempt has an id of its own`() throws {
        let ids = Locked<Set<[UInt8]>>([])
        let server = try ProbedNameServer { query in
            ids.change { $0.insert(Array(query[..<2])) }
            return [respond(query)]
        }
        for _ in 0..<20 { #expect(try server.probe() == .passed) }
        #expect(ids.value.count > 10)
    }

    @Test func `a silent server times out`() throws {
        #expect(try probe(timeout: .milliseconds(300)) { _ in [] } == .late(received: 0))
    }

    @Test func `a port without a server refuses`() throws {
        // It takes datagrams only from another port, so the kernel refuses those of a probe.
        let (socket, other) = (try BoundSocket(isDatagram: true), try BoundSocket(isDatagram: true))
        #expect(socket.connect(to: other.port) == 0)
        #expect(try attempt(query(socket.port)) == .unreachable(code: Int(csys_econnrefused())))
    }
}

/// A value that threads share.
private final class Locked<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var stored: Value

    init(_ value: Value) { stored = value }

    var value: Value { lock.withLock { stored } }
    func change(_ body: (inout Value) -> Void) { lock.withLock { body(&stored) } }
}

@Suite struct DNSQueryTests {
    private let query = DNSQuery(id: 0xabcd, name: DomainName("Example.com")!, type: .soa)

    private func check(_ bytes: [UInt8]) -> ProbeAnswer { query.check(bytes, count: bytes.count) }
    private func check(flags: UInt16 = 0x8180, _ answers: [Answer], count: Int? = nil) -> ProbeAnswer {
        check(respond(query.message, flags: flags, answers, count: count))
    }

    @Test func `a query has the form of RFC 1035`() throws {
        #expect(
            query.message
                == [0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7] + Array("Example".utf8) + [3] + Array("com".utf8) + [0, 0, 6, 0, 1])
        let root = DNSQuery(id: 1, name: try #require(DomainName(".")), type: .caa)
        #expect(root.message == [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1])
    }

    @Test func `one record of the type is enough`() {
        #expect(check([Answer()]) == .passed)
        let alias = Answer(type: RecordType.cname.rawValue, data: [1, 97, 0])
        #expect(check([alias, Answer(owner: [1, 97, 0])]) == .passed)
        #expect(check([alias]) == .noRecord)
        #expect(check([Answer(recordClass: 3)]) == .noRecord)
        #expect(check([Answer(data: [])]) == .passed)
        // An answer from the server's own zones, and without recursion.
        #expect(check(flags: 0x8400, [Answer()]) == .passed)
    }

    @Test func `a question matches in any case`() {
        var answer = respond(query.message)
        answer[13] ^= 0x20
        #expect(check(answer) == .passed)
        answer[13] ^= 1
        #expect(check(answer) == .unrelated)
        // Numbers have no case, even if they are letters.
        let https = DNSQuery(id: 0xabcd, name: DomainName("a")!, type: .https)
        var other = respond(https.message)
        other[https.message.count - 3] ^= 0x20
        #expect(https.check(other, count: other.count) == .unrelated)
    }

    @Test func `a message that does not answer the query is unrelated`() {
        #expect(check([]) == .unrelated)
        #expect(check(query.message) == .unrelated)
        #expect(check(flags: 0x0180, [Answer()]) == .unrelated)
        #expect(check(flags: 0xa980, [Answer()]) == .unrelated)
        var noQuestion = respond(query.message)
        noQuestion[5] = 0
        #expect(check(noQuestion) == .unrelated)
        noQuestion[5] = 2
        #expect(check(noQuestion) == .unrelated)
    }

    @Test func `a response code counts, with the question or without it`() {
        #expect(check(flags: 0x8185, []) == .responseCode(5))
        #expect(check([0xab, 0xcd, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0]) == .responseCode(1))
        #expect(check([0xab, 0xce, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0]) == .unrelated)
    }

    @Test func `a cut answer is malformed, unless its TC bit is set`() {
        for flags in [0x8180, 0x8380] as [UInt16] {
            let whole = respond(query.message, flags: flags, [Answer(), Answer(owner: [3, 97, 98, 99, 0xc0, 12])])
            for count in 0..<whole.count {
                let expected: ProbeAnswer =
                    count < query.message.count
                    ? .unrelated
                    : flags == 0x8180 ? .malformed : count < query.message.count + Answer().bytes.count ? .truncated : .passed
                #expect(check(Array(whole[..<count])) == expected)
                // The rest of the buffer does not count.
                #expect(query.check(whole, count: count) == expected)
            }
            #expect(check(whole) == .passed)
        }
        #expect(check([Answer()], count: 2) == .malformed)
        #expect(check([Answer()], count: 65535) == .malformed)
        #expect(check(flags: 0x8380, []) == .truncated)
    }

    @Test func `a compression pointer leads only backwards`() {
        let at = UInt8(query.message.count)
        for owner in [
            [0xc0, at], [0xc0, at + 2], [0xc0, 0], [0xc0, 11], [0xff, 0xff], [1, 97, 0xc0, at], [0x40], [0x80, 0], [63, 97],
            Array(repeating: [63] + [UInt8](repeating: 97, count: 63), count: 4).flatMap { $0 } + [0],
        ] as [[UInt8]] {
            #expect(check([Answer(owner: owner)]) == .malformed, "\(owner)")
        }
        #expect(check([Answer(owner: [1, 97, 0xc0, 20])]) == .passed)
        // The data of the first record holds names for the second: a chain, and a loop.
        let data = at + 12
        #expect(check([Answer(data: [0xc0, 12, 0xc0, data]), Answer(owner: [0xc0, data + 2])]) == .passed)
        #expect(check([Answer(data: [0xc0, data + 2, 0xc0, data]), Answer(owner: [0xc0, data + 2])]) == .malformed)
        // A label that reaches over the pointer to it does not move the record's end.
        let alias = Answer(type: RecordType.cname.rawValue, data: [4])
        #expect(check([alias, Answer(owner: [0xc0, data])]) == .passed)
    }

    @Test func `no answer traps, and none passes without repeating the query`() {
        var random = Seeded()
        let alias = Answer(type: RecordType.cname.rawValue, data: [3, 119, 119, 119, 0xc0, 12])
        let samples = [
            respond(query.message), respond(query.message, [alias, Answer(owner: [0xc0, 41])]), respond(query.message, flags: 0x8380, []),
            respond(query.message, flags: 0x8183, []), respond(query.message, [Answer(owner: [1, 97, 1, 98, 0xc0, 12]), alias, alias]),
            query.message,
        ]
        for _ in 0..<100_000 {
            // Past the header, most of the time: an answer to something else is soon recognized.
            let bytes = random.mutated(samples, after: Int.random(in: 0...3, using: &random) == 0 ? 0 : query.message.count)
            let result = check(bytes)
            #expect(query.check(bytes + random.bytes(20), count: bytes.count) == result, "seed \(random.seed): \(bytes)")
            switch result {
            case .passed: #expect(bytes.starts(with: [0xab, 0xcd]) && bytes.count > query.message.count)
            case .responseCode(let code): #expect(1...15 ~= code)
            case .noRecord, .truncated, .malformed, .unrelated: break
            default: Issue.record("seed \(random.seed): \(result) for \(bytes)")
            }
        }
    }

    @Test func `the longest chains take no time`() {
        // Owners that walk 127 labels or as many pointers, as often as 64 KB allow.
        let labels = [UInt8](repeating: 0, count: 0) + Array(repeating: [1, 97] as [UInt8], count: 127).flatMap { $0 }
        let first = Answer(owner: labels + [0], data: [])
        let start = UInt16(query.message.count)
        let others = Array(repeating: Answer(owner: word(0xc000 | start), data: []), count: 5000)
        let begun = ContinuousClock.now
        #expect(check([first] + others) == .passed)
        #expect(ContinuousClock.now - begun < .seconds(30))
    }
}
