import Model
import SSH

/// How hosts are reached.
package struct Access: Sendable {
    /// What carries a connection.
    package enum Transport: String, CaseIterable, Sendable {
        /// libssh2, and the system's ssh for what libssh2 cannot do.
        case auto
        case libssh2
        case openssh
    }

    /// `-F` of ssh; nil for the user's own configuration.
    package var sshConfiguration: String?
    package var questions: Prompts
    package var transport: Transport
    /// Is told why a host is reached through the system's ssh, on that host's thread.
    package var explain: (@Sendable (Hostname, SystemSSHReason) -> Void)?
    /// How many log in at once.
    private let semaphore: Semaphore

    /// How many log in at once to one server, or through one jump host. sshd begins to turn some away when ten have not
    /// logged in yet (`MaxStartups 10:30:100`), and others may be about to log in there, too.
    private static let maximumPerServer = 8
    /// How long a server that turns connections away is tried again.
    private static let timeout = Duration.seconds(30)

    package init(
        sshConfiguration: String? = nil, questions: Prompts = .none, transport: Transport = .auto, parallel: Int = 32
    ) {
        self.sshConfiguration = sshConfiguration
        self.questions = questions
        self.transport = transport
        semaphore = Semaphore(parallel, atDoor: Self.maximumPerServer)
    }

    /// Logs in and runs a command; whose login it was. A server that turns connections away because there are too many (sshd's
    /// `MaxStartups`) is tried again, after a pause that differs from host to host.
    func start(
        _ command: String, on host: Hostname, sharing: SystemSSH.Sharing = .allowed, _ questions: Prompts,
        _ interrupt: Interrupt
    ) throws(SSHError) -> (stream: any RemoteStream, user: String) {
        var reason: SystemSSHReason?
        let settings: HostSettings
        do {
            settings = try semaphore.enter(by: []) { () throws(SSHError) in
                try .ask(
                    for: host, configurationFile: sshConfiguration, local: .current(), interrupt: interrupt,
                    deadline: .after(.seconds(60)))
            }
        } catch {
            guard transport != .libssh2, case .settingInvalid(let keyword, _) = error else { throw error }
            settings = .named(host, user: LocalUser.current().name, configurationFile: sshConfiguration)
            reason = .settings([keyword])
        }
        switch transport {
        case .auto: if reason == nil { reason = try settings.reasonForSystemSSH(sharing) }
        case .libssh2: reason = nil
        case .openssh: reason = .chosen
        }
        let stream = try semaphore.enter(by: settings.servers) { () throws(SSHError) in
            try start(command, settings, because: reason, sharing, questions, interrupt)
        }
        return (stream, settings.user)
    }

    /// Over the system's ssh if there is a reason for that. Tries again while the server is only too busy.
    private func start(
        _ command: String, _ settings: HostSettings, because reason: SystemSSHReason?, _ sharing: SystemSSH.Sharing,
        _ questions: Prompts, _ interrupt: Interrupt
    ) throws(SSHError) -> any RemoteStream {
        let deadline = Deadline.after(.seconds(60)), retries = Deadline.after(Self.timeout)
        var pause = 100
        while true {
            do throws(SSHError) {
                guard let reason else { return try overLibrary(command, settings, questions, interrupt, deadline) }
                explain?(settings.name, reason)
                return try SystemSSH(
                    command, on: settings, sharing: sharing, questions: questions, interrupt: interrupt, deadline: deadline)
            } catch {
                if reason == nil, transport == .auto, error.systemSSHMayWork(questions) {
                    return try overSystemSSH(after: error, command, settings, sharing, questions, interrupt)
                }
                guard error.isWorthRetrying, !retries.hasPassed else { throw error }
                try interrupt.pause(.milliseconds(Int.random(in: pause / 2...pause)), deadline: deadline)
                pause = min(pause * 2, 5000)
            }
        }
    }

    private func overLibrary(
        _ command: String, _ settings: HostSettings, _ questions: Prompts, _ interrupt: Interrupt, _ deadline: Deadline
    ) throws(SSHError) -> any RemoteStream {
        let connection = try Connection(to: settings, questions: questions, interrupt: interrupt, deadline: deadline)
        return try connection.start(command, deadline: deadline)
    }

    /// Tries what libssh2 could not. If that fails too, what both found out is told.
    private func overSystemSSH(
        after failure: SSHError, _ command: String, _ settings: HostSettings, _ sharing: SystemSSH.Sharing,
        _ questions: Prompts, _ interrupt: Interrupt
    ) throws(SSHError) -> any RemoteStream {
        explain?(settings.name, .failure(failure))
        do throws(SSHError) {
            return try SystemSSH(
                command, on: settings, sharing: sharing, questions: questions, interrupt: interrupt,
                deadline: .after(.seconds(60)))
        } catch {
            switch (failure, error) {
            case (.loginFailed(let first), .loginFailed(let second)): throw .loginFailed(second.completed(by: first))
            // What libssh2 said of a known kind of failure is clearer.
            case (.loginFailed, .systemSSHFailed), (.loginFailed, .connectionLost): throw failure
            default: throw error
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
