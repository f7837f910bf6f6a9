import Deployment
import Git
import Model
import SSH
import Wire

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
        case .cancelled: "not changed: you cancelled"
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
        case .noAgentSpoke(let status, let printed): notAnAgent(status, printed)
        case .sudo(let problem, let printed):
            problem.explanation + (printed.isEmpty ? "" : "\nOutput:\n" + quoted(tail(printed)))
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
        case .otherHostNotReady, .cancelled: nil
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
        return printed.isEmpty ? what : what + " Output of the host:\n" + quoted(tail(printed))
    }

    private func notAnAgent(_ status: ExitStatus?, _ printed: [UInt8]) -> String {
        var text = "The login worked, but instead of the agent "
        switch status {
        case .code(let code): text += "a command ended with status \(code)"
        case .signal(let name): text += "a command was killed by SIG\(visible(name))"
        case nil: text += "something else answered"
        }
        let output = String(decoding: printed, as: UTF8.self)
        if output.contains("sudo") { text += "; Deptool needs a login as root, or sudo without a password" }
        return printed.isEmpty ? text + "." : text + ". Output:\n" + quoted(tail(printed))
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
            The login is not root's, and sudo needs a password. Deptool could not ask you for it.
            Deploy from a terminal, log in as root, or allow the user to run `sh` without: `NOPASSWD:` in sudoers.
            """
        case .passwordWrong: "sudo rejected the password. Nothing was run."
        case .terminalNeeded:
            """
            sudo only works at a terminal there, which would corrupt Deptool's data.
            Exempt the user in sudoers, as in `Defaults:deploy !requiretty`, or log in as root.
            """
        case .notAllowed: "The user of the login may not use sudo to become root. Allow it in sudoers, or log in as root."
        case .notInstalled: "The login is not root's, and there is no sudo. Install it, or log in as root."
        }
    }
}
