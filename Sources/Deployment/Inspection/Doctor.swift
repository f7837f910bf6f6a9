import Git
import Model
import Planning
import SSH

/// Checks the way to hosts, step by step, and the hosts themselves. Changes nothing on them.
package struct Doctor: Sendable {
    /// The config tree's requirements on a host that matter before the first deploy.
    package struct Wanted: Sendable {
        /// The hostname expected in `/etc/hostname`.
        package var hostname: String?
        package var usesQuadlets: Bool
        package var usesUnits: Bool
        /// Paths of symlinks that early boot reads.
        package var earlyLinks: [AbsolutePath]
        /// The requirements in the manifests of its apps.
        package var requirements: [(app: AppName, needed: [Requirement])] = []

        /// The defaults fit a host that is in no config tree: no requirements.
        package init(hostname: String? = nil, usesQuadlets: Bool = false, usesUnits: Bool = false, earlyLinks: [AbsolutePath] = []) {
            (self.hostname, self.usesQuadlets, self.usesUnits, self.earlyLinks) = (hostname, usesQuadlets, usesUnits, earlyLinks)
        }
    }

    /// A step on the way, or the failure that ended it there.
    package enum Observation: Hashable, Sendable {
        case settings(user: String, endpoint: String, over: SystemSSHReason?)
        /// Everything between here and a command that runs as root.
        case login
        /// Output of the login before the command runs.
        case noise(String)
        case cpu(String, isCarried: Bool)
        case hostname(String, expected: String?)
        case space(UInt64?)
        case options([String])
        case programs(missing: [String])
        case systemd(String?, isNeeded: Bool)
        /// The mount that holds, or will hold, Deptool's directory, and the symlinks into it that early boot reads
        /// before anything is mounted.
        case boot(mount: String, earlyLinks: [AbsolutePath])
        case quadlets(present: Bool, isNeeded: Bool)
        /// The requirements that the host does not meet, one a line, each beginning with the app; nil if its apps have none.
        case requirements([String]?)
        case failed(HostError)
    }

    private let task: HostTask

    package init(_ hosts: [Hostname], access: Access) throws(SSHError) { task = try HostTask(hosts, access: access) }

    /// Examines each host step by step; the list ends with the first failure that blocks further steps.
    package func examine(_ wanted: @escaping @Sendable (Hostname) -> Wanted) async -> [(host: Hostname, steps: [Observation])] {
        await task.onEach { host, access, interrupt in
            var steps: [Observation] = []
            do throws(HostError) {
                let wanted = wanted(host)
                let printed = try access.probe(host, script: HostFacts.script(wanted.requirements), interrupt: interrupt) {
                    steps.append($0)
                }
                steps.append(.login)
                guard let probe = HostFacts(printed) else { throw .noAgentSpoke(nil, printed: printed) }
                steps += Self.steps(probe, wanted)
            } catch {
                steps.append(.failed(error))
            }
            return (host, steps)
        }.sorted { $0.host < $1.host }
    }

    static func steps(_ probe: HostFacts, _ wanted: Wanted) -> [Observation] {
        let machines = BundledAgent.all.flatMap(\.machines)
        return [
            .noise(probe.noise), .cpu(probe.cpu, isCarried: machines.contains(probe.cpu)),
            .hostname(probe.hostname, expected: wanted.hostname), .space(probe.available), .options(probe.options),
            .programs(missing: probe.missing), .systemd(probe.systemd, isNeeded: wanted.usesUnits),
            .boot(mount: probe.mounts.last ?? "/", earlyLinks: wanted.earlyLinks),
            .quadlets(present: probe.hasQuadlets, isNeeded: wanted.usesQuadlets),
            .requirements(wanted.requirements.isEmpty ? nil : probe.lacks),
        ]
    }

    /// The CPUs that this tool has agents for, as `uname -m` prints them.
    package static var carriedCPUs: [String] { BundledAgent.all.map(\.cpu) }
}

extension ClusterReader {
    /// The requirements of each host in the root tree before a deploy.
    package func wanted(in root: ObjectID) throws(ClusterError) -> [Hostname: Doctor.Wanted] {
        var result: [Hostname: Doctor.Wanted] = [:]
        for (host, id) in try hosts(in: root) {
            let tree = try hostTree(host, id)
            let files = tree.apps.flatMap { $0.files.map(\.path.text) }
            result[host] = Doctor.Wanted(
                hostname: tree.options.hostname ?? host.text, usesQuadlets: files.contains { $0.hasPrefix("quadlets/") },
                usesUnits: files.contains { $0.hasPrefix("systemd/") } || tree.apps.contains { !$0.manifest.units.isEmpty },
                earlyLinks: tree.apps.flatMap { $0.links.map(\.path) }.filter(\.isReadInEarlyBoot))
            result[host]?.requirements = tree.apps.filter { !$0.manifest.requires.isEmpty }.map { ($0.name, $0.manifest.requires) }
        }
        return result
    }
}

extension Access {
    /// Runs ``HostFacts`` as root, and returns its output.
    fileprivate func probe(
        _ host: Hostname, script: String, interrupt: Interrupt, found: (Doctor.Observation) -> Void
    ) throws(HostError) -> [UInt8] {
        do throws(SSHError) {
            let settings = try HostSettings.ask(
                for: host, configurationFile: sshConfiguration, local: .current(), interrupt: interrupt, deadline: .after(.seconds(60)))
            let reason = try transport == .libssh2 ? nil : transport == .openssh ? .chosen : settings.reasonForSystemSSH(.allowed)
            found(.settings(user: settings.user, endpoint: SSHEndpoint(address: settings.hostName, port: settings.port).text, over: reason))
        } catch {
            // ssh may accept settings that Deptool cannot use.
            guard case .settingInvalid = error, transport != .libssh2 else { throw .ssh(error) }
        }
        let result = try run(asRoot: script, on: host, interrupt)
        guard HostFacts(result.printed) == nil else { return result.printed }
        throw result.failure
    }
}
