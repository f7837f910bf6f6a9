import Model

/// An error on a host.
package struct AgentError: Error, Hashable, Sendable {
    /// The largest number of errors that a host reports.
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

/// Indirect, like all large and often moved values, so that `AgentError` stays small: nearly every function of the
/// agent can throw it. Moving a large one would take a tenth of the agent's code.
package indirect enum Problem: Hashable, Sendable {
    /// A system call failed with this Linux errno.
    case system(operation: String, path: String, code: Int)
    /// A program did not start, or exited with a nonzero status (128 + signal if killed).
    case command(arguments: [String], status: Int, output: String)
    /// A program did not exit in time.
    case timeout(arguments: [String], seconds: Int)
    case unit(UnitName, UnitProblem, journal: String)
    /// A foreign object is in the place of a link and differs from the link's content, or it is in the place of a
    /// directory that is to hold links; then there is no link.
    case occupied(AbsolutePath, by: Occupant, for: Link?)
    /// `/etc/group` has no such group, or its entry cannot be parsed.
    case noGroup(GroupName)
    /// The host has no Podman that generates units from quadlets.
    case noQuadlets
    /// Podman generated no unit from a quadlet; with its output.
    case noQuadletUnit(AbsolutePath, output: String)
    /// The content that arrived, or that was on disk, is not the announced content.
    case corrupt(path: String)
    /// The operator cancelled.
    case cancelled
    /// The connection to the operator broke before the deploy was finished.
    case disconnected
    /// No confirmation came in time, so the host may be unreachable.
    case notConfirmed(seconds: Int)
    /// All hosts should keep their new state or none, and another host failed.
    case otherHostFailed
    /// The operator's program did not confirm that the hosts answer; with its exit status, nil if it took too long.
    case programRefused(status: Int?)
    /// The process that ran the steps was killed.
    case agentDied
    /// The host lost power, or both processes of the agent were killed.
    case interrupted
    /// The client sent a request that is invalid in the current state.
    case protocolViolation
    /// The agent cannot read the journal or record on disk.
    case unreadable(path: String, WireError)
    /// The journal or record on disk has a format that only a newer agent can read; with as much of that agent's name as could be read.
    case newerFormat(path: String, writer: String)
    /// `/etc/passwd` has no such user, or its entry cannot be parsed.
    case noUser(UserName)
    /// A unit is listed by an alias; with its own name.
    case unitAlias(UnitName, of: String)
    /// A placed file has changed on the host since it was placed.
    case placedChanged(AbsolutePath)
    /// Not even root can create, replace or remove the object at the path, with the errno that root would get: EBUSY
    /// for a mount point, EROFS, or EPERM for an immutable file.
    case fixed(AbsolutePath, code: Int)
    /// A file already has the wanted content, but also a mode or owner that matters and that the deploy would discard.
    case otherAccess(AbsolutePath, found: FileAccess, wanted: FileAccess, Link)
    /// As above, but for metadata beyond the mode: an access control list (`system.posix_acl_access`) or capabilities
    /// (`security.capability`).
    case extendedAccess(AbsolutePath, attribute: String)
    /// A directory's file system has less free space than the deploy needs, in bytes.
    case noRoom(in: AbsolutePath, needed: UInt64, available: UInt64)
    /// A check of an app failed, or could not run.
    case check(of: AppName, Problem)
    /// A service did not answer a probe as it should; with the last lines that its unit logged. The error does not contain
    /// the probe: the client has it from the step, and encoding one would be a large part of the agent.
    case probe(Probe?, ProbeAnswer, journal: String)
    /// The host cannot be shown to checks as it will be: a system call failed with this Linux errno.
    case noFuture(operation: String, code: Int)
    /// A sealed file does not open.
    case sealed(path: String, SealError)
    /// Deptool's directory has too few free inodes.
    case noInodes(needed: UInt64, available: UInt64)
}

/// Why a sealed file does not open on a host.
package enum SealError: UInt8, Error, Hashable, Sendable, CaseIterable {
    /// The host has no ed25519 key.
    case noKey
    /// The host's key cannot be used: it has a passphrase or is damaged.
    case keyUnusable
    /// It is sealed for other keys only.
    case otherKey
    /// It is damaged, or no file of age.
    case damaged
    case tooLarge
}

package indirect enum Occupant: Hashable, Sendable {
    case file, directory, symlink(to: String), other
}
