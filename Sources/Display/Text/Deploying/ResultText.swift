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

    /// What the services say after a rollback, to end a sentence.
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
                commit.map { "It runs \($0.short), which the store did not know." }
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
    fileprivate var advice: String {
        switch self {
        case .files:
            "The host is in neither its old nor its new state. Remove what is in the way on it; whenever Deptool connects next "
                + "(`deptool deploy`, `sync` or `ping`), it tries again to undo this."
        case .units:
            "All files on the host are as they were before, but not all units. Deptool does not retry that: log in and repair "
                + "them, or deploy what mends them."
        }
    }
}

extension HostResult {
    fileprivate var isRolledBack: Bool {
        switch self {
        case .rolledBack, .lockedOut: true
        default: false
        }
    }
}

extension HostError {
    /// For the host's line.
    package var phrase: String {
        switch self {
        case .ssh(let error): error.phrase
        case .noAgents: "this build of deptool contains no agents"
        case .unknownCPU(let machine, _): "no agent for \(visible(machine))"
        case .bootstrap(let stage, _): "cannot install the agent (\(visible(stage)))"
        case .noAgentSpoke: "the agent did not start"
        case .sudo(let problem, _): problem.phrase
        case .noSystemd(let unit): "has no systemd to run \(unit.text)"
        case .wrongHostname(_, let found): "is another host: its name is '\(visible(found))'"
        case .broken(let failure, _, _): "an earlier deploy could not be undone: \(failure.phrase)"
        case .refused(let failure): failure.phrase
        case .obstructed(let failures, let more): AgentError.phrase(of: failures, more: more)
        case .malformed(let problem): "sent an invalid message: \(problem.phrase)"
        case .unexpected: "sent an unexpected message"
        case .malformedSurvey: "sent something other than its files and units, or too much"
        case .store(let error): error.phrase
        case .inconsistentRecord: "its record contradicts itself"
        case .unreadable(let gap): "what is deployed there cannot be read: \(visible(gap))"
        case .busy(let holder): "locked by \(visible(holder.name))"
        case .otherHostNotReady: "not changed, since another host is not ready"
        case .calledOff: "not changed: you cancelled"
        case .sshdRefuses(let setting): "sshd does not let you in (\(visible(setting)))"
        case .sshdUntested([]): "Deptool could not test whether sshd lets you in after its next restart"
        case .sshdUntested(let settings):
            "Deptool could not test whether sshd lets you in after its next restart, as "
                + settings.map(visible).joined(separator: ", ") + (settings.count == 1 ? " changes" : " change")
        }
    }

    /// Advice for tests of sshd's files that prove nothing.
    static let adviceForSSHD =
        "A new login proves what sshd runs with. List its unit (ssh.service or sshd.service) in \"units_enabled\", so that it "
        + "restarts; `--guard never` skips the test."

    /// The cause and the remedy; nil if the phrase is enough.
    package func explanation(_ host: Hostname) -> String? {
        switch self {
        case .ssh(let error): error.explanation(host: host.text)
        case .noAgents: "It was built by a plain `swift build`. `make build` makes one that contains them."
        case .unknownCPU(_, let cpus): "Deptool has agents for Linux on \(listed(cpus))."
        case .bootstrap(let stage, let printed): bootstrap(stage, printed)
        case .noAgentSpoke(let status, let printed): silence(status, printed)
        case .sudo(let problem, let printed):
            problem.explanation + (printed.isEmpty ? "" : "\nWhat was printed:\n" + quoted(tail(printed)))
        case .wrongHostname(let expected, let found):
            """
            The login leads to a host whose /etc/hostname says '\(visible(found))', not '\(visible(expected))'.
            If it is the right host, say so in its host.json: {"hostname": "\(visible(found))"}
            """
        case .noSystemd:
            "Files and links can be deployed to it. Take the unit out of `units_enabled` in the app's manifest.json, or start systemd there."
        case .broken(let failure, let undoing, let remainder):
            ([failure.explanation] + undoing.map(\.explanation) + [remainder.advice]).joined(separator: "\n")
        case .refused(let failure): failure.explanation
        case .obstructed(let failures, let more): AgentError.explanation(of: failures, more: more)
        case .malformedSurvey:
            "Its find, stat or dpkg-query print something that Deptool does not understand, or it has too many files in the directories named."
        case .malformed, .unexpected: "The agent on the host may have been tampered with, or something else answers there."
        case .store(let error): error.explanation
        case .inconsistentRecord: "The host's record of what is deployed cannot be verified. The host was left alone."
        case .unreadable: "The next `deptool deploy` of a change deploys it as a whole."
        case .busy(let holder):
            "\(visible(holder.name)) is deploying to it. Wait until that is done, then run `deptool deploy` again."
        case .sshdRefuses, .sshdUntested: Self.adviceForSSHD
        case .otherHostNotReady, .calledOff: nil
        }
    }

