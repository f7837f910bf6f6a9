import CSystem

/// The byte stream to a server: a TCP connection, or a socket whose other end is a proxy command.
final class Socket {
    private let socket: Descriptor
    private let proxy: ProxyCommand?

    /// Connects to the host according to its settings. `deadline` limits the whole; the addresses share the connect
    /// timeout.
    init(to settings: HostSettings, interrupt: Interrupt, deadline: Deadline) throws(SSHError) {
        switch settings.route {
        case .direct:
            socket = try Self.dial(settings, interrupt: interrupt, deadline: deadline)
            proxy = nil
        case .command(let command):
            (socket, proxy) = try ProxyCommand.start(["sh", "-c", "exec \(command)"], shown: command)
        case .jump(let hosts):
            let arguments = ProxyCommand.jumpArguments(hosts, settings)
            (socket, proxy) = try ProxyCommand.start(arguments, shown: arguments.joined(separator: " "))
        }
        try check("fcntl", csys_set_nonblocking(socket.number))
    }

    /// Ends the stream first, so that the proxy command notices and exits by itself.
    deinit { hangUp() }

    var descriptor: Int32 { socket.number }

    func hangUp() { csys_shutdown(socket.number) }

    /// Waits until the stream is ready, and collects the proxy command's output meanwhile.
    func wait(
        for wanted: Readiness, interrupt: Interrupt, until deadline: Deadline, in phase: Phase
    ) throws(SSHError) {
        while true {
            let ready = try interrupt.wait(
                for: wanted, on: socket.number, asides: [proxy?.errors ?? -1], until: deadline, in: phase)
            if !ready.isEmpty { return }
            proxy?.collect()
        }
    }

    /// Whether the stream is still open, as far as the client can tell.
    var isOpen: Bool {
        var byte: UInt8 = 0
        let count = unsafe csys_peek(socket.number, &byte, 1)
        return count > 0 || count == -Int64(csys_eagain())
    }

    /// The proxy command's own explanation of why the stream ended, if there is a proxy command.
    func proxyFailure() -> SSHError? {
        guard let proxy else { return nil }
        return .proxyFailed(command: proxy.shown, printed: proxy.printedAtEnd())
    }

    private static func dial(
        _ settings: HostSettings, interrupt: Interrupt, deadline: Deadline
    ) throws(SSHError) -> Descriptor {
        let timeout = settings.connectTimeout ?? .seconds(10)
        let lookup = try Lookup(
            settings.hostName, port: settings.port, family: settings.addressFamily, interrupt: interrupt,
            deadline: min(deadline, .after(timeout)))
        var failure: SSHError?
        let end = min(deadline, .after(timeout))
        for index in 0..<lookup.count {
            do throws(SSHError) {
                // Each remaining address gets an equal share of the remaining time: a dead one does not use it up.
                return try lookup.connect(index, interrupt: interrupt, deadline: end.share(of: lookup.count - index))
            } catch {
                if error == .interrupted || deadline.hasPassed { throw error }
                // Users know the first address; failures of the others are less helpful.
                failure = failure ?? error
            }
        }
        throw failure ?? .unknownName(settings.hostName)
    }
}
