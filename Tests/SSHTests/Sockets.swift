import Foundation
import Testing

private func address(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

private func withAddress<Result>(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = address(port)
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
}

#if canImport(Glibc)
private let stream = Int32(SOCK_STREAM.rawValue)
#else
private let stream = SOCK_STREAM
#endif

func connectTo(_ port: UInt16) -> Int32? {
    let fd = socket(AF_INET, stream, 0)
    if withAddress(port, { Foundation.connect(fd, $0, $1) }) == 0 { return fd }
    close(fd)
    return nil
}

func isListening(_ port: UInt16) -> Bool { connectTo(port).map { close($0) } != nil }

func freePort() throws -> UInt16 { try Listener().port }

/// A socket on a free port of 127.0.0.1 that gives each connection to `serve`, on a thread of its own.
final class Listener {
    let port: UInt16
    private let descriptor: Int32

    init(_ serve: (@Sendable (Int32) -> Void)? = nil) throws {
        let descriptor = socket(AF_INET, stream, 0)
        self.descriptor = descriptor
        try #require(withAddress(0) { bind(descriptor, $0, $1) } == 0)
        var bound = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &bound) {
            _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        port = UInt16(bigEndian: bound.sin_port)
        guard let serve else { return }
        try #require(listen(descriptor, 16) == 0)
        Thread.detachNewThread {
            while case let accepted = accept(descriptor, nil, nil), accepted >= 0 {
                Thread.detachNewThread {
                    serve(accepted)
                    close(accepted)
                }
            }
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

/// Passes everything on to another port 20 ms later, and counts how often the client spoke after the server had, and
/// not in the same go: the round trips, without the one that TCP needs to connect.
final class Relay {
    let listener: Listener
    let trips: Counter
    var port: UInt16 { listener.port }

    final class Counter: @unchecked Sendable {
        private let lock = NSLock()
        private var count = 0
        private var isClientsTurn = true
        private var last = ContinuousClock.now - .seconds(1)

        var value: Int { lock.withLock { count } }

        func clientSpoke() {
            lock.withLock {
                // Two packets of the server may be answered by two.
                guard isClientsTurn, .now - last > .milliseconds(30) else { return }
                count += 1
                last = .now
                isClientsTurn = false
            }
        }

        func serverSpoke() { lock.withLock { isClientsTurn = true } }
    }

    init(to port: UInt16) throws {
        let trips = Counter()
        self.trips = trips
        listener = try Listener { client in
            usleep(20_000)
            guard let server = connectTo(port) else { return }
            // In flight: when it may arrive, where, and what.
            var flights: [(at: ContinuousClock.Instant, to: Int32, bytes: [UInt8])] = []
            var isOpen = true
            while isOpen {
                var items = [
                    pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: server, events: Int16(POLLIN), revents: 0),
                ]
                _ = poll(&items, 2, flights.isEmpty ? 1000 : 1)
                for (item, other) in [(items[0], server), (items[1], client)] where item.revents != 0 {
                    var bytes = [UInt8](repeating: 0, count: 65536)
                    let count = recv(item.fd, &bytes, bytes.count, 0)
                    if count <= 0 {
                        isOpen = false
                    } else {
                        if other == server { trips.clientSpoke() }
                        flights.append((.now + .milliseconds(20), other, Array(bytes.prefix(count))))
                    }
                }
                while let flight = flights.first, flight.at <= .now {
                    if flight.to == client { trips.serverSpoke() }
                    _ = send(flight.to, flight.bytes, flight.bytes.count, Int32(MSG_NOSIGNAL))
                    flights.removeFirst()
                }
            }
            close(server)
        }
    }
}
