import Git
import Model
import SSH
import Wire

/// Why a host cannot be worked with. Nothing on it has changed, except as documented for a case.
package enum HostError: Error, Hashable, Sendable {
    case ssh(SSHError)
    /// This tool was built without agents.
    case noAgents
    /// No agent for the host's CPU, as `uname -sm` prints it.
    case unknownCPU(String, carried: [String])
    /// Installing the agent failed: at which command, and what it printed.
    case bootstrap(stage: String, printed: [UInt8])
    /// The command ended without a word from the agent: its status and output.
    case noAgentSpoke(ExitStatus?, printed: [UInt8])
    /// The login is not root, and sudo failed; its output.
    case sudo(SudoProblem, printed: [UInt8])
    /// `/etc/hostname` names another host.
    case wrongHostname(expected: String, found: String)
    /// There is no systemd to run this unit.
    case noSystemd(UnitName)
    /// An earlier transaction could not be rolled back.
    case broken(AgentError, undoing: [AgentError], Outcome.Remainder)
    /// The agent refused the request.
    case refused(AgentError)
    /// The obstacles on the host, and how many more there are.
    case obstructed([AgentError], more: Int)
    /// The host sent something that is not a message.
    case malformed(WireError)
    /// A message that is not valid at this point.
    case unexpected
    /// A look at the host found what cannot be, or did not end.
    case malformedSurvey
    case store(StoreError)
    /// The objects of the host's record do not match their IDs.
    case inconsistentRecord
    /// The deployed state on the host cannot be read, for this reason.
    case unreadable(String)
    /// Another deploy holds the lock.
    case busy(LockHolder)
    /// Another host was not ready. All must be ready before any changes.
    case otherHostNotReady
    /// The operator cancelled.
    case cancelled
    /// This setting would make sshd reject the operator at its next start.
    case sshdRefuses(setting: String)
    /// Whether sshd would still accept the operator is unknown, because these settings changed. Empty if sshd could
    /// not be queried before the change.
    case sshdUntested([String])
}

/// Calls the store, whose errors become the host's.
func inStore<Result>(_ body: @autoclosure () throws(StoreError) -> Result) throws(HostError) -> Result {
    do { return try body() } catch { throw .store(error) }
}

/// Uses the connection, whose errors become the host's.
func overSSH<Result>(_ body: @autoclosure () throws(SSHError) -> Result) throws(HostError) -> Result {
    do { return try body() } catch { throw .ssh(error) }
}
