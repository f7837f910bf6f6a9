import Model
import Planning
import SSH

/// The keys of hosts that secrets are sealed for: those of their `host.json`, or else their ed25519 host keys, as a login would
/// find them in known_hosts.
package struct HostKeys: Sendable {
    /// Instead of the user's own configuration of ssh.
    private let configuration: String?

    package init(configuration: String?) { self.configuration = configuration }

    /// Empty if the host was never seen. Runs `ssh -G`, unless `options` have the key.
    package func known(_ host: Hostname, _ options: HostOptions) throws(SSHError) -> [PublicKey] {
        if let identity = options.identity.flatMap({ PublicKey(line: Array($0.utf8)[...]) }) { return [identity] }
        return try settings(host, Interrupt()).knownEd25519Keys()
    }

    /// Connects to a host that was never seen, for the question about its key.
    package func ask(_ host: Hostname, _ prompts: Prompts) throws(SSHError) -> [PublicKey] {
        let interrupt = try Interrupt()
        var settings = try settings(host, interrupt)
        settings.beStrict()
        try settings.askForHostKey(prompts, interrupt: interrupt, deadline: .after(.seconds(60)))
        return try settings.knownEd25519Keys()
    }

    private func settings(_ host: Hostname, _ interrupt: Interrupt) throws(SSHError) -> HostSettings {
        try .ask(for: host, configurationFile: configuration, local: .current(), interrupt: interrupt, deadline: .after(.seconds(10)))
    }
}
