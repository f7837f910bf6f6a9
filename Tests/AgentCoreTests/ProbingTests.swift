import CSystem
import Foundation
import Model
import TestSupport
import Testing
import Wire

@testable import AgentCore

private let loopback: [UInt8] = [127, 0, 0, 1]
private let good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

private func attempt(
    _ target: Probe.Target, timeout: Duration = .seconds(60), interruption: any Interruption = Uninterrupted()
) throws -> ProbeAnswer {
    var probe = Probe(target)
    probe.timeout = timeout
    let begun = ContinuousClock.now
    defer { #expect(ContinuousClock.now - begun < timeout + .seconds(30)) }
    return try ProbeAttempt.run(probe, system: System(), interruption: interruption)
}

private func http(_ port: UInt16, path: String = "/up", status: Int? = nil) -> Probe.Target {
    .http(Endpoint(address: loopback, port: port), HTTPRequest(path: path, host: "shop.example.com", status: status))
}

extension ProbedService {
    fileprivate func probe(
        path: String = "/up", status: Int? = nil, timeout: Duration = .seconds(60), interruption: any Interruption = Uninterrupted()
    ) throws -> ProbeAnswer {
        try attempt(http(port, path: path, status: status), timeout: timeout, interruption: interruption)
    }
}

extension ProbedNameServer {
    fileprivate func probe(timeout: Duration = .seconds(60)) throws -> ProbeAnswer { try attempt(query(port), timeout: timeout) }
}

private func query(_ port: UInt16) throws -> Probe.Target {
    .dns(Endpoint(address: loopback, port: port), name: try #require(DomainName("example.com")), type: .soa)
}

@Suite struct HTTPProbeTests {
    @Test func `a service that answers well passes, and gets a plain request`() throws {
        let service = try ProbedService { visitor in
            let isExpected =
                visitor.request()
                == "GET /up?a=b HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: deptool\r\nAccept: */*\r\nConnection: close\r\n\r\n"
            visitor.send(isExpected ? good : "HTTP/1.1 400 Bad Request\r\n\r\n")
        }
        #expect(try service.probe(path: "/up?a=b") == .passed)
    }

    @Test func `a request that does not fit into the socket's buffer arrives`() throws {
        let size = 8 << 20
        let service = try ProbedService { visitor in
            let request = visitor.request()
            visitor.send(request.utf8.count > size ? good : "HTTP/1.1 400 Bad Request\r\n\r\n")
        }
        #expect(try service.probe(path: "/" + String(repeating: "a", count: size)) == .passed)
    }

    @Test func `a service that answers and then keeps the connection passes`() throws {
        let answers = [
            good, "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ]
        for answer in answers {
            let service = try ProbedService { visitor in
                _ = visitor.request()
                visitor.send(answer)
                visitor.waitForEnd()
            }
            #expect(try service.probe() == .passed)
        }
    }

    @Test func `an unexpected status is the answer, whatever follows it`() throws {
        let service = try ProbedService { visitor in
            visitor.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000\r\n\r\n")
            visitor.waitForEnd()
        }
        #expect(try service.probe() == .status(503))
        #expect(try service.probe(status: 503, timeout: .seconds(2)) == .late(received: 58))
        #expect(try ProbedService(answering: good).probe(status: 204) == .status(200))
    }

    @Test func `a service that accepts and is silent is late`() throws {
        let service = try ProbedService { $0.waitForEnd() }
        #expect(try service.probe(timeout: .milliseconds(300)) == .late(received: 0))
    }

    @Test func `a byte now and then does not stretch an attempt`() throws {
        let service = try ProbedService { visitor in
            visitor.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            _ = visitor.request()
            repeat { visitor.send("a") } while visitor.stays(milliseconds: 20)
        }
        guard case .late(let received) = try service.probe(timeout: .milliseconds(500)) else {
            Issue.record("it is not late")
            return
        }
        #expect(received < 100_000)
    }

    @Test func `a header without an end is too long`() throws {
        let service = try ProbedService { visitor in
            visitor.send("HTTP/1.1 200 OK\r\n")
            while visitor.send(String(repeating: "X: a\r\n", count: 1000)) {}
        }
        #expect(try service.probe() == .headerTooLong)
    }

    @Test func `a connection that ends without an answer`() throws {
        #expect(try ProbedService(answering: "").probe() == .closed(received: 0))
        let resetting = try ProbedService { visitor in
            _ = visitor.request()
            visitor.reset()
        }
        #expect(try resetting.probe() == .closed(received: 0))
        #expect(try ProbedService(answering: "HTTP/1.1 200 OK\r\n").probe() == .closed(received: 17))
    }

    @Test func `a body that breaks off fails`() throws {
        let header = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
        #expect(try ProbedService(answering: header + "four").probe() == .cutOff(received: 4, of: 10))
        let resetting = try ProbedService { visitor in
            _ = visitor.request()
            visitor.reset()
            visitor.send(header + "four")
        }
        #expect(try resetting.probe() == .cutOff(received: 4, of: 10))
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n"
        #expect(try ProbedService(answering: chunked).probe() == .cutOff(received: 9, of: nil))
    }

    @Test func `a stream of events without an end passes`() throws {
        let service = try ProbedService { visitor in
            _ = visitor.request()
            visitor.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            repeat { visitor.send("9\r\ndata: a\n\n\r\n") } while visitor.stays(milliseconds: 20)
        }
        #expect(try service.probe(timeout: .seconds(2)) == .passed)
    }

    @Test func `a body is read up to a limit`() throws {
        for header in ["Content-Length: 100000000", "Transfer-Encoding: chunked", "X: y"] {
            let service = try ProbedService { visitor in
                visitor.send("HTTP/1.1 200 OK\r\n\(header)\r\n\r\n")
                while visitor.send(String(repeating: "fffff;\r\n" + String(repeating: "a", count: 0xfffff) + "\r\n", count: 2)) {}
            }
            #expect(try service.probe() == .passed)
        }
    }

    @Test func `something else than HTTP is shown`() throws {
        #expect(try ProbedService(answering: "SSH-2.0-x\r\nHTTP/1.1 200 OK\r\n\r\n").probe() == .notHTTP(Array("SSH-2.0-x".utf8)))
        // A TLS alert.
        #expect(try ProbedService(answering: [21, 3, 1, 0, 2, 2, 70]).probe() == .notHTTP([21, 3, 1, 0, 2, 2, 70]))
        let greeting = try ProbedService { visitor in
            visitor.send("J\u{0}8.0")
            visitor.waitForEnd()
        }
        #expect(try greeting.probe(timeout: .seconds(2)) == .notHTTP(Array("J\u{0}8.0".utf8)))
    }

    @Test func `an interruption ends an attempt`() throws {
        let bell = try Bell()
        let service = try ProbedService { visitor in
            _ = visitor.request()
            bell.ring()
            visitor.waitForEnd()
        }
        #expect(throws: AgentError(.cancelled)) { try service.probe(interruption: bell) }
    }
}

@Suite struct ConnectionProbeTests {
    @Test func `a port where something listens passes, one where nothing does is refused`() throws {
        let socket = try BoundSocket()
        let endpoint = Endpoint(address: loopback, port: socket.port)
        #expect(try attempt(.tcp(endpoint)) == .unreachable(code: Int(csys_econnrefused())))
        #expect(try attempt(http(socket.port)) == .unreachable(code: Int(csys_econnrefused())))
        #expect(listen(socket.descriptor, 1) == 0)
        #expect(try attempt(.tcp(endpoint)) == .passed)
    }

    @Test func `a socket that is connected to itself counts as refused`() throws {
        let socket = try BoundSocket()
        #expect(socket.connect(to: socket.port) == 0)
        #expect(csys_connect_result(socket.descriptor) == -csys_econnrefused())
    }

    @Test func `an address of an impossible length is an error`() throws {
        #expect(try attempt(.tcp(Endpoint(address: [1, 2, 3], port: 1))) == .unreachable(code: Int(csys_einval)))
    }

    #if os(Linux)
    @Test func `a full backlog accepts nothing`() throws {
        let socket = try BoundSocket()
        #expect(listen(socket.descriptor, 0) == 0)
        let waiting = (0..<4).map { _ in csys_connect_address(loopback, 4, socket.port, false) }
        defer { for descriptor in waiting { close(descriptor) } }
        #expect(try attempt(.tcp(Endpoint(address: loopback, port: socket.port)), timeout: .milliseconds(300)) == .notAccepted)
    }
    #endif

    /// Whether the machine has IPv6.
    static let hasIPv6 = (try? BoundSocket(AF_INET6)) != nil

    @Test(.enabled(if: hasIPv6)) func `localhost is either loopback address`() throws {
        // Holds the port in both families, so that no other test gets it.
        var pair: (BoundSocket, BoundSocket)?
        while pair == nil {
            let inet = try BoundSocket()
            if let inet6 = try? BoundSocket(AF_INET6, port: inet.port) { pair = (inet, inet6) }
        }
        let (inet, inet6) = try #require(pair)
        defer { withExtendedLifetime(pair) {} }
        let target = Probe.Target.tcp(Endpoint(address: [], port: inet.port))
        #expect(try attempt(target) == .unreachable(code: Int(csys_econnrefused())))
        #expect(listen(inet6.descriptor, 1) == 0)
        #expect(try attempt(target) == .passed)
        // Of the two, the one that listens has the say.
        let request = Probe.Target.http(Endpoint(address: [], port: inet.port), HTTPRequest(path: "/", host: "a"))
        #expect(try attempt(request, timeout: .milliseconds(300)) == .late(received: 0))
        #expect(listen(inet.descriptor, 1) == 0)
        #expect(try attempt(target) == .passed)
    }

    @Test(.enabled(if: hasIPv6)) func `one good answer of two from localhost is enough`() throws {
        for (first, second) in [(good, "HTTP/1.1 503 No\r\n\r\n"), ("HTTP/1.1 503 No\r\n\r\n", good), ("HTTP/1.1 503 No\r\n\r\n", "no")] {
            var pair: (ProbedService, ProbedService)?
            while pair == nil {
                let inet = try ProbedService(answering: first)
                if let inet6 = try? ProbedService(AF_INET6, port: inet.port, answering: second) { pair = (inet, inet6) }
            }
            let port = try #require(pair?.0.port)
            let target = Probe.Target.http(Endpoint(address: [], port: port), HTTPRequest(path: "/", host: "a"))
            #expect(try attempt(target) == (second == "no" ? .status(503) : .passed))
            withExtendedLifetime(pair) {}
        }
    }

    private func withSocketPath(_ body: (AbsolutePath) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("probe-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(AbsolutePath(directory.path + "/s"))
    }

    @Test func `a socket in the file system`() throws {
        try withSocketPath { path throws in
            #expect(try attempt(.unix(path)) == .unreachable(code: Int(csys_enoent)))
            let listener = csys_listen_unix(path.text)
            #expect(listener >= 0)
            #expect(try attempt(.unix(path)) == .passed)
            // The file stays, and nothing listens any more.
            close(listener)
            #expect(try attempt(.unix(path)) == .unreachable(code: Int(csys_econnrefused())))
            let long = try AbsolutePath(path.text + String(repeating: "a", count: 200))
            guard case .unreachable = try attempt(.unix(long)) else {
                Issue.record("it is too long for a socket")
                return
            }
        }
    }

    #if os(Linux)
    @Test func `a socket in the file system with a full backlog is tried again`() throws {
        try withSocketPath { path throws in
            let listener = csys_listen_unix(path.text)
            #expect(listener >= 0 && listen(listener, 0) == 0)
            var waiting: [Int32] = []
            while case let descriptor = csys_connect_unix(path.text), descriptor >= 0 { waiting.append(descriptor) }
            defer { for descriptor in waiting + [listener] { close(descriptor) } }
            #expect(try attempt(.unix(path), timeout: .milliseconds(300)) == .notAccepted)
            // The first look is the one after a refusal.
            let opener = Looker { close(csys_accept(listener)) }
            #expect(try attempt(.unix(path), interruption: opener) == .passed)
        }
    }
    #endif

    @Test func `a unit is no service`() throws {
        let unit = try #require(UnitName("a.service"))
        #expect(throws: AgentError(.protocolViolation)) { try attempt(.unit(unit)) }
    }
}

/// An interruption that a service triggers.
private final class Bell: Interruption, @unchecked Sendable {
    private(set) var descriptor: Int32 = -1
    private var end: Int32 = -1

    init() throws { try #require(csys_pipe(&descriptor, &end) == 0) }

    deinit {
        close(descriptor)
        close(end)
    }

    func ring() { _ = csys_write(end, "!", 1) }

    var reason: Problem? {
        var items = [csys_poll_item(fd: descriptor, readable: true, writable: false)]
        return csys_poll(&items, 1, 0) == 1 ? .cancelled : nil
    }
}

/// Does something once, when it is first asked for a reason.
private final class Looker: Interruption {
    private var action: (() -> Void)?

    init(_ action: @escaping () -> Void) { self.action = action }

    let descriptor: Int32 = -1

    var reason: Problem? {
        action?()
        action = nil
        return nil
    }
}

// MARK: HTTP, without a socket

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
            // What is behind the count in a buffer does not matter.
            if let verdict = answer.take(Array(taken) + [13, 10, 13, 10], count: taken.count) { return verdict }
        }
        return answer.end(ending)
    }

    private func judge(_ text: String, status: Int? = nil, _ ending: HTTPAnswer.Ending = .closed) -> ProbeAnswer {
        judge(Array(text.utf8), status: status, ending)
    }

    @Test func `a status line`() {
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

    @Test func `any status can be the expected one`() {
        #expect(judge("HTTP/1.1 404 Not Found\r\n\r\n", status: 404) == .passed)
        #expect(judge("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", status: 304) == .passed)
        #expect(judge("HTTP/1.1 101 Switching Protocols\r\n\r\n\u{1}", status: 101) == .passed)
        #expect(judge("HTTP/1.1 103 Early Hints\r\n\r\n", status: 103) == .passed)
        #expect(judge("HTTP/1.1 101 Switching Protocols\r\n\r\n") == .status(101))
        #expect(judge("HTTP/1.1 301 Moved\r\n\r\n") == .status(301))
    }

    @Test func `interim answers come before the actual one`() {
        let interim = "HTTP/1.1 103 Early Hints\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(judge(interim + good) == .passed)
        #expect(judge(interim + "HTTP/1.1 500 No\r\n\r\n") == .status(500))
        #expect(judge(String(repeating: interim, count: HTTPAnswer.interimLimit) + good) == .passed)
        #expect(judge(String(repeating: interim, count: HTTPAnswer.interimLimit + 1) + good) == .status(103))
    }

    @Test func `the length of a body`() {
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

    @Test func `the chunks of a body`() {
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

    @Test func `a body until the end of the connection`() {
        #expect(judge("HTTP/1.0 200 OK\r\n\r\nok", .closed) == .passed)
        #expect(judge("HTTP/1.0 200 OK\r\n\r\nok", .timeout) == .passed)
        #expect(judge("HTTP/1.0 200 OK\r\n\r\nok", .reset) == .cutOff(received: 2, of: nil))
    }

    @Test func `a header has a limit in all its parts`() {
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

    @Test func `the verdict does not depend on how the bytes are split, and nothing traps`() {
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
                case .cutOff(let received, let length): #expect(received < length ?? .max)
                case .unreachable, .notAccepted, .responseCode, .noRecord, .truncated, .unrelated:
                    Issue.record("seed \(random.seed): \(whole) for \(bytes)")
                default: break
                }
            }
        }
    }
}

// MARK: DNS

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

    @Test func `a server that does not`() throws {
        #expect(try probe { [respond($0, flags: 0x8183, [])] } == .responseCode(3))
        #expect(try probe { [respond($0, flags: 0x8182, [])] } == .responseCode(2))
        #expect(try probe { [respond($0, [])] } == .noRecord)
    }

    @Test func `the answer to another query is none, and the right one may follow`() throws {
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

    @Test func `a server that is silent is late`() throws {
        #expect(try probe(timeout: .milliseconds(300)) { _ in [] } == .late(received: 0))
    }

    @Test func `a port where no server is refuses`() throws {
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

    private func judge(_ bytes: [UInt8]) -> ProbeAnswer { query.judge(bytes, count: bytes.count) }
    private func judge(flags: UInt16 = 0x8180, _ answers: [Answer], count: Int? = nil) -> ProbeAnswer {
        judge(respond(query.message, flags: flags, answers, count: count))
    }

    @Test func `a query`() throws {
        #expect(
            query.message
                == [0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7] + Array("Example".utf8) + [3] + Array("com".utf8) + [0, 0, 6, 0, 1])
        let root = DNSQuery(id: 1, name: try #require(DomainName(".")), type: .caa)
        #expect(root.message == [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1])
    }

    @Test func `one record of the type is enough`() {
        #expect(judge([Answer()]) == .passed)
        let alias = Answer(type: RecordType.cname.rawValue, data: [1, 97, 0])
        #expect(judge([alias, Answer(owner: [1, 97, 0])]) == .passed)
        #expect(judge([alias]) == .noRecord)
        #expect(judge([Answer(recordClass: 3)]) == .noRecord)
        #expect(judge([Answer(data: [])]) == .passed)
        // An answer from the server's own zones, and without recursion.
        #expect(judge(flags: 0x8400, [Answer()]) == .passed)
    }

    @Test func `a question in other case is the same`() {
        var answer = respond(query.message)
        answer[13] ^= 0x20
        #expect(judge(answer) == .passed)
        answer[13] ^= 1
        #expect(judge(answer) == .unrelated)
        // Numbers have no case, even if they are letters.
        let https = DNSQuery(id: 0xabcd, name: DomainName("a")!, type: .https)
        var other = respond(https.message)
        other[https.message.count - 3] ^= 0x20
        #expect(https.judge(other, count: other.count) == .unrelated)
    }

    @Test func `what is no response to the query is unrelated`() {
        #expect(judge([]) == .unrelated)
        #expect(judge(query.message) == .unrelated)
        #expect(judge(flags: 0x0180, [Answer()]) == .unrelated)
        #expect(judge(flags: 0xa980, [Answer()]) == .unrelated)
        var noQuestion = respond(query.message)
        noQuestion[5] = 0
        #expect(judge(noQuestion) == .unrelated)
        noQuestion[5] = 2
        #expect(judge(noQuestion) == .unrelated)
    }

    @Test func `a response code counts, with the question or without it`() {
        #expect(judge(flags: 0x8185, []) == .responseCode(5))
        #expect(judge([0xab, 0xcd, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0]) == .responseCode(1))
        #expect(judge([0xab, 0xce, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0]) == .unrelated)
    }

    @Test func `an answer that ends early is malformed, unless the server says so`() {
        for flags in [0x8180, 0x8380] as [UInt16] {
            let whole = respond(query.message, flags: flags, [Answer(), Answer(owner: [3, 97, 98, 99, 0xc0, 12])])
            for count in 0..<whole.count {
                let expected: ProbeAnswer =
                    count < query.message.count
                    ? .unrelated
                    : flags == 0x8180 ? .malformed : count < query.message.count + Answer().bytes.count ? .truncated : .passed
                #expect(judge(Array(whole[..<count])) == expected)
                // The rest of the buffer does not count.
                #expect(query.judge(whole, count: count) == expected)
            }
            #expect(judge(whole) == .passed)
        }
        #expect(judge([Answer()], count: 2) == .malformed)
        #expect(judge([Answer()], count: 65535) == .malformed)
        #expect(judge(flags: 0x8380, []) == .truncated)
    }

    @Test func `a pointer leads back`() {
        let at = UInt8(query.message.count)
        for owner in [
            [0xc0, at], [0xc0, at + 2], [0xc0, 0], [0xc0, 11], [0xff, 0xff], [1, 97, 0xc0, at], [0x40], [0x80, 0], [63, 97],
            Array(repeating: [63] + [UInt8](repeating: 97, count: 63), count: 4).flatMap { $0 } + [0],
        ] as [[UInt8]] {
            #expect(judge([Answer(owner: owner)]) == .malformed, "\(owner)")
        }
        #expect(judge([Answer(owner: [1, 97, 0xc0, 20])]) == .passed)
        // The data of the first record holds names for the second: a chain, and a loop.
        let data = at + 12
        #expect(judge([Answer(data: [0xc0, 12, 0xc0, data]), Answer(owner: [0xc0, data + 2])]) == .passed)
        #expect(judge([Answer(data: [0xc0, data + 2, 0xc0, data]), Answer(owner: [0xc0, data + 2])]) == .malformed)
        // A label that reaches over the pointer to it does not move the record's end.
        let alias = Answer(type: RecordType.cname.rawValue, data: [4])
        #expect(judge([alias, Answer(owner: [0xc0, data])]) == .passed)
    }

    @Test func `no answer traps, and none passes that does not repeat the query`() {
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
            let result = judge(bytes)
            #expect(query.judge(bytes + random.bytes(20), count: bytes.count) == result, "seed \(random.seed): \(bytes)")
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
        #expect(judge([first] + others) == .passed)
        #expect(ContinuousClock.now - begun < .seconds(30))
    }
}

extension Seeded {
    /// One of the samples, damaged behind its first bytes in a few places.
    fileprivate mutating func mutated(_ samples: [[UInt8]], after start: Int = 0) -> [UInt8] {
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
