import Foundation
import Glibc
import Synchronization

/// A TCP proxy to an SSH server that disturbs the next connection through it.
final class Proxy: Sendable {
    enum Direction: CaseIterable { case up, down }

    enum Disturbance {
        case none
        /// Closes both sides when that many bytes have gone in a direction.
        case cut(Direction, after: Int)
        /// Passes nothing on any more from there, in neither direction.
        case stall(Direction, after: Int)
        /// One byte at a time.
        case drip
    }

    private struct State {
        var next = Disturbance.none
        /// Of the last connection, where each piece that arrived ended, per direction.
        var boundaries: [Direction: [Int]] = [:]
        var sockets: [Int32] = []
    }

    let port: UInt16
    private let listener: Int32
    private let state = Mutex(State())

    init(to address: String) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var own = socketAddress("127.0.0.1", 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withSocketAddress(&own) { bind(listener, $0, length) == 0 && getsockname(listener, $0, &length) == 0 }
        guard isBound, listen(listener, 16) == 0 else { throw POSIXError(.EADDRINUSE) }
        self.listener = listener
        port = UInt16(bigEndian: own.sin_port)
        Thread.detachNewThread { [weak self] in
            while case let client = accept(listener, nil, nil), client >= 0 {
                guard let self else { break }
                self.serve(client, address)
            }
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    /// The fate of the next connection; later ones pass undisturbed.
    func disturb(_ disturbance: Disturbance) { state.withLock { $0.next = disturbance } }

    /// Where the pieces of the last connection ended, in bytes from its beginning.
    func boundaries(_ direction: Direction) -> [Int] { state.withLock { $0.boundaries[direction] ?? [] } }

    /// Ends all connections.
    func hangUp() {
        state.withLock { state in
            for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
            state.sockets = []
        }
    }

    private func serve(_ client: Int32, _ address: String) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var target = socketAddress(address, 22)
        guard withSocketAddress(&target, { connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }) == 0 else {
            close(client)
            close(server)
            return
        }
        var on: Int32 = 1
        for socket in [client, server] { setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size)) }
        let disturbance = state.withLock { state in
            defer { state.next = .none }
            state.boundaries = [:]
            state.sockets += [client, server]
            return state.next
        }
        let connection = Connection(disturbance)
        for (direction, from, to) in [(Direction.up, client, server), (.down, server, client)] {
            Thread.detachNewThread { self.pump(connection, direction, from, to) }
        }
    }

    /// State shared by both directions of a connection.
    private final class Connection: Sendable {
        let disturbance: Disturbance
        let isStalled = Atomic(false)

        init(_ disturbance: Disturbance) { self.disturbance = disturbance }
    }

    private func pump(_ connection: Connection, _ direction: Direction, _ from: Int32, _ to: Int32) {
        var passed = 0
        var limit = Int.max
        if case .cut(direction, let offset) = connection.disturbance { limit = offset }
        if case .stall(direction, let offset) = connection.disturbance { limit = offset }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while passed < limit, case let count = read(from, &buffer, buffer.count), count > 0 {
            if connection.isStalled.load(ordering: .relaxed) { continue }
            var rest = buffer[..<min(count, limit - passed)]
            while let first = rest.first {
                if case .drip = connection.disturbance {
                    guard write(to, [first], 1) == 1 else { break }
                    rest = rest.dropFirst()
                } else {
                    let sent = rest.withUnsafeBytes { write(to, $0.baseAddress, $0.count) }
                    guard sent > 0 else { break }
                    rest = rest.dropFirst(sent)
                }
            }
            passed += min(count, limit - passed)
            state.withLock { $0.boundaries[direction, default: []].append(passed) }
        }
        if case .stall = connection.disturbance, passed == limit {
            connection.isStalled.store(true, ordering: .relaxed)
            while read(from, &buffer, buffer.count) > 0 {}
        }
        for socket in [from, to] { shutdown(socket, Int32(SHUT_RDWR)) }
    }
}

private func socketAddress(_ address: String, _ port: UInt16) -> sockaddr_in {
    var result = sockaddr_in()
    result.sin_family = sa_family_t(AF_INET)
    result.sin_port = port.bigEndian
    inet_pton(AF_INET, address, &result.sin_addr)
    return result
}

private func withSocketAddress<Result>(_ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> Result) -> Result {
    withUnsafeMutablePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
}
