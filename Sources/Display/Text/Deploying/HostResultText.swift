import Deployment
import Git
import Model
import SSH
import Wire

extension HostResult {
    static var staleOther: String { "somebody else deployed to it since" }
    static var staleNothing: String { "has been wiped or reinstalled" }

    /// The outcome, for the host's line.
    package var phrase: String {
        switch self {
        case .deployed: "done"
        case .checked: "every check passed"
        case .rolledBack(let failure, _): "rolled back: \(failure.phrase)"
        case .lockedOut(.sshdRefuses(let setting)):
            "rolled back: sshd would not let you in from its next restart on (\(visible(setting)))"
        case .lockedOut(.sshdUntested(let settings)): "rolled back: \(HostError.sshdUntested(settings).phrase)"
        case .lockedOut(let error): "rolled back: no new login to the host worked (\(error.phrase)), so this would have locked you out"
        case .broken(let failure, _, _): "BROKEN: \(failure.phrase), and rolling back failed"
        case .failed(let error): error.phrase
        case .stale(nil): Self.staleNothing
        case .stale: Self.staleOther
        case .unknown(.ssh(let error)): "connection lost (\(error.phrase)); unknown whether it was deployed"
        case .unknown(let error): "\(error.phrase); unknown whether it was deployed"
        }
    }

    /// The result of the probes after a rollback, to end a sentence.
    private static func judgement(_ answers: [ProbeResult]) -> String {
        let failed = answers.filter { $0.answer != .passed }
        if failed.isEmpty { return answers.isEmpty ? "." : " and passes its \(answers.count == 1 ? "probe" : "probes")." }
        return ", but it does not pass \(answers.count == 1 ? "its probe" : "all of its probes"):\n"
            + failed.map { "    \($0.app.text): \($0.probe.phrase) \($0.answer.verdict)" }.joined(separator: "\n")
    }

    /// Details beyond the phrase; nil if there are none.
    func explanation(_ host: Hostname, next: SummaryText.Next) -> String? {
        switch self {
        case .deployed, .checked: return nil
        case .stale(let commit):
            let found =
                commit.map { "It runs \($0.short), which is not in the store." }
                ?? "Nothing is deployed on it any more: it has been wiped or reinstalled."
            return next == .newPlan ? found : found + " Run `deptool deploy` again for the new plan."
        case .rolledBack(let failure, let answers):
            return failure.explanation + "\nThe previous state is back" + Self.judgement(answers)
        case .lockedOut(.sshdRefuses), .lockedOut(.sshdUntested):
            return phrase.dropFirst("rolled back: ".count) + ".\n" + HostError.adviceForSSHD + "\nThe previous state is back."
        case .lockedOut(let error):
            return "no new login to the host worked, so this would have locked you out:\n"
                + quoted(error.explanation(host) ?? error.phrase) + "\nThe previous state is back."
        case .broken(let failure, let undoing, let remainder):
            return failure.explanation + "\nRolling back failed:\n" + undoing.map(\.explanation).joined(separator: "\n")
                + "\n" + remainder.advice
        case .failed(let error): return error.explanation(host)
        case .unknown(let error):
            return (error.explanation(host) ?? "\(host.text) \(error.phrase).")
                + "\nThe host rolls back by itself unless the deploy was complete. `deptool deploy` finds out which it was."
        }
    }
}

extension Outcome.Remainder {
    /// Instructions for an operator who reads this at midnight.
    var advice: String {
        switch self {
        case .files:
            "The host is in neither its old nor its new state. Remove the obstacle there; when Deptool next connects "
                + "(`deptool deploy`, `sync` or `ping`), it tries again to undo this."
        case .units:
            "All files on the host are as they were before, but not all units. Deptool does not retry that: log in and repair "
                + "them, or deploy a fix."
        }
    }
}

extension HostResult {
    var isRolledBack: Bool {
        switch self {
        case .rolledBack, .lockedOut: true
        default: false
        }
    }
}
