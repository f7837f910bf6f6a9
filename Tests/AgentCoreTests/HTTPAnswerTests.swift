import Foundation
import Model
import TestSupport
import Testing
import Wire

@testable import AgentCore

extension HTTPAnswer.Ending: CaseIterable {
    public static var allCases: [Self] { [.closed, .reset, .timeout] }
}

@Suite struct HTTPAnswerTests {
    private func judge(_ bytes: [UInt8], status: Int? = nil, _ ending: HTTPAnswer.Ending = .closed, pieces: [Int] = []) -> ProbeAnswer {
        var answer = HTTPAnswer(expecting: status)
        var rest = bytes[...]
        for piece in pieces + [bytes.count] {
            let taken = rest.prefix(piece)
            rest = rest.dropFirst(piece)
            // Bytes behind the count in a buffer do not matter.
            if let verdict = answer.take(Array(taken) + [13, 10, 13, 10], count: taken.count) { return verdict }
        }
        return answer.end(ending)
    }

    private func judge(_ text: String, status: Int? = nil, _ ending: HTTPAnswer.Ending = .closed) -> ProbeAnswer {
        judge(Array(text.utf8), status: status, ending)
    }

    @Test func `a status line is read strictly`() {
        for line in ["HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 200", "HTTP/1.1 299 ", "HTTP/1.1 200\r", "HTTP/1.1 200 \u{e9}"] {
            #expect(judge(line + "\r\n\r\n") == .passed)
            #expect(judge(line + "\n\n") == .passed)
        }
        for line in [
            "", " ", "HTTP/2 200 OK", "HTTP/1.2 200 OK", "http/1.1 200 OK", "HTTP/1.1 99 X", "HTTP/1.1 099 X", "HTTP/1.1 2000 X",
            "HTTP/1.1 2;0 X",
            "HTTP/1.1 -20 X", "HTTP/1.1  200 OK", "HTTP/1.1200 OK", "ICY 200 OK", " HTTP/1.1 200 OK", "HTTP/1.", "HTTP/1.1",
            "HTTP\r/1.1 200 OK", "HTTP/1.1 20\r0 OK",
        ] {
            #expect(judge(line + "\r\n\r\n") == .notHTTP(Array(line.utf8)))
        }
        #expect(judge("HTTP/1.1 999 X\r\n\r\n") == .status(999))
        let long = "HTTP/1.1 x" + String(repeating: "a", count: 100)
        #expect(judge(long + "\n") == .notHTTP(Array(long.utf8.prefix(64))))
        #expect(judge(String(long.dropFirst())) == .notHTTP(Array(long.utf8.dropFirst().prefix(64))))
        #expect(judge("HTT") == .closed(received: 3))
        #expect(judge("HTT", .timeout) == .late(received: 3))
        #expect(judge("HTX", .timeout) == .notHTTP(Array("HTX".utf8)))
    }

    @Test func `any status can be expected`() {
        #expect(judge("HTTP/1.1 404 Not Found\r\n\r\n", status: 404) == .passed)
        #expect(judge("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", status: 304) == .passed)
        #expect(judge("HTTP/1.1 101 Switching Protocols\r\n\r\n\u{1}", status: 101) == .passed)
        #expect(judge("HTTP/1.1 103 Early Hints\r\n\r\n", status: 103) == .passed)
        #expect(judge("HTTP/1.1 101 Switching Protocols\r\n\r\n") == .status(101))
        #expect(judge("HTTP/1.1 301 Moved\r\n\r\n") == .status(301))
    }

    @Test func `interim responses precede the final one`() {
        let interim = "HTTP/1.1 103 Early Hints\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(judge(interim + good) == .passed)
        #expect(judge(interim + "HTTP/1.1 500 No\r\n\r\n") == .status(500))
        #expect(judge(String(repeating: interim, count: HTTPAnswer.interimLimit) + good) == .passed)
        #expect(judge(String(repeating: interim, count: HTTPAnswer.interimLimit + 1) + good) == .status(103))
    }

    @Test func `a body ends after its Content-Length`() {
        let start = "HTTP/1.1 200 OK\r\n"
        #expect(judge(start + "content-LENGTH:2\n\nok", .timeout) == .passed)
        #expect(judge(start + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", .timeout) == .passed)
        #expect(judge(start + "Content-Length: 3\r\n\r\nok", .timeout) == .late(received: 40))
        #expect(judge(start + "Content-Length: 3\r\n\r\nok", .reset) == .cutOff(received: 2, of: 3))
        for length in [
            "", "-1", "+1", "1x", "0x1", "1,1", "1;1", "1\r\nContent-Length: 2", "x\r\nContent-Length: 2", "99999999999999999999999999",
        ] {
            #expect(judge(start + "Content-Length: \(length)\r\n\r\nok") == .malformed, "\(length)")
        }
        // Not the header of that name.
        #expect(judge(start + "X-Content-Length: x\r\n\r\nok") == .passed)
        #expect(judge(start + "X:\r\n Content-Type: x\r\n\r\nok") == .passed)
    }

