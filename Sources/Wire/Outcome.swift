import Model

/// The result of a transaction.
package indirect enum Outcome: Hashable, Sendable {
    /// The host is in the new state.
    case deployed
    /// Nothing was changed, because of an error found beforehand.
    case unchanged(AgentError)
    /// The host is back in its old state after a failure.
    case rolledBack(AgentError)
    /// The rollback failed as well. The host is in neither state and needs manual repair.
    case broken(AgentError, undoing: [AgentError], Remainder)

    /// The outcome in a word, as the wire has it.
    package enum Ending: UInt8, Sendable {
        case deployed = 0
        case rolledBack, broken, unchanged
    }

    /// The part of the host that was not restored.
    package enum Remainder: UInt8, Hashable, Sendable {
        /// Files or links: the next agent tries again to restore them.
        case files
        /// Only units. Nothing tries again, so that deploys to the host remain possible.
        case units
    }
}
