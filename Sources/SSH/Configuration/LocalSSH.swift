import CSSH2
import Model
import Platform

/// This machine's means to log in to a host without settings of its own.
package struct LocalSSH: Sendable {
    /// Nil without an agent.
    package let keysOfAgent: Int?
    /// Only existing files.
    package let identityFiles: [String]
    package let knownHostsFiles: [String]
    /// Why a known_hosts file cannot be read.
    package let knownHostsProblem: SSHError?

    /// libssh2's version, such as `1.11.0`.
    package var libraryVersion: String { libssh2Versions.running }
    /// Whether libssh2 signs with RSA keys from files in a way that OpenSSH 8.8 and later accept.
    package var signsRSAWell: Bool { Library.rsaSignatures == .sha2 }

    /// Runs `ssh -G`. Throws if ssh or its configuration is broken.
    package init(configuration: String?) throws(SSHError) {
        let interrupt = try Interrupt()
        let deadline = Deadline.after(.seconds(10))
        guard let anyone = Hostname("localhost") else { throw .sshNotFound }
        let settings: HostSettings
        do throws(SSHError) {
            settings = try .ask(for: anyone, configurationFile: configuration, local: .current(), interrupt: interrupt, deadline: deadline)
        } catch {
            // ssh itself accepts settings that Deptool cannot use.
            guard case .settingInvalid = error else { throw error }
            settings = .named(anyone, user: LocalUser.current().name, configurationFile: configuration)
        }
        if case .path(let path) = settings.agent, let agent = SSHAgent(at: path, interrupt: interrupt) {
            keysOfAgent = (try? agent.keys(deadline: deadline))?.count ?? 0
        } else {
            keysOfAgent = nil
        }
        identityFiles = settings.identityFiles.filter { KeyFile(at: $0) != nil }
        let known = settings.userKnownHostsFiles + settings.globalKnownHostsFiles
        var problem: SSHError?
        do throws(SSHError) { _ = try KnownHosts(reading: known) } catch { problem = error }
        knownHostsProblem = problem
        knownHostsFiles = known.filter(exists)
    }
}
