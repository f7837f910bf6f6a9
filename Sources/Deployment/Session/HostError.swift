import Git
import Model
import SSH
import Wire

/// Why a host could not be worked with. Nothing on it has changed, unless the case says otherwise.
package enum HostError: Error, Hashable, Sendable {
    case ssh(SSHError)
    /// This tool was built without agents.
    case noAgents
    /// No agent for what `uname -sm` prints there.
    case unknownCPU(String, carried: [String])
    /// The agent could not be put there: at which command, and what was printed.
    case bootstrap(stage: String, printed: [UInt8])
    /// What was run ended without a word from the agent: its status, and what was printed.
    case noAgentSpoke(ExitStatus?, printed: [UInt8])
    /// The login is not root's, and sudo did not help; what was printed.
    case sudo(SudoProblem, printed: [UInt8])
    /// `/etc/hostname` names another host.
    case wrongHostname(expected: String, found: String)
    /// There is no systemd to run this unit.
    case noSystemd(UnitName)
    /// An earlier transaction could not be undone.
    case broken(AgentError, undoing: [AgentError], Outcome.Remainder)
    /// The agent refused what it was asked.
    case refused(AgentError)
    /// All that is in the way on the host, and how much more than that.
    case obstructed([AgentError], more: Int)
    /// What the host sent is no message.
    case malformed(WireError)
    /// A message that makes no sense at this point.
    case unexpected
    case store(StoreError)
    /// The record on the host does not hang together by its ids.
    case inconsistentRecord
    /// What is deployed there cannot be read, for that reason.
    case unreadable(String)
    /// Another deploy holds the lock.
    case busy(Holder)
    /// All hosts must be ready before any changes, and another was not.
    case otherHostNotReady
    /// The operator gave up.
    case calledOff
    /// sshd would not let the operator in with what it reads when it starts next, because of this setting.
    case sshdRefuses(setting: String)
    /// It is not known whether sshd would let the operator in then, because of changes of these settings; none: because it
    /// could not be asked before the change.
    case sshdUntested([String])
}
