import Model
import SSH

/// How hosts are reached.
public struct Access: Sendable {
    /// What carries a connection.
    public enum Transport: String, CaseIterable, Sendable {
        /// libssh2, and the system's ssh for what libssh2 cannot do.
        case auto
        case libssh2
        case openssh
    }

    /// `-F` of ssh; nil for the user's own configuration.
    public var sshConfiguration: String?
    public var questions: Questions
    public var transport: Transport
    /// Is told why a host is reached through the system's ssh, on that host's thread.
    public var explain: (@Sendable (Hostname, SystemSSHReason) -> Void)?
    /// How many log in at once.
    let turnstile: Turnstile

    public init(
        sshConfiguration: String? = nil, questions: Questions = .none, transport: Transport = .auto, parallel: Int = 32
    ) {
        self.sshConfiguration = sshConfiguration
        self.questions = questions
        self.transport = transport
        turnstile = Turnstile(parallel)
    }

    /// Logs in and runs a command; whose login it was. A server that turns connections away because there are too many (sshd's
    /// `MaxStartups`) is tried again, after a pause that differs from host to host.
    func start(
        _ command: String, on host: Hostname, sharing: SystemSSH.Sharing = .allowed, _ questions: Questions,
        _ interrupt: Interrupt
    ) throws(SSHError) -> (stream: any RemoteStream, user: String) {
        let deadline = Deadline.after(.seconds(60))
        var reason: SystemSSHReason?
        let settings: HostSettings
        do {
            settings = try .ask(
                for: host, configurationFile: sshConfiguration, local: .current(), interrupt: interrupt, deadline: deadline)
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
        var pause = 100
        while true {
            do throws(SSHError) {
                if let reason {
                    explain?(host, reason)
                    let stream = try SystemSSH(
                        command, on: settings, sharing: sharing, questions: questions, interrupt: interrupt, deadline: deadline)
                    return (stream, settings.user)
                }
                return (try overLibrary(command, settings, questions, interrupt, deadline), settings.user)
            } catch {
                if reason == nil, transport == .auto, error.systemSSHMayWork(questions) {
                    return (try overSystemSSH(after: error, command, settings, sharing, questions, interrupt), settings.user)
                }
                guard error.isWorthRetrying, pause < 10_000 else { throw error }
                try interrupt.pause(.milliseconds(Int.random(in: pause / 2...pause)), deadline: deadline)
                pause *= 2
            }
        }
    }

    private func overLibrary(
        _ command: String, _ settings: HostSettings, _ questions: Questions, _ interrupt: Interrupt, _ deadline: Deadline
    ) throws(SSHError) -> any RemoteStream {
        let connection = try Connection(to: settings, questions: questions, interrupt: interrupt, deadline: deadline)
        return try connection.start(command, deadline: deadline)
    }

    /// Tries what libssh2 could not. If that fails too, what both found out is told.
    private func overSystemSSH(
        after failure: SSHError, _ command: String, _ settings: HostSettings, _ sharing: SystemSSH.Sharing,
        _ questions: Questions, _ interrupt: Interrupt
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
