import Model

/// What a look at one thing found out.
package struct Diagnosis: Hashable, Sendable {
    package enum Verdict: String, Sendable {
        case ok
        /// It works, but not well, or not for all that one may want.
        case warn
        case fail
    }

    /// Nil for this machine.
    package var host: Hostname?
    /// What was looked at, in a word or two.
    package var check: String
    package var verdict: Verdict
    /// What was found; one line.
    package var message: String
    /// What to do about it; nil where there is nothing to do.
    package var help: String?

    package init(_ check: String, _ verdict: Verdict, _ message: String, help: String? = nil, host: Hostname? = nil) {
        (self.check, self.verdict, self.message, self.help, self.host) = (check, verdict, message, help, host)
    }
}