    private func bootstrap(_ stage: String, _ printed: [UInt8]) -> String {
        let what =
            switch stage {
            case "mkdir": "Creating its directory below /var/lib/deptool failed."
            case "write": "Writing it to /var/lib/deptool failed, or the connection was cut: is the disk full?"
            case "noexec":
                "Programs in /var/lib/deptool cannot run, probably because /var is mounted with noexec. Allow it there with\n"
                    + "    mount --bind /var/lib/deptool /var/lib/deptool && mount -o remount,bind,exec /var/lib/deptool\n"
                    + "and make that permanent in /etc/fstab."
            case "owner": "/var/lib/deptool/bin does not belong to root, so its owner could replace the agent. Remove it."
            case "hash": "The agent was damaged on its way to the host."
            default: "Putting it into place in /var/lib/deptool failed."
            }
        return printed.isEmpty ? what : what + " The host says:\n" + quoted(tail(printed))
    }

    private func silence(_ status: ExitStatus?, _ printed: [UInt8]) -> String {
        var text = "The login worked, but instead of the agent "
        switch status {
        case .code(let code): text += "a command ended with status \(code)"
        case .signal(let name): text += "a command was killed by SIG\(visible(name))"
        case nil: text += "something else answered"
        }
        let output = String(decoding: printed, as: UTF8.self)
        if output.contains("sudo") { text += "; Deptool needs a login as root, or sudo without a password" }
        return printed.isEmpty ? text + "." : text + ". What was printed:\n" + quoted(tail(printed))
    }

    /// The last part of a host's output, as much as is useful to read.
    private func tail(_ bytes: [UInt8]) -> String {
        bytes.suffix(2000).split(separator: 10).suffix(12).map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
    }
}

extension SudoProblem {
    var phrase: String {
        switch self {
        case .passwordNeeded: "sudo needs a password"
        case .passwordWrong: "wrong password for sudo"
        case .terminalNeeded: "sudo needs a terminal"
        case .notAllowed: "sudo does not allow it"
        case .notInstalled: "no sudo there"
        }
    }

    var explanation: String {
        switch self {
        case .passwordNeeded:
            """
            The login is not root's, and sudo needs a password, for which nobody could be asked.
            Deploy from a terminal, log in as root, or allow the user to run `sh` without: `NOPASSWD:` in sudoers.
            """
        case .passwordWrong: "sudo rejected the password. Nothing was run."
        case .terminalNeeded:
            """
            sudo only works at a terminal there, which would spoil what Deptool sends.
            Exempt the user in sudoers, as in `Defaults:deploy !requiretty`, or log in as root.
            """
        case .notAllowed: "The user of the login may not use sudo to become root. Allow it in sudoers, or log in as root."
        case .notInstalled: "The login is not root's, and there is no sudo. Install it, or log in as root."
        }
    }
}

/// The summary at the end of a deploy.
package struct SummaryText {
    /// The output after the summary.
    package enum Next: Sendable {
        case nothing, newPlan
    }

    private let style: Style

    package init(style: Style) { self.style = style }

    /// Explanations, each once for all the hosts that share it, and a last line.
    package func render(
        _ results: [(host: Hostname, result: HostResult)], took: Duration, next: Next = .nothing
    ) -> String {
        var groups: [(explanation: String, hosts: [Hostname])] = []
        for (host, result) in results {
            guard let explanation = result.explanation(host, next: next) else { continue }
            if let index = groups.firstIndex(where: { $0.explanation == explanation }) {
                groups[index].hosts.append(host)
            } else {
                groups.append((explanation, [host]))
            }
        }
        var text = "\n"
        for group in groups {
            let hosts = group.hosts.map(\.text).joined(separator: ", ")
            text += style.heading(hosts) + ": " + group.explanation + "\n\n"
        }
        return text + lastLine(results.map(\.result), took) + "\n"
    }

    /// A hint how to go on, if unreachable hosts were the only obstacle.
    private func hint(_ results: [HostResult]) -> String {
        let others = results.filter { $0 != .failed(.otherHostNotReady) }
        let isOnlyUnreachable = others.allSatisfy { if case .failed(.ssh) = $0 { true } else { false } }
        guard isOnlyUnreachable, others.count < results.count else { return "" }
        return " `--skip-unreachable` goes on without such hosts."
    }

    private func lastLine(_ results: [HostResult], _ took: Duration) -> String {
        let deployed = results.count { $0 == .deployed }
        if deployed == results.count { return "Deployed to \(count(deployed, "host")) in \(seconds(took))." }
        let checked = results.count { $0 == .checked }
        if checked == results.count { return "Checked \(count(checked, "host")) in \(seconds(took)). Nothing was changed." }
        var parts: [String] = []
        if deployed > 0 { parts.append("deployed to \(count(deployed, "host"))") }
        let rolledBack = results.count(where: \.isRolledBack)
        if rolledBack > 0 { parts.append("rolled back \(count(rolledBack, "host"))") }
        let broken = results.count { if case .broken = $0 { true } else { false } }
        if broken > 0 { parts.append(style.bad("\(count(broken, "host")) left broken")) }
        let unknown = results.count { if case .unknown = $0 { true } else { false } }
        if unknown > 0 { parts.append("lost the connection to \(count(unknown, "host"))") }
        guard !parts.isEmpty else { return "Nothing was changed." + hint(results) }
        let rest = results.count - deployed - rolledBack - broken - unknown
        if rest > 0 { parts.append("\(count(rest, "host")) not changed") }
        let line = parts.joined(separator: ", ")
        return line.prefix(1).uppercased() + line.dropFirst() + ", in \(seconds(took))."
    }
}
