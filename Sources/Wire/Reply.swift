import Model

/// A reply of the agent.
package indirect enum Reply: Hashable, Sendable {
    /// The first message of every session.
    case hello(Hello)
    case locked
    /// Comes before `locked`. Gives the size that the host already has of each large content, from an interrupted
    /// transfer or from the version before. The client sends the rest.
    case resumed([Content])
    /// All announced contents are on disk, and so is everything else but `missing`. If that is empty, the host is ready to apply.
    case staged(missing: [ObjectID])
    /// Another deploy holds the lock; nothing was done.
    case busy(LockHolder)
    /// The host runs a different commit than expected; nothing was done.
    case stale(Record?)
    /// All obstacles to the deploy, at most `AgentError.maximumTold`, and the number of further ones; nothing was done.
    case obstructed([AgentError], more: Int)
    /// The step with this index began.
    case began(step: Int)
    /// A unit needs time; sent every second.
    case waiting(Waiting)
    /// A service has not answered the probe that began as it should; sent every second, with the last answer.
    case unanswered(ProbeAnswer, elapsed: Int, limit: Int)
    /// The answer to a probe of `probe`, one for each, in order.
    case answer(ProbeAnswer)
    /// The result of the test that began: the program's exit status, and at most `testLimit` bytes of its output.
    case tested(status: Int, output: [UInt8])
    /// A step failed with this error; the agent is rolling back.
    case undoing(AgentError)
    case finished(Outcome)
    /// The agent could not carry out the request; nothing was changed.
    case refused(AgentError)
    case record(Record?)
    /// The answer to `fetch` and `read`, one for each id or path, in order: the size, followed by the bytes. Nil if the
    /// file differs from the record or cannot be read.
    case file(size: UInt64?)
    case content([UInt8])
    /// Differences from the record, sent as the agent finds them. An empty list ends them.
    case drift([Drift])
    /// The newest lines of the host's log, unchanged; the oldest may be cut. Empty if nothing was ever deployed.
    case log([UInt8])
    /// The state of the host, in parts that end in a NUL, except the last: all of `ReportPart`.
    case report([UInt8])
    case pong

    package static var testLimit: Int { 64 << 10 }
}

/// The parts of a report, in order. An empty one is unavailable.
package enum ReportPart: Int, CaseIterable, Sendable {
    /// `/proc/loadavg`, `/proc/meminfo` and `/proc/uptime`.
    case load, memory, uptime
    /// Total and available bytes of the file systems of `/` and `/var`.
    case root, `var`
    /// `yes` if a reboot is required.
    case needsReboot
    /// The agent's file name.
    case agent
    /// The record's apps and units, two words a line.
    case units
    /// The output of `systemctl show` for those units: ActiveState, SubState, StateChangeTimestampMonotonic.
    case states
    /// The failed units, the first word of each line.
    case failed
}

/// A reply as one process of the agent passes it on for another, unread.
package struct RelayedReply: WireCodable {
    private let bytes: [UInt8]

    package init(_ reply: Reply) {
        var writer = ByteWriter()
        reply.encode(to: &writer)
        bytes = writer.bytes
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        bytes = reader.rest()
        if bytes.isEmpty { throw .truncated }
    }

    package func encode(to writer: inout ByteWriter) { for byte in bytes { writer.byte(byte) } }

    /// Whether it is the last one, `finished`.
    package var isLast: Bool { bytes[0] == Reply.Tag.finished.rawValue && bytes.count > 1 }
    /// How the transaction ended; nil unless it is `finished`.
    package var ending: Outcome.Ending? { isLast ? Outcome.Ending(rawValue: bytes[1]) : nil }
}
