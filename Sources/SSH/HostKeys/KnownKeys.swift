extension HostSettings {
    /// The host's ed25519 keys in known_hosts that a login would accept, in SSH's wire format; empty if the host was never
    /// seen. Throws ``SSHError/knownHostsUnusable(path:_:)``.
    package func knownEd25519Keys() throws(SSHError) -> [PublicKey] {
        let known = try KnownHosts(reading: userKnownHostsFiles + globalKnownHostsFiles)
        let keys = known.keys(of: knownHostsName, type: "ssh-ed25519")
        // Like ssh, accept a key of the name without its port.
        guard keys.isEmpty, hostKeyAlias == nil, port != 22 else { return keys }
        return known.keys(of: hostName.lowercased(), type: "ssh-ed25519")
    }

    /// Connects only for the question about the host's key, whose answer goes to known_hosts.
    package func askForHostKey(_ prompts: Prompts, interrupt: Interrupt, deadline: Deadline) throws(SSHError) {
        do throws(SSHError) {
            // Without answers to a login's prompts, it ends there at the latest.
            _ = try Connection(to: self, prompts: Prompts(confirm: prompts.confirm), interrupt: interrupt, deadline: deadline)
        } catch {
            guard try knownEd25519Keys().isEmpty else { return }
            throw error
        }
    }
}
