import Model
import Planning
import SSH
import Wire

/// An event on one host during a deploy.
package enum HostEvent: Sendable {
    case connecting
    case installingAgent
    /// The agent has greeted. Its greeting shows whether the host runs the plan's base.
    case connected(Deployed)
    /// Follows `connected`. Warnings of edits come at once, so that the operator can still refuse; the others when the deploy goes on.
    case warning(HostWarning)
    case locking
    /// Bytes sent, and the total to send.
    case staging(bytes: UInt64, of: UInt64)
    /// Locked, with all files; waiting for the other hosts.
    case staged
    case applying(Step)
    /// A unit is not ready yet; repeated every second.
    case waiting(Waiting)
    /// A service has not passed its probe yet; repeated every second, in seconds.
    case unanswered(Probe, ProbeAnswer, elapsed: Int, limit: Int)
    case undoing(AgentError)
    case ended(HostResult)

    /// A host's deployed state: the plan's base, another commit, or none.
    package enum Deployed: Sendable {
        case asPlanned, other, nothing
    }
}

/// A warning about a host that does not stop the deploy.
package enum HostWarning: Hashable, Sendable {
    /// Early boot reads these links before their targets are mounted. Ordered, never empty.
    case readBeforeMount([AbsolutePath])
    /// The host rolls back an interrupted deploy at the next contact, not at the next boot.
    case noRecoveryAtBoot
    /// Files that somebody edited on the host, as `app/path`. Ordered, never empty.
    case replacesEdits([String])
    /// The same in apps that go.
    case removesEdits([String])
    /// Links of changed apps that somebody has replaced or removed. Programs that read these paths do not see the new files.
    /// Ordered, never empty.
    case lostLinks([AbsolutePath])

    /// The warnings for a plan and the host's greeting.
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

/// The result of a deploy on one host.
package enum HostResult: Hashable, Sendable {
    case deployed
    /// Every check passed, and nothing was changed, as wished.
    case checked
    /// With the answers of the previous state's services.
    case rolledBack(AgentError, answers: [ProbeResult] = [])
    /// The host is back in its old state because no new login worked; the error of the last attempt.
    case lockedOut(HostError)
    /// The host is in neither state.
    case broken(AgentError, undoing: [AgentError], Outcome.Remainder)
    /// Nothing changed.
    case failed(HostError)
    /// Nothing changed: the host runs another commit, nil for none, which the store has now.
    case stale(ObjectID?)
    /// The connection was lost or returned garbage while the steps ran, so the host is in its old or its new state.
    /// It rolls back by itself unless committed.
    case unknown(HostError)
}
