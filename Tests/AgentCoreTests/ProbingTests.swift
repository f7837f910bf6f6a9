import CSystem
import Foundation
import Model
import TestSupport
import Testing
import Wire

@testable import AgentCore

@Suite struct HTTPProbeTests {
    @Test func `a correct answer passes, and the request is plain`() throws {
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

    @Test func `an unexpected status decides, regardless of the body`() throws {
        let service = try ProbedService { visitor in
            visitor.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000\r\n\r\n")
            visitor.waitForEnd()
        }
        #expect(try service.probe() == .status(503))
        #expect(try service.probe(status: 503, timeout: .seconds(2)) == .late(received: 58))
        #expect(try ProbedService(answering: good).probe(status: 204) == .status(200))
    }

    @Test func `a service that accepts and stays silent times out`() throws {
        let service = try ProbedService { $0.waitForEnd() }
        #expect(try service.probe(timeout: .milliseconds(300)) == .late(received: 0))
    }

    @Test func `a slow trickle of bytes does not prolong an attempt`() throws {
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

    @Test func `an endless header is too long`() throws {
        let service = try ProbedService { visitor in
            visitor.send("HTTP/1.1 200 OK\r\n")
            while visitor.send(String(repeating: "X: a\r\n", count: 1000)) {}
        }
        #expect(try service.probe() == .headerTooLong)
    }

    @Test func `a connection that closes without an answer fails`() throws {
        #expect(try ProbedService(answering: "").probe() == .closed(received: 0))
        let resetting = try ProbedService { visitor in
            _ = visitor.request()
            visitor.reset()
        }
        #expect(try resetting.probe() == .closed(received: 0))
        #expect(try ProbedService(answering: "HTTP/1.1 200 OK\r\n").probe() == .closed(received: 17))
    }

    @Test func `a truncated body fails`() throws {
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

    @Test func `an endless event stream passes`() throws {
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

    @Test func `an answer that is not HTTP is shown`() throws {
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
    @Test func `a port with a listener passes, and one without is refused`() throws {
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

    @Test(.enabled(if: hasIPv6)) func `localhost stands for both loopback addresses`() throws {
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
        // The one that listens decides.
        let request = Probe.Target.http(Endpoint(address: [], port: inet.port), HTTPRequest(path: "/", host: "a"))
        #expect(try attempt(request, timeout: .milliseconds(300)) == .late(received: 0))
        #expect(listen(inet.descriptor, 1) == 0)
        #expect(try attempt(target) == .passed)
    }

    @Test(.enabled(if: hasIPv6)) func `an answer over IPv4 counts for localhost, also a wrong one`() throws {
        for (first, second) in [(good, "HTTP/1.1 503 No\r\n\r\n"), ("HTTP/1.1 503 No\r\n\r\n", good)] {
            var pair: (ProbedService, ProbedService)?
            while pair == nil {
                let inet = try ProbedService(answering: first)
                if let inet6 = try? ProbedService(AF_INET6, port: inet.port, answering: second) { pair = (inet, inet6) }
            }
            let port = try #require(pair?.0.port)
            let target = Probe.Target.http(Endpoint(address: [], port: port), HTTPRequest(path: "/", host: "a"))
            #expect(try attempt(target) == (first == good ? .passed : .status(503)))
            withExtendedLifetime(pair) {}
        }
    }

    private func withSocketPath(_ body: (AbsolutePath) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("probe-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(AbsolutePath(directory.path + "/s"))
    }

    @Test func `a Unix socket can be probed`() throws {
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
    @Test func `a Unix socket with a full backlog is tried again`() throws {
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

    @Test func `a unit is not a target for an attempt`() throws {
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