    @Test func `a body ends after its last chunk`() {
        let start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: x\r\n\r\n"
        #expect(judge(start + "A;x=y\r\n0123456789\r\n0\r\n\r\n", .timeout) == .passed)
        #expect(judge(start + "a \n0123456789\n000", .closed) == .cutOff(received: 17, of: nil))
        #expect(judge(start + "a\r\n01", .reset) == .cutOff(received: 5, of: nil))
        #expect(judge(start, .closed) == .cutOff(received: 0, of: nil))
        #expect(judge(start, .timeout) == .passed)
        for size in ["x", "-1", "1g", ";", "`", "ffffffffffffffffffffffff", "7fffffffffffffff7"] {
            #expect(judge(start + size + "\r\n") == .malformed, "\(size)")
        }
        #expect(judge(start + "2\r\nokay\r\n0\r\n") == .malformed)
        // Another coding than chunks is nothing to parse.
        #expect(judge("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nx\r\n") == .passed)
        #expect(judge("HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\nx\r\n") == .passed)
    }

    @Test func `a body without a length ends with the connection`() {
        #expect(judge("HTTP/1.0 200 OK\r\n\r\nok", .closed) == .passed)
        #expect(judge("HTTP/1.0 200 OK\r\n\r\nok", .timeout) == .passed)
        #expect(judge("HTTP/1.0 200 OK\r\n\r\nok", .reset) == .cutOff(received: 2, of: nil))
    }

    @Test func `every part of a header counts towards its limit`() {
        let start = "HTTP/1.1 200 OK\r\nX: "
        let filling = String(repeating: "a", count: HTTPAnswer.headerLimit - start.utf8.count - 4)
        #expect(judge(start + filling + "\r\n\r\n") == .passed)
        #expect(judge(start + filling + "a\r\n\r\n") == .headerTooLong)
        #expect(judge("HTTP/1.1 " + String(repeating: "a", count: HTTPAnswer.headerLimit)) == .headerTooLong)
    }

    static let samples: [[UInt8]] =
        [
            good, "HTTP/1.0 200 OK\n\nok", "HTTP/1.1 204 No Content\r\nServer: nginx\r\n\r\n",
            "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno",
            "HTTP/1.1 100 Continue\r\n\r\n" + good, "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\nx",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1f\r\n0123456789012345678901234567890\r\n0\r\nX: y\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 99999999999999\r\n\r\nffffffffffff\r\nx",
            "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\nContent-Type: text/plain\r\n folded\r\n\r\nx",
        ].map { Array($0.utf8) }

    @Test func `the verdict does not depend on how bytes are split, and no bytes trap`() {
        var random = Seeded()
        for _ in 0..<20_000 {
            let bytes = random.mutated(Self.samples)
            let status = Bool.random(using: &random) ? nil : [100, 101, 200, 204, 304, 503].randomElement(using: &random)
            let pieces = (0..<Int.random(in: 0...8, using: &random)).map { _ in Int.random(in: 0...(bytes.count / 2), using: &random) }
            for ending in HTTPAnswer.Ending.allCases {
                let whole = judge(bytes, status: status, ending)
                #expect(judge(bytes, status: status, ending, pieces: pieces) == whole, "seed \(random.seed): \(bytes)")
                #expect(judge(bytes, status: status, ending, pieces: bytes.map { _ in 1 }) == whole, "seed \(random.seed): \(bytes)")
                switch whole {
                case .passed: #expect(bytes.starts(with: "HTTP/1.".utf8))
                case .notHTTP(let shown): #expect(shown.count <= HTTPAnswer.shownLimit)
                case .cutOff(let received, let length): #expect(Int64(received) < length ?? .max)
                case .unreachable, .notAccepted, .responseCode, .noRecord, .truncated, .unrelated:
                    Issue.record("seed \(random.seed): \(whole) for \(bytes)")
                default: break
                }
            }
        }
    }
}

extension Seeded {
    /// One of the samples, damaged behind its first bytes in a few places.
    mutating func mutated(_ samples: [[UInt8]], after start: Int = 0) -> [UInt8] {
        guard var bytes = samples.randomElement(using: &self) else { return [] }
        for _ in 0..<Int.random(in: 0...4, using: &self) {
            let at = Int.random(in: min(start, bytes.count)...bytes.count, using: &self)
            let end = min(bytes.count, at + Int.random(in: 1...8, using: &self))
            switch Int.random(in: 0...6, using: &self) {
            case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &self)
            case 1 where at < bytes.count: bytes[at] = [0, 10, 13, 32, 48, 58, 0x3f, 0x7f, 0xc0, 0xff].randomElement(using: &self) ?? 0
            case 2 where at < bytes.count: bytes[at] = .random(in: 0...255, using: &self)
            case 3: bytes.removeSubrange(at..<end)
            case 4: bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: min(start, bytes.count)...bytes.count, using: &self))
            case 5: bytes.removeSubrange(at...)
            default: bytes.insert(contentsOf: (samples.randomElement(using: &self) ?? []).dropFirst(start), at: at)
            }
        }
        return bytes
    }
}
