import CSystem
import Model
import Testing
import Wire

/// The operator's end of a conversation with an agent.
final class Client {
    private let descriptor: Int32
    private var decoder = FrameDecoder()
    private var isOpen = true
    /// All replies of the agent.
    private(set) var replies: [Reply] = []

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    func close() {
        if isOpen { _ = csys_close(descriptor) }
        isOpen = false
    }

    /// Ends the agent's input, but listens still.
    func hangUp() { _ = shutdownWrite(descriptor) }

    func send(_ requests: Request...) { send(requests) }
    func send(_ requests: [Request]) { for request in requests { send(bytes: Frame.encode(request)) } }

    /// An agent that is gone does not mind.
    func send(bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { csys_send(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            rest = rest.dropFirst(Int(count))
        }
    }

    /// Waits for the magic and the greeting.
    func greet() throws -> Reply {
        var magic: [UInt8] = []
        while magic.count < Frame.magic.count {
            guard let bytes = read(upTo: Frame.magic.count - magic.count) else { throw Gone() }
            magic += bytes
        }
        #expect(magic == Frame.magic)
        guard let reply = try receive() else { throw Gone() }
        return reply
    }

    /// Reads that many bytes of whatever comes, or all there is.
    func skip(_ count: Int) {
        var rest = count
        while rest > 0, let bytes = read(upTo: rest) { rest -= bytes.count }
    }

    /// The next message; nil when the agent is gone.
    func receive() throws -> Reply? {
        while true {
            if let reply = try decoder.next(Reply.self) {
                replies.append(reply)
                return reply
            }
            guard let bytes = read(upTo: 64 << 10) else { return nil }
            decoder.append(bytes[...])
        }
    }

    private func read(upTo limit: Int) -> [UInt8]? {
        var items = [csys_poll_item(fd: descriptor, readable: true, writable: false)]
        guard csys_poll(&items, 1, 60_000) == 1 else {
            Issue.record("The agent says nothing for a minute after \(replies)")
            return nil
        }
        var buffer = [UInt8](repeating: 0, count: limit)
        let count = csys_read(descriptor, &buffer, limit)
        return count > 0 ? Array(buffer[..<Int(count)]) : nil
    }

    struct Gone: Error {}

    /// How a deploy ended.
    enum Ending: Equatable {
        case finished(Outcome)
        case busy(LockHolder)
        case stale(Record?)
        case refused(AgentError)
        case obstructed([AgentError], more: Int)
        /// The agent is gone, or has received a `ping` after all.
        case gone
    }

    /// Sends all messages of a deploy, and supplies the missing contents.
    func deploy(_ plan: Plan) throws -> Ending {
        send(.prepare(plan.preparation))
        send(plan.preparation.contents.map { .content(plan.contents[$0.id]![...]) })
        while let reply = try receive() {
            switch reply {
            case .staged(let missing) where missing.isEmpty: send(.apply)
            case .staged(let missing):
                send(.supply(missing.map { Content(id: $0, size: UInt64(plan.contents[$0]!.count)) }))
                send(missing.map { .content(plan.contents[$0]![...]) })
            case .finished(let outcome): return .finished(outcome)
            case .busy(let holder): return .busy(holder)
            case .stale(let record): return .stale(record)
            case .refused(let failure): return .refused(failure)
            case .obstructed(let failures, more: 0) where failures.count == 1: return .refused(failures[0])
            case .obstructed(let failures, let more): return .obstructed(failures, more: more)
            case .pong: return .gone
            default: continue
            }
        }
        return .gone
    }
}
