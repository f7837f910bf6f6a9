/// Why sudo on a host did not start the agent.
package enum SudoProblem: Hashable, Sendable {
    /// sudo needs a password, and the operator could not be reached or gave none.
    case passwordNeeded
    case passwordWrong
    /// `Defaults requiretty`.
    case terminalNeeded
    /// The user may not run the agent as root.
    case notAllowed
    case notInstalled

    /// Recognises the messages of sudo and sudo-rs on standard error, which are in English here.
    init?(_ text: String) {
        if text.contains("you must have a tty") {
            self = .terminalNeeded
        } else if text.contains("incorrect password attempt") || text.contains("incorrect authentication attempt") {
            self = .passwordWrong
        } else if text.contains("is not in the sudoers file") || text.contains("is not allowed to ") || text.contains("may not run sudo")
            || text.contains("I'm afraid I can't do that")
        {
            self = .notAllowed
        } else if text.contains("sudo: not found") || text.contains("sudo: command not found") {
            self = .notInstalled
        } else if text.contains("a password is required") || text.contains("no password was provided") {
            self = .passwordNeeded
        } else {
            return nil
        }
    }
}
