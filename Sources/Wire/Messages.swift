import Model

/// What the laptop asks of the agent.
public indirect enum Request: Hashable, Sendable {
    /// Lock the host and stage a deploy; the contents it announces follow at once.
    case prepare(Preparation)
    /// The next bytes of the announced contents, one after the other, at most `Frame.contentLimit` a message.
    case content(ArraySlice<UInt8>)
    /// Contents that the host turned out to lack; they follow as `content`.
    case supply([Content])
    /// Run the steps that were prepared.
    case apply
    /// All is well, as far as the step that waits for a confirmation wants to know.
    case confirm
    /// Give up what is under way: roll back, or drop what was staged and unlock.
    case cancel
    /// Send the record.
    case record
    /// Send the content of these files of the record, those that are there as recorded.
    case fetch([ObjectID])
    /// Send the newest lines of the host's own log.
    case log
    /// Compare the host with its record. These apps are to be private.
    case verify([PrivateApp])
    /// Send what is in these files, as far as they are no larger than `Drift.largestShown`.
    case read([AbsolutePath])
    /// Say how the host is.
    case report
    case ping
}

/// A deploy to one host: all that the agent needs to know to do it.
public struct Preparation: Hashable, Sendable {
    /// The commit that the host must have deployed, nil for none: the other half of the lock.
    public var expected: ObjectID?
    /// Who asks, for the message that another operator gets while the lock is held.
    public var holder: String
    /// The operator's own login, as sshd is to test it; empty when no step wants to know.
    public var login: String
    /// What the host's record will be.
    public var record: Record
    /// The contents that the host lacks, in the order in which they are sent.
    public var contents: [Content]
    public var steps: [Step]
    /// Whether the host keeps no record, as one that nothing was ever deployed to.
    public var leavesNothing: Bool

    public init(
        expected: ObjectID?, holder: String, login: String = "", record: Record, contents: [Content], steps: [Step],
        leavesNothing: Bool = false
    ) {
        self.expected = expected
        self.holder = holder
        self.login = login
        self.record = record
        self.contents = contents
        self.steps = steps
        self.leavesNothing = leavesNothing
    }

    /// The name of the checkouts that this deploy makes.
    public var version: Version { Version(record.commit) }
}

/// The content of one or more files, by its blob's id.
public struct Content: Hashable, Sendable {
    public var id: ObjectID
    /// In bytes.
    public var size: UInt64

    public init(id: ObjectID, size: UInt64) {
        self.id = id
        self.size = size
    }

    /// Whether it is sent only once the host has said that it is locked (1 MiB and more): a host that turns the deploy
    /// down would get it for nothing, and one may have a part of it already.
    public var isLarge: Bool { size >= 1 << 20 }
}

/// What the agent answers.
public indirect enum Reply: Hashable, Sendable {
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
    /// All that is in the way of the deploy, at most `Failure.mostTold`, and how much more there is; nothing was done.
    case obstructed([Failure], more: Int)
    /// The step with this index began.
    case began(step: Int)
    /// A unit takes its time; said every second.
    case waiting(Waiting)
    /// What came of the test that began: the program's exit status, and at most `testLimit` bytes of what it printed.
    case tested(status: Int, output: [UInt8])
    /// The steps failed at this one and are being undone.
    case undoing(Failure)
    case finished(Outcome)
    /// The request could not be carried out; nothing was changed.
    case refused(Failure)
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
    /// bytes available on the file systems of `/` and `/var`; `yes` if it wants to be booted anew; the agent's file name; the
    /// apps and units of the record, two words a line; what `systemctl show` says of those units (ActiveState, SubState,
    /// StateChangeTimestampMonotonic); and the units that failed, the first word of each line. Empty: not to be had.
    case report([UInt8])
    case pong

    public static var testLimit: Int { 64 << 10 }
}

/// What a host waits for: a job of systemd, or the end of the time that a unit has to stay well.
public struct Waiting: Hashable, Sendable {
    public enum Goal: UInt8, Hashable, Sendable {
        case ready, stopped, settled
    }

    public var unit: UnitName
    public var goal: Goal
    /// In seconds.
    public var elapsed: Int
    /// When it will be given up, or is over; in seconds.
    public var limit: Int

    public init(_ unit: UnitName, _ goal: Goal, elapsed: Int, limit: Int) {
        self.unit = unit
        self.goal = goal
        self.elapsed = elapsed
        self.limit = limit
    }
}

/// Who holds a host's lock.
public struct Holder: Hashable, Sendable {
    /// As the operator's laptop names them.
    public var name: String
    /// Since when, in seconds since the epoch, by the host's clock.
    public var since: Int64

    public init(name: String, since: Int64) {
        self.name = name
        self.since = since
    }
}

