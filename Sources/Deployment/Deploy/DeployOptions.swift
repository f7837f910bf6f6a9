import Model
import SSH

/// Options of a deploy.
package struct DeployOptions: Sendable {
    /// Connect before the operator has decided.
    package var connectsEarly: Bool
    package var unreachable: Unreachable
    /// Forget hosts on which nothing remains.
    package var forgets: Bool
    /// Whether to end when the hosts have passed their checks, and to change nothing.
    package var isRehearsal: Bool
    /// Runs a program of the operator, once all hosts are ready to commit, and ends it when the deploy is cancelled: its exit
    /// status; nil if it took too long or was ended.
    package var confirm: (@Sendable (_ isCancelled: () -> Bool) -> Int?)?

    package init(
        connectsEarly: Bool = false, unreachable: Unreachable = .stop, forgets: Bool = false, isRehearsal: Bool = false,
        confirm: (@Sendable (_ isCancelled: () -> Bool) -> Int?)? = nil
    ) {
        self.connectsEarly = connectsEarly
        self.unreachable = unreachable
        self.forgets = forgets
        self.isRehearsal = isRehearsal
        self.confirm = confirm
    }
}

/// A host that could not be reached, and why.
package typealias MissingHost = (host: Hostname, reason: SSHError)

/// The action for the other hosts when some cannot be reached.
package enum Unreachable: Sendable {
    /// Leave them as they are.
    case stop
    /// Continue with them.
    case skip
    /// Continue if the operator agrees. Asked once, when all others can be reached and before any is locked.
    case ask(@Sendable ([MissingHost]) -> Bool)

    var isBearable: Bool {
        if case .stop = self { false } else { true }
    }
}
