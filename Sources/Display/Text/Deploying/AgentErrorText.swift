import Model
import Planning
import Wire

extension AgentError {
    /// The problem, for a status line.
    package var phrase: String { problem.phrase }

    /// The problem, with the output of the programs involved.
    package var explanation: String {
        switch problem {
        case .unit(_, .tooSlow(_, let seconds), let journal):
            withJournal(journal) + "\nIf it needs more time, set it in the app's manifest.json: \"timeout\": \(seconds * 2)"
        case .unit(let unit, .conflict(let other), _):
            problem.phrase + ".\nTo run \(other.text) instead, stop and disable \(unit.text) on the host first."
        case .unit(_, .refusesStop, _), .unit(_, .refusesStart, _): withAdvice
        case .unit(_, _, let journal): withJournal(journal)
        case .check(_, .command(_, _, let output)) where !output.isEmpty: problem.phrase + ":\n" + quoted(output)
        case .probe(_, _, let journal): withJournal(journal)
        case .command(_, _, let output) where !output.isEmpty: problem.phrase + ":\n" + quoted(output)
        case .occupied, .noGroup, .noUser, .unitAlias, .placedChanged, .fixed, .otherAccess, .extendedAccess, .noRoom, .noInodes,
            .noQuadlets, .noFuture:
            withAdvice
        case .newerFormat(_, let writer):
            problem.phrase + ".\nUse the version of Deptool that deployed last"
                + (writer.isEmpty ? "." : ", whose agent is \(visible(writer)), or a newer one.")
        case .noQuadletUnit(_, let output) where !output.isEmpty: problem.phrase + ":\n" + quoted(output)
        case .disconnected:
            problem.phrase + ". A deploy is committed only while you are connected; run `deptool deploy` again."
        case .unreadable(let path, _):
            problem.phrase + ".\nIf nothing else explains it, the file was damaged: move \(visible(path)) away on the host."
        default: problem.phrase
        }
    }

    private var withAdvice: String { problem.statement + ".\n" + (problem.advice(.one) ?? "") }

    private func withJournal(_ journal: String) -> String {
        journal.isEmpty ? problem.phrase : problem.phrase + "; its last journal lines:\n" + quoted(journal)
    }
}

extension Problem {
    var phrase: String {
        switch self {
        case .system(let operation, let path, let code): "cannot \(visible(operation)) \(visible(path)): \(linuxError(code))"
        case .command(let arguments, let status, _): "\(commandLine(arguments)) \(killed(by: status) ?? "failed with status \(status)")"
        case .timeout(let arguments, let seconds):
            "\(commandLine(arguments)) did not end within \(seconds) s"
        case .unit(let unit, .exited, _) where !unit.text.hasSuffix(".service"):
            "unit \(unit.text) did not become active, or did not stay so"
        case .unit(let unit, let problem, _): "unit \(unit.text) \(problem.phrase)"
        case .occupied(let path, let occupant, _): "\(visible(path.text)) is \(occupant.phrase) that is not Deptool's"
        case .noQuadlets: "no Podman that supports quadlets"
        case .noQuadletUnit(let path, _): "Podman generates no unit from \(visible(path.text))"
        case .noGroup(let group): "/etc/group has no group '\(group.text)'"
        case .corrupt(let path): "the content of \(visible(path)) is damaged"
        case .cancelled: "cancelled by the operator"
        case .disconnected: "the connection to the operator was lost"
        case .notConfirmed(let seconds):
            "no new login to the host worked\(seconds > 0 ? " within \(seconds) s" : ""), so this would have locked you out"
        case .otherHostFailed: "another host did not succeed"
        case .programRefused(let status?): "your confirmation program failed (status \(status))"
        case .programRefused(nil): "your confirmation program did not end within 5 minutes"
        case .agentDied: "the agent was killed"
        case .interrupted: "an earlier deploy was interrupted"
        case .protocolViolation: "the agent received an invalid request"
        case .noUser(let user): "/etc/passwd has no user '\(user.text)'"
        case .unitAlias(let unit, let name): "unit \(unit.text) is another name of \(visible(name))"
        case .placedChanged(let path): "\(visible(path.text)) was changed on the host since it was deployed"
        case .fixed(let path, code: 16): "\(visible(path.text)) is a mount point"
        case .fixed(let path, code: 1): "\(visible(path.text)) cannot be changed: it or its directory is immutable"
        case .fixed(let path, let code): "\(visible(path.text)) cannot be changed: \(linuxError(code))"
        case .otherAccess(let path, _, _, _): "\(visible(path.text)) would lose its mode or owner"
        case .extendedAccess(let path, "security.capability"): "\(visible(path.text)) has capabilities, which it would lose"
        case .extendedAccess(let path, _): "\(visible(path.text)) has an access control list, which it would lose"
        case .noRoom(let directory, let needed, let available):
            "not enough space in \(visible(directory.text)): \(size(needed)) needed, \(size(available)) free"
        case .noInodes(let needed, let available):
            "not enough inodes in \(Layout.root.text): \(needed) needed, \(available) free"
        case .check(let app, .command(let arguments, 1, _)) where Requirement.parse(arguments) != nil:
            "the host lacks what \(app.text) requires"
        case .check(let app, .command(let arguments, let status, _)):
            "check \(commandLine(arguments)) of \(app.text) \(killed(by: status) ?? "failed (status \(status))")"
        case .check(let app, .timeout(let arguments, let seconds)):
            "check \(commandLine(arguments)) of \(app.text) did not end within \(seconds) s"
        case .check(let app, let problem): "a check of \(app.text) did not run: \(problem.phrase)"
        case .probe(let probe, let answer, _): "\(probe?.phrase ?? "a service") \(answer.verdict)"
        case .sealed(let path, let problem): "\(visible(path)) cannot be unsealed: \(problem.phrase)"
        case .noFuture(let operation, let code): "checks cannot run there: cannot \(visible(operation)): \(linuxError(code))"
        case .newerFormat(let path, _): "\(visible(path)) was written by a newer version of Deptool"
        case .unreadable(let path, let problem): "cannot understand \(visible(path)): \(problem.phrase)"
        }
    }
}

