import CSystem
import Foundation
import Model
import TestSupport
import Testing
import Wire

@testable import AgentCore

#if canImport(Glibc)
private let (stream, datagram) = (Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue))
#else
private let (stream, datagram) = (SOCK_STREAM, SOCK_DGRAM)
#endif

/// A socket that is bound to a free port of a loopback address. It refuses connections until something listens on it.
final class BoundSocket: Sendable {
    let descriptor: Int32
    let port: UInt16

    /// Fails if there is no such address, or if the port is taken.
    init(_ family: Int32 = AF_INET, port: UInt16 = 0, isDatagram: Bool = false) throws {
        descriptor = socket(family, isDatagram ? datagram : stream, 0)
        let bound = family == AF_INET ? Self.inet(port) : Self.inet6(port)
        let result = bound.withUnsafeBytes { [descriptor] in
            Foundation.bind(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        try #require(result == 0)
        var name = [UInt8](repeating: 0, count: 128)
        var size = socklen_t(name.count)
        _ = name.withUnsafeMutableBytes { [descriptor] in
            getsockname(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &size)
        }
        // At the same place in both families.
        self.port = UInt16(name[2]) << 8 | UInt16(name[3])
    }

    deinit { close(descriptor) }

    /// Wakes a thread that waits for the next connection or datagram. It keeps the socket until then, so that it never
    /// waits on a descriptor whose number another socket has got.
    func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    func connect(to port: UInt16) -> Int32 {
        Self.inet(port).withUnsafeBytes {
            Foundation.connect(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
    }

    private static func inet(_ port: UInt16) -> [UInt8] {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafeBytes(of: &address) { Array($0) }
    }

    private static func inet6(_ port: UInt16) -> [UInt8] {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        address.sin6_addr = in6addr_loopback
        return withUnsafeBytes(of: &address) { Array($0) }
    }
}

/// A service that gives each connection to `serve`, on a thread of its own.
final class ProbedService: Sendable {
    private let socket: BoundSocket
    var port: UInt16 { socket.port }

    init(_ family: Int32 = AF_INET, port: UInt16 = 0, _ serve: @escaping @Sendable (Visitor) -> Void) throws {
        socket = try BoundSocket(family, port: port)
        try #require(listen(socket.descriptor, 16) == 0)
        Thread.detachNewThread { [socket] in
            while true {
                let accepted = csys_accept(socket.descriptor)
                if accepted == -csys_eagain() { continue }
                guard accepted >= 0 else { return }
                Thread.detachNewThread {
                    serve(Visitor(descriptor: accepted))
                    close(accepted)
                }
            }
        }
    }

    deinit { socket.end() }

    /// A service that answers a request with these bytes, and closes the connection.
    convenience init(_ family: Int32 = AF_INET, port: UInt16 = 0, answering answer: [UInt8]) throws {
        try self.init(family, port: port) { visitor in
            _ = visitor.request()
            visitor.send(answer)
        }
    }

    convenience init(_ family: Int32 = AF_INET, port: UInt16 = 0, answering answer: String) throws {
        try self.init(family, port: port, answering: Array(answer.utf8))
    }
}

/// The service's end of a connection.
struct Visitor: Sendable {
    let descriptor: Int32

    /// The request up to its blank line, or to the end of the connection.
    func request() -> String {
        var bytes: [UInt8] = []
        while !bytes.reversed().starts(with: [10, 13, 10, 13]), let more = read() { bytes += more }
        return String(decoding: bytes, as: UTF8.self)
    }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { csys_send(descriptor, $0.baseAddress, $0.count) }
            if count == -Int64(csys_eagain()) {
                _ = wait(writing: true)
            } else if count < 0 {
                return false
            } else {
                rest = rest.dropFirst(Int(count))
            }
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    func waitForEnd() { while read() != nil {} }

    /// Whether the visitor is still there after this time.
    func stays(milliseconds: Int64) -> Bool { !wait(milliseconds: milliseconds) }

    /// Has the kernel send a reset instead of an orderly end.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    private func wait(writing: Bool = false, milliseconds: Int64 = 60_000) -> Bool {
        var items = [csys_poll_item(fd: descriptor, readable: !writing, writable: writing)]
        return csys_poll(&items, 1, milliseconds) == 1
    }

    private func read() -> [UInt8]? {
        guard wait() else { return nil }
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = csys_receive(descriptor, &buffer, buffer.count)
        return count > 0 ? Array(buffer[..<Int(count)]) : nil
    }
}

/// A service that answers each datagram with some others.
final class ProbedNameServer: Sendable {
    private let socket: BoundSocket
    var port: UInt16 { socket.port }

    init(_ answer: @escaping @Sendable ([UInt8]) -> [[UInt8]]) throws {
        socket = try BoundSocket(isDatagram: true)
        Thread.detachNewThread { [socket] in
            var buffer = [UInt8](repeating: 0, count: 65536)
            var sender = sockaddr_storage()
            while true {
                var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
                let count = withUnsafeMutableBytes(of: &sender) {
                    recvfrom(socket.descriptor, &buffer, buffer.count, 0, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &size)
                }
                guard count > 0 else { return }
                for datagram in answer(Array(buffer[..<count])) {
                    _ = withUnsafeBytes(of: &sender) {
                        sendto(socket.descriptor, datagram, datagram.count, 0, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), size)
                    }
                }
            }
        }
    }

    deinit { socket.end() }
}

// MARK: Asking once

let loopback: [UInt8] = [127, 0, 0, 1]
let good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func attempt(
    _ target: Probe.Target, timeout: Duration = .seconds(60), interruption: any Interruption = Uninterrupted()
) throws -> ProbeAnswer {
    var probe = Probe(target)
    probe.timeout = timeout
    let begun = ContinuousClock.now
    defer { #expect(ContinuousClock.now - begun < timeout + .seconds(30)) }
    return try ProbeAttempt.run(probe, system: System(), interruption: interruption)
}

func http(_ port: UInt16, path: String = "/up", status: Int? = nil) -> Probe.Target {
    .http(Endpoint(address: loopback, port: port), HTTPRequest(path: path, host: "shop.example.com", status: status))
}

extension ProbedService {
    func probe(
        path: String = "/up", status: Int? = nil, timeout: Duration = .seconds(60), interruption: any Interruption = Uninterrupted()
    ) throws -> ProbeAnswer {
        try attempt(http(port, path: path, status: status), timeout: timeout, interruption: interruption)
    }
}

extension ProbedNameServer {
    func probe(timeout: Duration = .seconds(60)) throws -> ProbeAnswer { try attempt(query(port), timeout: timeout) }
}

func query(_ port: UInt16) throws -> Probe.Target {
    .dns(Endpoint(address: loopback, port: port), name: try #require(DomainName("example.com")), type: .soa)
}
