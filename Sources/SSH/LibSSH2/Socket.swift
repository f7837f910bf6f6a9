import Platform

/// The byte stream to a server: a TCP connection, or a socket whose other end is a proxy command.
final class Socket {
    private let socket: FileDescriptor
    private let proxy: ProxyCommand?

    /// Connects to the host according to its settings. `deadline` limits the whole; the addresses share the connect
    /// timeout.
    init(to settings: HostSettings, interrupt: Interrupt, deadline: Deadline) throws(SSHError) {
        switch settings.route {
        case .direct:
            socket = try Self.dial(settings, interrupt: interrupt, deadline: deadline)
            proxy = nil
        case .command(let command):
            let proxy = try ProxyCommand(["sh", "-c", "exec \(command)"], shown: command)
            socket = proxy.takeConnection()
            self.proxy = proxy
        case .jump(let hosts):
            let arguments = ProxyCommand.jumpArguments(hosts, settings)
            let proxy = try ProxyCommand(arguments, shown: arguments.joined(separator: " "))
            socket = proxy.takeConnection()
            self.proxy = proxy
        }
        try attempt("fcntl", try socket.setNonblocking())
    }

    /// Ends the stream first, so that the proxy command notices and exits by itself.
    deinit { hangUp() }

    var descriptor: Int32 { socket.number }

    func hangUp() { socket.shutdown() }

    /// Waits until the stream is ready, and collects the proxy command's output meanwhile.
    func wait(
        for wanted: PollEvents, interrupt: Interrupt, until deadline: Deadline, in phase: Phase
    ) throws(SSHError) {
        while true {
            let ready = try interrupt.wait(
                for: wanted, on: socket.number, asides: [proxy?.errors ?? -1], until: deadline, in: phase)
            if !ready.isEmpty { return }
            proxy?.collect()
        }
    }

    /// Whether the stream is still open, as far as the client can see.
    var isOpen: Bool { socket.isConnected }

    /// The proxy command's own explanation of why the stream ended, if there is a proxy command.
    func proxyFailure() -> SSHError? {
        guard let proxy else { return nil }
        return .proxyFailed(command: proxy.shown, output: proxy.printedAtEnd())
    }

    private static func dial(
        _ settings: HostSettings, interrupt: Interrupt, deadline: Deadline
    ) throws(SSHError) -> FileDescriptor {
        let timeout = settings.connectLimit
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
                // The failure of the first address is the most useful one.
                failure = failure ?? error
            }
        }
        throw failure ?? .unknownName(settings.hostName)
    }
}
