import CSystem
import Model
import Wire

/// The agent's end of a session: messages over two descriptors.
package final class ClientChannel {
    private let input: Int32
    private let output: Int32
    private var decoder = FrameDecoder()
    private var isOpen = true
    /// The time of the last input, by the monotonic clock in nanoseconds.
    private var heard = csys_monotonic_ns()

    private let timeout: Duration

    /// `timeout` limits the silence of a client during its deploy. A client sends a sign of life every ten seconds; one
    /// that does not was suspended or cut off, and must not keep the host locked.
    package init(input: Int32, output: Int32, timeout: Duration = .seconds(60)) {
        self.input = input
        self.output = output
        self.timeout = timeout
    }

    /// Starts to measure silence now.
    func expectKeepalives() { heard = csys_monotonic_ns() }

    /// The time that the client may stay silent, in milliseconds; zero if it was silent for too long.
    var remainingTimeout: Int64 {
        max(0, Int64(timeout.wholeMilliseconds) - (csys_monotonic_ns() - heard) / 1_000_000)
    }

    /// The result of a read from the other side.
    enum Arrival {
        case request(Request)
        /// Nothing yet.
        case none
        case ended
        case malformed(WireError)
    }

    var descriptor: Int32 { input }

    func send(magic: [UInt8]) { write(magic) }

    /// Sends a message, and waits if the other side is slow. A closed connection is no error here: the end of the input
    /// reveals what has to be undone.
    func send(_ reply: Reply) { write(Frame.encode(reply)) }

    func send(_ reply: RelayedReply) { write(Frame.encode(reply)) }

    private func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while isOpen, !rest.isEmpty {
            let result = unsafe rest.withUnsafeBytes { unsafe csys_write(output, $0.baseAddress, $0.count) }
            if result == -Int64(csys_eagain()) {
                var items = [csys_poll_item(fd: output, readable: false, writable: true)]
                _ = unsafe csys_poll(&items, 1, -1)
            } else if result <= 0 {
                isOpen = false
            } else {
                rest = rest.dropFirst(Int(result))
            }
        }
    }

    /// Waits for the next request during a deploy. A client that is silent for too long counts as disconnected.
    func receivePromptly() -> Arrival {
        expectKeepalives()
        while true {
            if case let arrival = take(), !arrival.isNone { return arrival }
            var items = [csys_poll_item(fd: input, readable: true, writable: false)]
            _ = unsafe csys_poll(&items, 1, remainingTimeout)
            if items[0].readable {
                if !fill() { return decoder.isEmpty ? .ended : .malformed(.truncated) }
            } else if remainingTimeout == 0 {
                return .ended
            }
        }
    }

    /// Waits for the next request.
    func receive() -> Arrival {
        while true {
            switch take() {
            case .none: if !fill() { return decoder.isEmpty ? .ended : .malformed(.truncated) }
            case let arrival: return arrival
            }
        }
    }

    /// The next request, if it has arrived or can be read without waiting.
    func poll() -> Arrival {
        while true {
            if case let arrival = take(), !arrival.isNone { return arrival }
            var items = [csys_poll_item(fd: input, readable: true, writable: false)]
            guard unsafe csys_poll(&items, 1, 0) > 0, items[0].readable else { return .none }
            if !fill() { return .ended }
        }
    }

    private func take() -> Arrival {
        do {
            guard let request = try decoder.next(Request.self) else { return .none }
            return .request(request)
        } catch {
            return .malformed(error)
        }
    }

    /// Reads more input; false at its end.
    private func fill() -> Bool {
        guard unsafe decoder.fill({ unsafe csys_read(input, $0.baseAddress, $0.count) }) > 0 else { return false }
        heard = csys_monotonic_ns()
        return true
    }
}

extension ClientChannel.Arrival {
    var isNone: Bool { if case .none = self { true } else { false } }
}
