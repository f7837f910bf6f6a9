import Model
import Planning
import SSH
import Wire

/// What happens to one host in the course of a deploy.
package enum HostEvent: Sendable {
    case connecting
    case installingAgent
    /// The agent has introduced itself. Whether the host runs what the plan starts from is known now.
    case connected(Deployed)
    /// Comes after `connected`, when the deploy goes on.
    case warning(HostWarning)
    case locking
    /// Bytes sent, and how many there are to send.
    case staging(bytes: UInt64, of: UInt64)
    /// Locked, with all files; waits for the other hosts.
    case staged
    case applying(Step)
    /// A unit takes its time; comes every second.
    case waiting(Waiting)
    case undoing(AgentError)
    case ended(HostResult)

    /// What is deployed on a host: what the plan starts from, something else, or nothing any more.
    package enum Deployed: Sendable {
        case asPlanned, other, nothing
    }
}

/// What is worth knowing about a host, although it stands in nobody's way.
package enum HostWarning: Hashable, Sendable {
    /// Early boot reads these links before what they lead to is mounted. Ordered, never empty.
    case readBeforeMount([AbsolutePath])
    /// A deploy that is cut off is undone at the next contact, and not at the next boot.
    case noRecoveryAtBoot

    /// What a plan and the host's greeting give reason for.
    static func all(_ plan: HostPlan, _ hello: Hello) -> [HostWarning] {
        var warnings: [HostWarning] = []
        let early = plan.steps.compactMap { step -> AbsolutePath? in
            if case .link(let path, _) = step.action, path.isReadInEarlyBoot { path } else { nil }
        }
        if hello.isMountedLate, !early.isEmpty { warnings.append(.readBeforeMount(early)) }
        if hello.hasSystemd, !hello.recoversAtBoot { warnings.append(.noRecoveryAtBoot) }
        return warnings
    }
}

/// How a deploy ended for one host.
package enum HostResult: Hashable, Sendable {
    case deployed
    case rolledBack(AgentError)
    /// The host is in its old state again, because no new login worked; how the last of them ended.
    case lockedOut(HostError)
    /// The host is in neither state.
    case broken(AgentError, undoing: [AgentError], Outcome.Remainder)
    /// Nothing was changed.
    case failed(HostError)
    /// Nothing was changed: the host runs another commit, nil for none, which the store knows now.
    case stale(ObjectID?)
    /// The connection was lost while the steps ran, or nothing sensible came over it, so the host is in its old or its new state; it
    /// undoes by itself what was not committed.
    case unknown(HostError)
}
