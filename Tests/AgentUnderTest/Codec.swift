import AgentCore
import CSystem
import Model
import Wire

/// What a message for the codec holds, by its first byte.
enum Sample: UInt8 {
    case request, reply, preparation, record, journal, holder

    /// The bytes read and written again; nil if they are no such value. An agent in Embedded Swift does not write requests.
    func again(_ bytes: [UInt8]) -> [UInt8]? {
        do {
            switch self {
            case .request: return try Request(decoding: bytes).isContent ? [1] : [0]
            case .reply: return try Reply(decoding: bytes).encoded
            case .preparation: return try Preparation(decoding: bytes).encoded
            case .record: return try Record(decoding: bytes).encoded
            case .journal: return try Journal(decoding: bytes).encoded
            case .holder: return try LockHolder(decoding: bytes).encoded
            }
        } catch {
            return nil
        }
    }
}

extension Request {
    fileprivate var isContent: Bool { if case .content = self { true } else { false } }
}

/// Answers each message on standard input, framed as those of a session, until the input ends or is no message: a byte that is 1
/// if the rest of the message could be read, and then what was read, written again.
func runCodec() -> Never {
    var decoder = FrameDecoder()
    while decoder.fill({ csys_read(0, $0.baseAddress, $0.count) }) > 0 {
        do {
            while let message = try decoder.next(RelayedReply.self) {
                let bytes = message.encoded
                let again = Sample(rawValue: bytes[0]).flatMap { $0.again(Array(bytes[1...])) }
                answer([again == nil ? 0 : 1] + (again ?? []))
            }
        } catch {
            csys_exit(1)
        }
    }
    csys_exit(0)
}

private func answer(_ bytes: [UInt8]) {
    var reader = ByteReader(bytes)
    guard let message = try? RelayedReply(from: &reader) else { csys_exit(2) }
    var rest = Frame.encode(message)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { csys_write(1, $0.baseAddress, $0.count) }
        guard count > 0 else { csys_exit(3) }
        rest = rest.dropFirst(Int(count))
    }
}
