import Model
import SSH

/// How hosts are reached.
public struct Access: Sendable {
    /// `-F` of ssh; nil for the user's own configuration.
    public var sshConfiguration: String?
    public var questions: Questions
    /// How many log in at once.
    let turnstile: Turnstile

    public init(sshConfiguration: String? = nil, questions: Questions = .none, parallel: Int = 32) {
        self.sshConfiguration = sshConfiguration
        self.questions = questions
        turnstile = Turnstile(parallel)
    }

    /// Logs in and runs a command. A server that turns connections away because there are too many (sshd's
    /// `MaxStartups`) is tried again, after a pause that differs from host to host.
    func start(
        _ command: String, on host: Hostname, _ questions: Questions, _ interrupt: Interrupt
    ) throws(SSHError) -> (Connection, any RemoteStream) {
        let deadline = Deadline.after(.seconds(60))
        let settings = try HostSettings.ask(
            for: host, configurationFile: sshConfiguration, local: .current(), interrupt: interrupt, deadline: deadline)
        var pause = 100
        while true {
            do {
                let connection = try Connection(to: settings, questions: questions, interrupt: interrupt, deadline: deadline)
                return (connection, try connection.start(command, deadline: deadline))
            } catch {
                guard error.isWorthRetrying, pause < 10_000 else { throw error }
                try interrupt.pause(.milliseconds(Int.random(in: pause / 2...pause)), deadline: deadline)
                pause *= 2
            }
        }
    }
}