extension SealError {
    fileprivate var phrase: String {
        switch self {
        case .noKey: "the host has neither \(Layout.hostKey.text) nor \(Layout.identity.text); run: deptool secret enroll"
        case .keyUnusable: "the host cannot use its \(Layout.identity.text), or if it has none, its \(Layout.hostKey.text)"
        case .otherKey: "it is sealed for other keys than the host's"
        case .damaged: "it is damaged"
        case .tooLarge: "it is too large"
        }
    }
}

extension Occupant {
    var phrase: String {
        switch self {
        case .file: "a file"
        case .directory: "a directory"
        case .symlink(let target): "a symlink to \(visible(target))"
        case .other: "something"
        }
    }
}

extension UnitProblem {
    var phrase: String {
        switch self {
        case .notLoaded("not-found"): "does not exist"
        case .notLoaded(let state): "cannot be loaded (\(visible(state)))"
        case .failed(let result, 0): "failed (\(visible(result)))"
        case .failed(let result, let status): "failed (\(visible(result)), status \(status))"
        case .exited(let status): "exited with status \(status) although it should keep running"
        case .restarting(0): "crashed and is being restarted"
        case .restarting(let times): "crashed and was restarted \(times == 1 ? "once" : "\(times) times")"
        case .tooSlow(let state, let seconds):
            "did not \(state.hasPrefix("deactivating") ? "stop" : state.hasPrefix("reloading") ? "reload" : "become ready") within \(seconds) s: it is \(visible(state))"
        case .draggedDown(let cause, let state):
            "went down with \(cause.text) and did not come up again\(state.isEmpty ? "" : ": it is \(visible(state))")"
        case .conflict(let other): "was stopped by the start of \(other.text), which conflicts with it"
        case .refusesStart: "has to be started, and systemd refuses that (RefuseManualStart=yes)"
        case .cannotReload: "has to be reloaded, but cannot be (CanReload=no)"
        case .reloadFailed(let result): "could not reload (\(visible(result)))"
        case .notOneshot: "cannot be a test: it is not Type=oneshot"
        case .replaced: "ended or restarted when it was reloaded"
        case .refusesStop: "runs and has to be restarted or stopped, and systemd refuses that (RefuseManualStop=yes)"
        }
    }
}

private func commandLine(_ arguments: [String]) -> String {
    if let needed = Requirement.parse(arguments) { return "'requires' (\(visible(needed.map(\.phrase).joined(separator: ", "))))" }
    return "`\(visible(OptionalCheck.command(arguments).joined(separator: " ")))`"
}

/// Nil if a program ended by itself.
private func killed(by status: Int) -> String? {
    signals.contains(status - 128) ? "was killed by signal \(status - 128)" : nil
}

/// Linux's signals. A program may also exit with a status above 128.
private let signals = 1...64

/// Linux's errno values as hosts report them, whatever this machine runs.
func linuxError(_ code: Int) -> String {
    switch code {
    case 1: "operation not permitted"
    case 2: "no such file or directory"
    case 5: "input/output error"
    case 6: "it is a socket, or there is no such device"
    case 11: "another process holds a lease on it"
    case 12: "out of memory"
    case 13: "permission denied"
    case 16: "it is a mount point, or in use"
    case 17: "it exists already"
    case 20: "not a directory"
    case 21: "it is a directory"
    case 24: "too many open files"
    case 27: "it is too large"
    case 28: "no space left on the disk"
    case 30: "the file system is read-only"
    case 40: "too many symlinks"
    case 67: "it belongs to another user than the directory above it"
    case 101: "the network is unreachable"
    case 104: "the connection was reset"
    case 110: "the connection timed out"
    case 111: "connection refused"
    case 113: "no route to the host"
    case 122: "disk quota exceeded"
    default: "error \(code)"
    }
}
