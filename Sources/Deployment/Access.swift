import Model
import SSH

/// How hosts are reached.
public struct Access: Sendable {
    /// `-F` of ssh; nil for the user's own configuration.
    public var sshConfiguration: String?
    public var questions: Questions
    /// How many log in at once.
    private let turnstile: Turnstile

    /// How many log in at once to one server, or through one jump host. sshd begins to turn some away when ten have not
    /// logged in yet (`MaxStartups 10:30:100`), and others may be about to log in there, too.
    private static let mostPerServer = 8
    /// How long a server that turns connections away is tried again.
    private static let patience = Duration.seconds(30)

    public init(sshConfiguration: String? = nil, questions: Questions = .none, parallel: Int = 32) {
        self.sshConfiguration = sshConfiguration
        self.questions = questions
        turnstile = Turnstile(parallel, atDoor: Self.mostPerServer)
    }

    /// Logs in and runs a command. A server that turns connections away because there are too many (sshd's
    /// `MaxStartups`) is tried again, after a pause that differs from host to host.
    func start(
        _ command: String, on host: Hostname, _ questions: Questions, _ interrupt: Interrupt
    ) throws(SSHError) -> (Connection, any RemoteStream) {
        let settings = try turnstile.enter(by: []) { () throws(SSHError) in
            try HostSettings.ask(
                for: host, configurationFile: sshConfiguration, local: .current(), interrupt: interrupt,
                deadline: .after(.seconds(60)))
        }
        return try turnstile.enter(by: settings.servers) { () throws(SSHError) in
            let deadline = Deadline.after(.seconds(60)), retries = Deadline.after(Self.patience)
            var pause = 100
            while true {
                do throws(SSHError) {
                    let connection = try Connection(
                        to: settings, questions: questions, interrupt: interrupt, deadline: deadline)
                    return (connection, try connection.start(command, deadline: deadline))
                } catch {
                    guard error.isWorthRetrying, !retries.hasPassed else { throw error }
                    try interrupt.pause(.milliseconds(Int.random(in: pause / 2...pause)), deadline: deadline)
                    pause = min(pause * 2, 5000)
                }
            }
        }
    }
}

extension HostSettings {
    /// The servers that a login concerns, as far as Deptool knows: the host itself, and the jump hosts before it.
    var servers: Set<String> {
        var servers: Set = ["\(hostName):\(port)"]
        if case .jump(let hosts) = route { for host in hosts { servers.insert("jump \(host)") } }
        return servers
    }
}
