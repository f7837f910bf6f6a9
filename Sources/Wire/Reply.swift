import Model

/// What the agent answers.
package indirect enum Reply: Hashable, Sendable {
    /// The first message of every session.
    case hello(Hello)
    case locked
    /// Comes before `locked`: how much there is of large contents, from a transfer that was cut off in an earlier deploy or
    /// from the version before. They are sent from there on.
    case resumed([Content])
    /// Every announced content is on disk, and so is all else but `missing`. Empty: ready to apply.
    case staged(missing: [ObjectID])
    /// Another deploy holds the lock; nothing was done.
    case busy(Holder)
    /// The host runs another commit than expected; nothing was done.
    case stale(Record?)
    /// All that is in the way of the deploy, at most `AgentError.maximumTold`, and how much more there is; nothing was done.
    case obstructed([AgentError], more: Int)
    /// The step with this index began.
    case began(step: Int)
    /// A unit takes its time; said every second.
    case waiting(Waiting)
    /// What came of the test that began: the program's exit status, and at most `testLimit` bytes of what it printed.
    case tested(status: Int, output: [UInt8])
    /// The steps failed at this one and are being undone.
    case undoing(AgentError)
    case finished(Outcome)
    /// The request could not be carried out; nothing was changed.
    case refused(AgentError)
    case record(Record?)
    /// The answer to `fetch` and `read`, one for each id or path, in order: nothing when the file is not as recorded, or
    /// not to be read; else the size, and the bytes follow.
    case file(size: UInt64?)
    case content([UInt8])
    /// What differs from the record; comes as it is found, and at the end empty.
    case drift([Drift])
    /// The newest lines of the host's log as they are, the oldest of them maybe cut; empty where nothing was deployed.
    case log([UInt8])
    /// How the host is. The parts end in a NUL, but for the last: `/proc/loadavg`, `/proc/meminfo`, `/proc/uptime`; bytes and
    /// bytes available on the file systems of `/` and `/var`; `yes` if a reboot is required; the agent's file name; the
    /// apps and units of the record, two words a line; what `systemctl show` says of those units (ActiveState, SubState,
    /// StateChangeTimestampMonotonic); and the units that failed, the first word of each line. Empty: not to be had.
    case report([UInt8])
    case pong

    package static var testLimit: Int { 64 << 10 }
}

/// What a host waits for: a job of systemd, or the end of the time that a unit has to stay well.
package struct Waiting: Hashable, Sendable {
    package enum Goal: UInt8, Hashable, Sendable {
        case ready, stopped, settled
    }

    package var unit: UnitName
    package var goal: Goal
    /// In seconds.
    package var elapsed: Int
    /// When it will be given up, or is over; in seconds.
    package var limit: Int

    package init(_ unit: UnitName, _ goal: Goal, elapsed: Int, limit: Int) {
        self.unit = unit
        self.goal = goal
        self.elapsed = elapsed
        self.limit = limit
    }
}

/// Who holds a host's lock.
package struct Holder: Hashable, Sendable {
    /// As the operator's client names them.
    package var name: String
    /// Since when, in seconds since the epoch, by the host's clock.
    package var since: Int64

    package init(name: String, since: Int64) {
        self.name = name
        self.since = since
    }
}

/// What an agent says of its host when a session begins.
package struct Hello: Hashable, Sendable {
    /// The content of `/etc/hostname`, else the kernel's node name.
    package var hostname: String
    /// The content of `/etc/machine-id`; empty where there is none.
    package var machineID: String
    /// Whether systemd is the running init.
    package var hasSystemd: Bool
    /// Whether Deptool's directory is on a mount of its own, which early boot comes before.
    package var isMountedLate: Bool
    /// Whether a deploy that is cut off is undone at the next boot: not where nobody can put a unit there for it.
    package var recoversAtBoot: Bool
    /// The deployed commit, nil for none.
    package var commit: ObjectID?
    /// What became of a transaction that an agent before left open; nil if there was none.
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

/// How a transaction ended.
package indirect enum Outcome: Hashable, Sendable {
    /// The host is in the new state.
    case deployed
    /// Nothing was changed, because of something that was seen before.
    case unchanged(AgentError)
    /// The host is in its old state again, because of a failure.
    case rolledBack(AgentError)
    /// Undoing failed as well: the host is in neither state, and needs a person.
    case broken(AgentError, undoing: [AgentError], Remainder)

    /// What is not as it was.
    package enum Remainder: UInt8, Hashable, Sendable {
        /// Files or links: the next agent tries again to undo it.
        case files
        /// Units alone. Nothing tries again, so that the host can be deployed to.
        case units
    }
}
