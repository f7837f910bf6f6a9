import Model

/// The result of one check.
package struct Diagnosis: Hashable, Sendable {
    package enum Verdict: String, Sendable {
        case ok
        /// It works, but not well, or not for every use.
        case warn
        case fail
    }

    /// Nil for this machine.
    package var host: Hostname?
    /// The subject of the check, in a word or two.
    package var check: String
    package var verdict: Verdict
    /// The finding; one line.
    package var message: String
    /// How to fix it; nil if there is nothing to do.
    package var help: String?

    package init(_ check: String, _ verdict: Verdict, _ message: String, help: String? = nil, host: Hostname? = nil) {
        (self.check, self.verdict, self.message, self.help, self.host) = (check, verdict, message, help, host)
    }
}
