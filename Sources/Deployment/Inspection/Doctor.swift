import Git
import Model
import Planning
import SSH

/// Looks at the way to hosts, step by step, and at what is there; changes nothing on them.
package struct Doctor: Sendable {
    /// What the config tree wants of a host that matters before anything is deployed.
    package struct Wanted: Sendable {
        /// What `/etc/hostname` shall say.
        package var hostname: String?
        package var usesQuadlets: Bool
        package var usesUnits: Bool
        /// Paths of symlinks that are read in early boot.
        package var earlyLinks: [AbsolutePath]

        /// Of a host that is in no config tree, nothing.
        package init(hostname: String? = nil, usesQuadlets: Bool = false, usesUnits: Bool = false, earlyLinks: [AbsolutePath] = []) {
            (self.hostname, self.usesQuadlets, self.usesUnits, self.earlyLinks) = (hostname, usesQuadlets, usesUnits, earlyLinks)
        }
    }

    /// A step on the way, or what stopped there.
    package enum Observation: Hashable, Sendable {
        case settings(user: String, endpoint: String, over: SystemSSHReason?)
        /// All between here and a command that runs as root.
        case login
        /// What the login prints before the command has a say.
        case noise(String)
        case cpu(String, isCarried: Bool)
        case hostname(String, expected: String?)
        case space(UInt64?)
        case options([String])
        case programs(missing: [String])
        case systemd(String?, isNeeded: Bool)
        /// On which mount Deptool's directory is, or will be, and the symlinks into it that are read before anything is mounted.
        case boot(mount: String, earlyLinks: [AbsolutePath])
        case quadlets(present: Bool, isNeeded: Bool)
        case failed(HostError)
    }

    private let task: HostTask

    package init(_ hosts: [Hostname], access: Access) throws(SSHError) { task = try HostTask(hosts, access: access) }

    /// What was found on the way to each host, in order; ends with the first failure that nothing gets past.
    package func examine(_ wanted: @escaping @Sendable (Hostname) -> Wanted) async -> [(host: Hostname, steps: [Observation])] {
        await task.onEach { host, access, interrupt in
            var steps: [Observation] = []
            do throws(HostError) {
                let printed = try access.probe(host, interrupt) { steps.append($0) }
                steps.append(.login)
                guard let probe = HostProbe(printed) else { throw .noAgentSpoke(nil, printed: printed) }
                steps += Self.steps(probe, wanted(host))
            } catch {
                steps.append(.failed(error))
            }
            return (host, steps)
        }.sorted { $0.host < $1.host }
    }

    static func steps(_ probe: HostProbe, _ wanted: Wanted) -> [Observation] {
        let cpus = BundledAgent.all.map(\.cpu)
        return [
            .noise(probe.noise), .cpu(probe.cpu, isCarried: cpus.contains { "Linux \($0)" == probe.cpu }),
            .hostname(probe.hostname, expected: wanted.hostname), .space(probe.available), .options(probe.options),
            .programs(missing: probe.missing), .systemd(probe.systemd, isNeeded: wanted.usesUnits),
            .boot(mount: probe.mounts.last ?? "/", earlyLinks: wanted.earlyLinks),
            .quadlets(present: probe.hasQuadlets, isNeeded: wanted.usesQuadlets),
        ]
    }

    /// The CPUs that this tool has agents for, as `uname -m` prints them.
    package static var carriedCPUs: [String] { BundledAgent.all.map(\.cpu) }
}

extension ClusterReader {
    /// What matters about each host of the root tree before a deploy.
    package func wanted(in root: ObjectID) throws(ClusterError) -> [Hostname: Doctor.Wanted] {
        var result: [Hostname: Doctor.Wanted] = [:]
        for (host, id) in try hosts(in: root) {
            let tree = try hostTree(host, id)
            let files = tree.apps.flatMap { $0.files.map(\.path.text) }
            result[host] = Doctor.Wanted(
                hostname: tree.options.hostname ?? host.text, usesQuadlets: files.contains { $0.hasPrefix("quadlets/") },
                usesUnits: files.contains { $0.hasPrefix("systemd/") } || tree.apps.contains { !$0.manifest.units.isEmpty },
                earlyLinks: tree.apps.flatMap { $0.links.map(\.path) }.filter(\.isReadInEarlyBoot))
        }
        return result
    }
}

extension Access {
    /// Runs ``HostProbe`` as root, and returns what was printed.
    fileprivate func probe(_ host: Hostname, _ interrupt: Interrupt, _ found: (Doctor.Observation) -> Void) throws(HostError) -> [UInt8] {
        let bootstrap = Bootstrap(agents: [])
        do throws(SSHError) {
            let settings = try HostSettings.ask(
                for: host, configurationFile: sshConfiguration, local: .current(), interrupt: interrupt, deadline: .after(.seconds(60)))
            let reason = try transport == .libssh2 ? nil : transport == .openssh ? .chosen : settings.reasonForSystemSSH(.allowed)
            found(.settings(user: settings.user, endpoint: Endpoint(address: settings.hostName, port: settings.port).text, over: reason))
        } catch {
            // What Deptool cannot use, ssh may.
            guard case .settingInvalid = error, transport != .libssh2 else { throw .ssh(error) }
        }
        let stream: any RemoteStream
        let user: String
        do throws(SSHError) {
            (stream, user) = try start(bootstrap.asRoot(HostProbe.script), on: host, questions, interrupt)
        } catch {
            throw .ssh(error)
        }
        var sudo = SudoPassword(
            prompt: bootstrap.passwordPrompt, ask: questions.sudoPassword.map { ask in { wrong in ask(host, user, wrong) } })
        var printed: [UInt8] = []
        while true {
            try sudo.answer(stream)
            do throws(SSHError) {
                guard try stream.waitForOutput(deadline: .after(Conversation.timeout)) else { continue }
                let bytes = try stream.read(max: 64 << 10, deadline: .after(Conversation.timeout))
                if !bytes.isEmpty {
                    printed += bytes
                    guard printed.count < 256 << 10 else { return printed }
                    continue
                }
            } catch {
                throw .ssh(error)
            }
            break
        }
        let status: ExitStatus
        do { status = try stream.exitStatus(deadline: .after(.seconds(5))) } catch { throw .ssh(error) }
        guard HostProbe(printed) == nil else { return printed }
        let all = printed + sudo.cleaned(stream.standardError)
        if let problem = SudoProblem(String(decoding: all, as: UTF8.self)) { throw .sudo(problem, printed: all) }
        throw .noAgentSpoke(status, printed: all)
    }
}
