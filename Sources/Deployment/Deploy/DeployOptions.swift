import Model
import SSH

/// How a deploy is to be done.
package struct DeployOptions: Sendable {
    /// Connect before the operator has decided.
    package var connectsEarly: Bool
    package var unreachable: Unreachable
    /// Forget hosts on which nothing is left.
    package var forgets: Bool

    package init(connectsEarly: Bool = false, unreachable: Unreachable = .stop, forgets: Bool = false) {
        self.connectsEarly = connectsEarly
        self.unreachable = unreachable
        self.forgets = forgets
    }
}

/// A host that could not be reached, and why.
package typealias MissingHost = (host: Hostname, reason: SSHError)

/// What becomes of the other hosts when some cannot be reached.
package enum Unreachable: Sendable {
    /// They are left as they are.
    case stop
    /// They go on.
    case skip
    /// They go on if the operator says so; asked once, when all others can be reached, and none is locked yet.
    case ask(@Sendable ([MissingHost]) -> Bool)

    var isBearable: Bool {
        if case .stop = self { false } else { true }
    }
}
