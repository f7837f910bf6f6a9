import Model

/// Something that went wrong on a host.
package struct AgentError: Error, Hashable, Sendable {
    /// How many a host tells of at most: nobody reads more.
    package static var maximumTold: Int { 100 }

    private indirect enum Box: Hashable, Sendable {
        case holding(step: Int?, Problem)
    }
    private let box: Box

    /// The index of the step; nil outside the steps.
    package var step: Int? {
        switch box {
        case .holding(let step, _): step
        }
    }
    package var problem: Problem {
        switch box {
        case .holding(_, let problem): problem
        }
    }

    package init(step: Int? = nil, _ problem: Problem) { box = .holding(step: step, problem) }
}

/// Indirect, as all that is large and moved about much: `AgentError`, which nearly everything that the agent does can throw,
/// stays small. Code that moves a large one is a tenth of an agent.
package indirect enum Problem: Hashable, Sendable {
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
    /// The client asked for something that makes no sense now.
    case protocolViolation
    /// The journal or record on disk cannot be read.
    case unreadable(path: String, WireError)
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

package indirect enum Occupant: Hashable, Sendable {
    case file, directory, symlink(to: String), other
}