/// What an agent says of its host when a session begins.
public struct Hello: Hashable, Sendable {
    /// The content of `/etc/hostname`, else the kernel's node name.
    public var hostname: String
    /// The content of `/etc/machine-id`; empty where there is none.
    public var machineID: String
    /// Whether systemd is the running init.
    public var hasSystemd: Bool
    /// Whether Deptool's directory is on a mount of its own, which early boot comes before.
    public var isMountedLate: Bool
    /// Whether a deploy that is cut off is undone at the next boot: not where nobody can put a unit there for it.
    public var recoversAtBoot: Bool
    /// The deployed commit, nil for none.
    public var commit: ObjectID?
    /// What became of a transaction that an agent before left open; nil if there was none.
    public var recovery: Outcome?

    public init(
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
public indirect enum Outcome: Hashable, Sendable {
    /// The host is in the new state.
    case deployed
    /// Nothing was changed, because of something that was seen before.
    case unchanged(Failure)
    /// The host is in its old state again, because of a failure.
    case rolledBack(Failure)
    /// Undoing failed as well: the host is in neither state, and needs a person.
    case broken(Failure, undoing: [Failure], Remainder)

    /// What is not as it was.
    public enum Remainder: UInt8, Hashable, Sendable {
        /// Files or links: the next agent tries again to undo it.
        case files
        /// Units alone. Nothing tries again, so that the host can be deployed to.
        case units
    }
}

/// Something that went wrong on a host.
public struct Failure: Error, Hashable, Sendable {
    /// How many a host tells of at most: nobody reads more.
    public static var mostTold: Int { 100 }

    private indirect enum Box: Hashable, Sendable {
        case holding(step: Int?, Problem)
    }
    private let box: Box

    /// The index of the step; nil outside the steps.
    public var step: Int? { switch box { case .holding(let step, _): step } }
    public var problem: Problem { switch box { case .holding(_, let problem): problem } }

    public init(step: Int? = nil, _ problem: Problem) { box = .holding(step: step, problem) }
}

/// Indirect, as all that is large and moved about much: `Failure`, which nearly everything that the agent does can throw,
/// stays small. Code that moves a large one is a tenth of an agent.
public indirect enum Problem: Hashable, Sendable {
    /// A system call failed with this errno of Linux.
    case system(operation: String, path: String, code: Int)
    /// A program could not be started, or ended with a status that is not zero (128 + signal if killed).
    case command(arguments: [String], status: Int, output: String)
    /// A program did not end in time.
    case timeout(arguments: [String], seconds: Int)
    case unit(UnitName, UnitProblem, journal: String)
    /// Something that is not Deptool's is where a link should be, and differs from what the link would show; or where a
    /// directory should be that holds links, and then there is no link.
    case occupied(AbsolutePath, by: Occupant, for: Link?)
    /// `/etc/group` has no such group, or not in a way that can be understood.
    case noGroup(GroupName)
    /// The host has no Podman that makes units of quadlets.
    case noQuadlets
    /// Podman made no unit of a quadlet, with what it says of that.
    case noQuadletUnit(AbsolutePath, output: String)
    /// The content that arrived, or that was on disk, is not the one announced.
    case corrupt(path: String)
    /// The operator gave up.
    case cancelled
    /// The operator's connection was lost before the deploy was done.
    case disconnected
    /// No confirmation came in time, so the host may be out of reach.
    case notConfirmed(seconds: Int)
    /// All hosts should keep their new state or none, and another did not get that far.
    case otherHostFailed
    /// The process that ran the steps was killed.
    case agentDied
    /// The host lost power, or both processes of the agent were killed.
    case interrupted
    /// The laptop asked for something that makes no sense now.
    case protocolViolation
    /// The journal or record on disk cannot be read.
    case unreadable(path: String, DecodingProblem)
    /// The journal or record on disk has a format that only a newer agent knows, which is named as far as it is.
    case newerFormat(path: String, writer: String)
    /// `/etc/passwd` has no such user, or not in a way that can be understood.
    case noUser(UserName)
    /// A unit is listed by a name that is not its own; with its own.
    case unitAlias(UnitName, of: String)
    /// A file that was placed was changed on the host since.
    case placedChanged(AbsolutePath)
    /// Not even root can make, replace or remove what is at the path, with the errno that it would get: EBUSY for a mount
    /// point, EROFS, EPERM for what is immutable.
    case fixed(AbsolutePath, code: Int)
    /// A file has the content that it is to have, but means something else by its mode or owner, which it would lose.
    case otherAccess(AbsolutePath, found: FileAccess, wanted: FileAccess, Link)
    /// Nor may such a file have what is no mode: an access control list (`system.posix_acl_access`) or capabilities
    /// (`security.capability`).
    case extendedAccess(AbsolutePath, attribute: String)
    /// A directory's file system has not as much room as the deploy takes, in bytes.
    case noRoom(in: AbsolutePath, needed: UInt64, available: UInt64)
    /// Deptool's directory has not so many inodes.
    case noInodes(needed: UInt64, available: UInt64)
}

public indirect enum Occupant: Hashable, Sendable {
    case file, directory, symlink(to: String), other
}
