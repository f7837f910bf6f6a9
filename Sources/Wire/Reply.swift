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
    case busy(Holder)
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

/// The state that a host waits for: the end of a systemd job, or of the time that a unit has to stay healthy.
package struct Waiting: Hashable, Sendable {
    package enum Goal: UInt8, Hashable, Sendable {
        case ready, stopped, settled, reloaded
    }

    package var unit: UnitName
    package var goal: Goal
    /// In seconds.
    package var elapsed: Int
    /// The time when the wait fails or ends; in seconds.
    package var limit: Int

    package init(_ unit: UnitName, _ goal: Goal, elapsed: Int, limit: Int) {
        self.unit = unit
        self.goal = goal
        self.elapsed = elapsed
        self.limit = limit
    }
}

/// The holder of a host's lock.
package struct Holder: Hashable, Sendable {
    /// The name given by the operator's client.
    package var name: String
    /// The start of the lock, in seconds since the epoch, by the host's clock.
    package var since: Int64

    package init(name: String, since: Int64) {
        self.name = name
        self.since = since
    }
}

/// The agent's description of its host at the start of a session.
package struct Hello: Hashable, Sendable {
    /// The content of `/etc/hostname`, or else the kernel's node name.
    package var hostname: String
    /// The content of `/etc/machine-id`; empty if there is none.
    package var machineID: String
    /// Whether systemd is the running init.
    package var hasSystemd: Bool
    /// Whether Deptool's directory is on a separate mount, which is mounted after early boot.
    package var isMountedLate: Bool
    /// Whether the next boot undoes an interrupted deploy. Not if no unit can be put in place for it.
    package var recoversAtBoot: Bool
    /// The deployed commit; nil if there is none.
    package var commit: ObjectID?
    /// The result of a transaction that an earlier agent left open; nil if there was none.
    package var recovery: Outcome?

    package init(
        hostname: String, machineID: String, hasSystemd: Bool, isMountedLate: Bool = false, recoversAtBoot: Bool = true, commit: ObjectID?,
        recovery: Outcome?
    ) {
        self.hostname = hostname
        self.machineID = machineID
        self.hasSystemd = hasSystemd
        self.isMountedLate = isMountedLate
        self.recoversAtBoot = recoversAtBoot
        self.commit = commit
        self.recovery = recovery
    }
}

/// The result of a transaction.
package indirect enum Outcome: Hashable, Sendable {
    /// The host is in the new state.
    case deployed
    /// Nothing was changed, because of an error found beforehand.
    case unchanged(AgentError)
    /// The host is back in its old state after a failure.
    case rolledBack(AgentError)
    /// The rollback failed as well. The host is in neither state and needs manual repair.
    case broken(AgentError, undoing: [AgentError], Remainder)

    /// The outcome in a word, as the wire has it.
    package enum Ending: UInt8, Sendable {
        case deployed = 0
        case rolledBack, broken, unchanged
    }

    /// The part of the host that was not restored.
    package enum Remainder: UInt8, Hashable, Sendable {
        /// Files or links: the next agent tries again to restore them.
        case files
        /// Only units. Nothing tries again, so that deploys to the host remain possible.
        case units
    }
}
