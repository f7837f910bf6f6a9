import CSystem
import Model
import Wire

/// Runs transactions: in a separate process on a host, in place in tests.
package protocol Executor: AnyObject {
    /// Runs `work` while it listens on `port` for a cancellation, and forwards the reports of `work`. Returns the last
    /// reply, `finished`, without forwarding it; nil if the process that ran it died. Throws if none could be made.
    func execute(port: ClientChannel, _ work: (any Supervisor) -> Outcome) throws(AgentError) -> RelayedReply?
    /// Whether work runs in a process of its own.
    var isDetached: Bool { get }
}

/// Runs work in place, in the caller's process.
package final class InlineExecutor: Executor {
    package init() {}

    package let isDetached = false

    package func execute(port: ClientChannel, _ work: (any Supervisor) -> Outcome) throws(AgentError) -> RelayedReply? {
        RelayedReply(.finished(work(ChannelSupervisor(port: port))))
    }
}

/// Listens to the operator directly.
final class ChannelSupervisor: Supervisor {
    private let port: ClientChannel
    private var stop: Problem?
    private(set) var isConfirmed = false

    init(port: ClientChannel) { self.port = port }

    func report(_ reply: Reply) { port.send(reply) }

    var descriptor: Int32 { stop == nil ? port.descriptor : -1 }

    var reason: Problem? {
        while stop == nil {
            switch port.poll() {
            case .none: return nil
            case .request(.ping): port.send(.pong)
            case .request(.confirm): isConfirmed = true
            case .request(.cancel): stop = .cancelled
            case .request: stop = .protocolViolation
            case .ended: stop = .disconnected
            case .malformed: stop = .protocolViolation
            }
        }
        return stop
    }
}

/// Forks, so that the steps are finished or undone whatever happens to the session that requested them. The child has
/// its own session, is connected to its parent only by a socket, and shares its lock on the host.
package final class DetachedExecutor: Executor {
    package init() {}

    package let isDetached = true

    package func execute(port: ClientChannel, _ work: (any Supervisor) -> Outcome) throws(AgentError) -> RelayedReply? {
        var (ours, theirs): (Int32, Int32) = (-1, -1)
        guard unsafe csys_socketpair(&ours, &theirs) == 0 else {
            throw AgentError(.run, "agent", code: 24)  // EMFILE
        }
        let pid = csys_fork()
        if pid == 0 {
            _ = csys_close(ours)
            _ = csys_setsid()
            let supervisor = SocketSupervisor(theirs)
            supervisor.report(.finished(work(supervisor)))
            csys_exit(0)
        }
        _ = csys_close(theirs)
        guard pid > 0 else {
            _ = csys_close(ours)
            throw AgentError(.run, "agent", code: -pid)
        }
        let outcome = relay(port, ours)
        _ = csys_close(ours)
        _ = csys_wait(pid, true)
        return outcome
    }

    /// Forwards the child's reports until it has finished, and informs the child if the operator cancels or disconnects.
    private func relay(_ port: ClientChannel, _ socket: Int32) -> RelayedReply? {
        var decoder = FrameDecoder()
        var isListening = true
        port.expectKeepalives()
        while true {
            var items = [
                csys_poll_item(fd: socket, readable: true, writable: false),
                csys_poll_item(fd: isListening ? port.descriptor : -1, readable: true, writable: false),
            ]
            _ = unsafe csys_poll(&items, items.count, isListening ? port.remainingTimeout : -1)
            if items[1].readable {
                isListening = listen(port, socket)
            } else if isListening, port.remainingTimeout == 0 {
                tell(.disconnected, socket)
                isListening = false
            }
            guard items[0].readable else { continue }
            guard unsafe decoder.fill({ unsafe csys_read(socket, $0.baseAddress, $0.count) }) > 0 else { return nil }
            while let reply = try? decoder.next(RelayedReply.self) {
                if reply.isLast { return reply }
                port.send(reply)
            }
        }
    }

    private func tell(_ signal: SocketSupervisor.Signal, _ socket: Int32) {
        var byte = signal.rawValue
        _ = unsafe csys_write(socket, &byte, 1)
    }

    /// False if there is nothing more to listen for.
    private func listen(_ port: ClientChannel, _ socket: Int32) -> Bool {
        while true {
            let signal: SocketSupervisor.Signal
            switch port.poll() {
            case .none: return true
            case .request(.ping):
                port.send(.pong)
                continue
            case .request(.confirm): signal = .confirmed
            case .request(.cancel): signal = .cancelled
            case .ended: signal = .disconnected
            case .request, .malformed: signal = .violated
            }
            tell(signal, socket)
            // The client must send signs of life during a rollback, too.
            if signal == .disconnected || signal == .violated { return false }
        }
    }
}

/// The child's end.
final class SocketSupervisor: Supervisor {
    enum Signal: UInt8 {
        case cancelled = 1
        case disconnected
        case violated
        case confirmed
    }

    private let socket: Int32
    private var stop: Problem?
    private(set) var isConfirmed = false

    init(_ socket: Int32) { self.socket = socket }

    /// Never blocks for long, and ignores whether the parent is alive.
    func report(_ reply: Reply) {
        let bytes = Frame.encode(reply)
        var rest = bytes[...]
        while !rest.isEmpty {
            var items = [csys_poll_item(fd: socket, readable: false, writable: true)]
            guard unsafe csys_poll(&items, 1, 1000) > 0 else { return }
            let count = unsafe rest.withUnsafeBytes { unsafe csys_write(socket, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            rest = rest.dropFirst(Int(count))
        }
    }

    var descriptor: Int32 { stop == nil ? socket : -1 }

    var reason: Problem? {
        while stop == nil {
            var items = [csys_poll_item(fd: socket, readable: true, writable: false)]
            guard unsafe csys_poll(&items, 1, 0) > 0, items[0].readable else { return nil }
            var byte: UInt8 = 0
            // End of the socket: the parent was killed.
            guard unsafe csys_read(socket, &byte, 1) == 1, let signal = Signal(rawValue: byte) else {
                stop = .disconnected
                return stop
            }
            switch signal {
            case .confirmed: isConfirmed = true
            case .cancelled: stop = .cancelled
            case .disconnected: stop = .disconnected
            case .violated: stop = .protocolViolation
            }
        }
        return stop
    }
}
