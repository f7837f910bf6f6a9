import Platform

/// Why the system's `ssh` carries a connection instead of libssh2.
package enum SystemSSHReason: Hashable, Sendable {
    case chosen
    /// ssh already has a connection to the host (ControlMaster).
    case controlMaster
    /// Active settings that libssh2 does not support, by keyword.
    case settings([String])
    /// A login certificate exists at this path.
    case certificate(path: String)
    /// known_hosts trusts certificates for this host.
    case certificateAuthority
    /// libssh2 failed in a way that ssh may not.
    case failure(SSHError)

    /// Completes "over the system's ssh: …".
    package var phrase: String {
        switch self {
        case .chosen: "as you said"
        case .controlMaster: "it has a connection already"
        case .settings(let keywords): "only it follows \(keywords.joined(separator: ", "))"
        case .certificate(let path): "only it can log in with the certificate \(path)"
        case .certificateAuthority: "only it verifies certificates of hosts"
        case .failure(let error): "libssh2 could not: \(error.phrase)"
        }
    }
}

extension HostSettings {
    /// The host's known requirements that exceed libssh2, before any attempt.
    package func reasonForSystemSSH(_ sharing: SystemSSH.Sharing) throws(SSHError) -> SystemSSHReason? {
        if sharing == .allowed, let controlPath, Self.isSomebodyListening(at: controlPath) { return .controlMaster }
        if !unsupported.isEmpty { return .settings(unsupported) }
        for path in identityFiles.map({ $0 + "-cert.pub" }) where try readOwnFile(path, limit: 1 << 20) != nil {
            return .certificate(path: path)
        }
        let known = try KnownHosts(reading: userKnownHostsFiles + globalKnownHostsFiles)
        return known.hasAuthority(knownHostsName) ? .certificateAuthority : nil
    }

    private static func isSomebodyListening(at path: String) -> Bool { (try? FileDescriptor(connectingTo: path)) != nil }
}
