import CSSH2
import CSystem
import Model

/// What this machine has to log in with, for a host of which the configuration says nothing in particular.
package struct LocalSSH: Sendable {
    /// Nil without an agent.
    package let keysOfAgent: Int?
    /// Those that exist.
    package let identityFiles: [String]
    package let knownHostsFiles: [String]
    /// Why a file of host keys cannot be read.
    package let knownHostsProblem: SSHError?

    /// Of libssh2, such as `1.11.0`.
    package var libraryVersion: String { (unsafe libssh2_version(0).map { unsafe String(cString: $0) } ?? "?") }
    /// Whether libssh2 signs with RSA keys of files as OpenSSH 8.8 and later want it.
    package var signsRSAWell: Bool { Library.rsaSignatures == .sha2 }

    /// Asks `ssh -G`; throws what is wrong with ssh or its configuration.
    package init(configuration: String?) throws(SSHError) {
        let interrupt = try Interrupt()
        let deadline = Deadline.after(.seconds(10))
        guard let anyone = Hostname("localhost") else { throw .sshNotFound }
        let settings: HostSettings
        do throws(SSHError) {
            settings = try .ask(for: anyone, configurationFile: configuration, local: .current(), interrupt: interrupt, deadline: deadline)
        } catch {
            // ssh itself copes with what Deptool cannot use.
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
        knownHostsFiles = known.filter { path in
            var status = csys_stat()
            return unsafe csys_lstat(path, &status) == 0
        }
    }
}
