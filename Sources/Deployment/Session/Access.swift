import Model
import SSH

/// How to reach hosts.
package struct Access: Sendable {
    /// The client that carries a connection.
    package enum Transport: String, CaseIterable, Sendable {
        /// libssh2, or the system's ssh for features that libssh2 lacks.
        case auto
        case libssh2
        case openssh
    }

    /// `-F` of ssh; nil for the user's own configuration.
    package var sshConfiguration: String?
    package var prompts: Prompts
    package var transport: Transport
    /// Whether to ask about an unknown host regardless of the configuration.
    package var isStrict = false
    /// Reports why a host is reached through the system's ssh. Called on that host's thread.
    package var explain: (@Sendable (Hostname, SystemSSHReason) -> Void)?
    /// Limits concurrent logins.
    private let semaphore: Semaphore

    /// Maximum concurrent logins to one server, or through one jump host. sshd starts to drop connections at ten
    /// unauthenticated ones (`MaxStartups 10:30:100`), and other users may be logging in too.
    private static let maximumPerServer = 8
    /// How long a login may take, but for the answers of a person.
    private static let loginTimeout = Duration.seconds(60)
    /// How long to retry a server that drops connections.
    private static let retryTimeout = Duration.seconds(30)

    package init(
        sshConfiguration: String? = nil, prompts: Prompts = .none, transport: Transport = .auto, parallel: Int = 32
    ) {
        self.sshConfiguration = sshConfiguration
        self.prompts = prompts
        self.transport = transport
        semaphore = Semaphore(parallel, atDoor: Self.maximumPerServer)
    }

    /// Logs in and runs a command. Returns the stream and the login's user. Retries a server that drops connections
    /// because there are too many (sshd's `MaxStartups`), after a pause that differs from host to host.
    func start(
        _ command: String, on host: Hostname, sharing: SystemSSH.Sharing = .allowed, _ prompts: Prompts,
        _ interrupt: Interrupt
    ) throws(SSHError) -> (stream: any RemoteStream, user: String) {
        var reason: SystemSSHReason?
        var settings: HostSettings
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
        if isStrict { settings.beStrict() }
        switch transport {
        case .auto: if reason == nil { reason = try settings.reasonForSystemSSH(sharing) }
        case .libssh2: reason = nil
        case .openssh: reason = .chosen
        }
        let stream = try semaphore.enter(by: settings.servers) { () throws(SSHError) in
            try start(
                command, on: settings, because: reason, sharing: sharing, prompts: prompts, interrupt: interrupt)
        }
        return (stream, settings.user)
    }

    /// Uses the system's ssh if there is a reason to. Retries while the server is merely too busy.
    private func start(
        _ command: String, on settings: HostSettings, because reason: SystemSSHReason?, sharing: SystemSSH.Sharing,
        prompts: Prompts, interrupt: Interrupt
    ) throws(SSHError) -> any RemoteStream {
        let deadline = Deadline.after(Self.loginTimeout), retries = Deadline.after(Self.retryTimeout)
        var pause = 100
        while true {
            do throws(SSHError) {
                guard let reason else {
                    return try overLibrary(command, on: settings, prompts: prompts, interrupt: interrupt, deadline: deadline)
                }
                explain?(settings.name, reason)
                return try SystemSSH(
                    command, on: settings, sharing: sharing, prompts: prompts, interrupt: interrupt, deadline: deadline)
            } catch {
                if reason == nil, transport == .auto, error.systemSSHMayWork(prompts) {
                    return try overSystemSSH(
                        after: error, command, on: settings, sharing: sharing, prompts: prompts, interrupt: interrupt)
                }
                guard error.isWorthRetrying, !retries.hasPassed else { throw error }
                try interrupt.pause(.milliseconds(Int.random(in: pause / 2...pause)), deadline: deadline)
                pause = min(pause * 2, 5000)
            }
        }
    }

    private func overLibrary(
        _ command: String, on settings: HostSettings, prompts: Prompts, interrupt: Interrupt, deadline: Deadline
    ) throws(SSHError) -> any RemoteStream {
        let connection = try Connection(to: settings, prompts: prompts, interrupt: interrupt, deadline: deadline)
        return try connection.start(command, deadline: deadline)
    }

    /// Retries with the system's ssh where libssh2 failed. If that fails too, the error combines the findings of
    /// both.
    private func overSystemSSH(
        after failure: SSHError, _ command: String, on settings: HostSettings, sharing: SystemSSH.Sharing,
        prompts: Prompts, interrupt: Interrupt
    ) throws(SSHError) -> any RemoteStream {
        explain?(settings.name, .failure(failure))
        do throws(SSHError) {
            return try SystemSSH(
                command, on: settings, sharing: sharing, prompts: prompts, interrupt: interrupt,
                deadline: .after(Self.loginTimeout))
        } catch {
            switch (failure, error) {
            case (.loginFailed(let first), .loginFailed(let second)): throw .loginFailed(second.completed(by: first))
            // libssh2 describes a known kind of failure more clearly.
            case (.loginFailed, .systemSSHFailed), (.loginFailed, .connectionLost): throw failure
            default: throw error
            }
        }
    }
}

extension HostSettings {
    /// The servers that a login involves, as far as Deptool can tell: the host itself and the jump hosts before it.
    var servers: Set<String> {
        var servers: Set = ["\(hostName):\(port)"]
        if case .jump(let hosts) = route { for host in hosts { servers.insert("jump \(host)") } }
        return servers
    }
}
