import CSystem
import Model
import Wire

/// The agent's end of a conversation: messages over two descriptors.
package final class Port {
    private let input: Int32
    private let output: Int32
    private var decoder = FrameDecoder()
    private var isOpen = true
    /// When the other side said something last, by the monotonic clock in nanoseconds.
    private var heard = csys_monotonic_ns()

    private let timeout: Duration

    /// `timeout` is how long a client may say nothing while its deploy is under way. It gives a sign of life every ten
    /// seconds; one that does not was put to sleep or cut off, and must not keep the host locked.
    package init(input: Int32, output: Int32, timeout: Duration = .seconds(60)) {
        self.input = input
        self.output = output
        self.timeout = timeout
    }

    /// From now on, silence counts.
    func expectSignsOfLife() { heard = csys_monotonic_ns() }

    /// How much longer the client may say nothing, in milliseconds; zero when it was silent too long.
    var remainingPatience: Int64 {
        max(0, Int64(timeout.wholeMilliseconds) - (csys_monotonic_ns() - heard) / 1_000_000)
    }

    /// What a look at the other side gives.
    enum Arrival {
        case request(Request)
        /// Nothing yet.
        case none
        case ended
        case malformed(WireError)
    }

    var descriptor: Int32 { input }

    func send(magic: [UInt8]) { write(magic) }

    /// Sends a message, and waits as long as the other side is slow. Nobody there is no error: what has to be undone
    /// then is seen when the input ends.
    func send(_ reply: Reply) { write(Frame.encode(reply)) }

    private func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while isOpen, !rest.isEmpty {
            let result = rest.withUnsafeBytes { csys_write(output, $0.baseAddress, $0.count) }
            if result == -Int64(csys_eagain()) {
                var items = [csys_poll_item(fd: output, readable: false, writable: true)]
                _ = csys_poll(&items, 1, -1)
            } else if result <= 0 {
                isOpen = false
            } else {
                rest = rest.dropFirst(Int(result))
            }
        }
    }

    /// Waits for the next request of a deploy that is under way; a client that is silent for too long counts as gone.
    func receivePromptly() -> Arrival {
        expectSignsOfLife()
        while true {
            if case let arrival = take(), !arrival.isNone { return arrival }
            var items = [csys_poll_item(fd: input, readable: true, writable: false)]
            _ = csys_poll(&items, 1, remainingPatience)
            if items[0].readable {
                if !fill() { return decoder.isEmpty ? .ended : .malformed(.truncated) }
            } else if remainingPatience == 0 {
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

    /// The next request if it is there or can be read without waiting.
    func poll() -> Arrival {
        while true {
            if case let arrival = take(), !arrival.isNone { return arrival }
            var items = [csys_poll_item(fd: input, readable: true, writable: false)]
            guard csys_poll(&items, 1, 0) > 0, items[0].readable else { return .none }
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

    /// False when there is nothing more.
    private func fill() -> Bool {
        guard decoder.fill({ csys_read(input, $0.baseAddress, $0.count) }) > 0 else { return false }
        heard = csys_monotonic_ns()
        return true
    }
}

extension Port.Arrival {
    var isNone: Bool { if case .none = self { true } else { false } }
}
