import ArgumentParser
import Deployment
import Display
import Git
import Model
import Planning
import Platform
import SSH

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show problems on the hosts and in the config tree.",
        discussion: """
            Status asks every host, and shows in one screen: hosts that cannot be asked, units that are not well, services that do \
            not answer their probes, hosts that run another commit than the store records, held hosts, and undeployed changes. Then it \
            names the hosts that are well. It deploys nothing.

            With `--live`, it shows the state of each host: load, memory, space on `/` and `/var`, uptime, whether a reboot is \
            required, failed units, and the state of every unit that an app enables.

            Exit status: 0, also if something is not well, unless you give `--exit-code`; 1 if a host that is not held could not be \
            asked, or if the config tree has a mistake.

            Example: `deptool status --drift --limit 'web*'`
            """)

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: HostLimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption
    @Flag(help: "Also compare the files of each host with what was deployed, as `deptool verify` does.")
    var drift = false
    @Flag(help: "Ask no host: show only what is in the store and in the config tree.")
    var offline = false
    @Flag(help: "Also show the last deploy of every host.")
    var all = false
    @Flag(help: "Exit with status 2 if there is any problem.")
    var exitCode = false
    @Flag(help: "Show the state of each host: load, memory, disk and units.")
    var live = false
    @Option(
        defaultAsFlag: 2,
        help: ArgumentHelp("With '--live': query again every so many seconds (2), until Ctrl-C.", valueName: "seconds"))
    var watch: Int?

    func validate() throws {
        guard live || watch == nil else { throw ValidationError("'--watch' needs '--live'.") }
        guard (1...86400).contains(watch ?? 1) else { throw ValidationError("'--watch' takes a number from 1 to 86400.") }
        guard !live || !drift && !offline && !all && !exitCode else {
            throw ValidationError("'--live' cannot be used with '--drift', '--offline', '--all' or '--exit-code'.")
        }
        guard !offline || !drift else { throw ValidationError("'--drift' asks the hosts: it cannot be used with '--offline'.") }
    }

    func run() async throws {
        let workspace = try cluster.workspace()
        let hosts = try workspace.knownHosts(limit.filter)
        if live { return try await ask(hosts, storePath: workspace.store.path) }
        var (statuses, mistake) = try workspace.statuses(hosts, limit.filter)
        if !offline {
            let answers = Dictionary(try await conditions(hosts, workspace)) { first, _ in first }
            for index in statuses.indices { statuses[index].answer = answers[statuses[index].host] }
        }
        output.write(
            statusJSON(statuses, cluster: workspace.cluster, mistake: mistake.map { ($0.phrase, $0.explanation) }),
            or: StatusText(style: Terminal.style, time: localTime).render(statuses, mistake: mistake?.description, all: all))
        // A host that is held may be down.
        if mistake != nil || statuses.contains(where: { $0.error != nil && $0.hold == nil }) { throw ExitCode(1) }
        if exitCode, statuses.contains(where: { !$0.isWell }) { throw ExitCode(2) }
    }

    private func conditions(
        _ hosts: [Hostname], _ workspace: Workspace
    ) async throws -> [(Hostname, Result<HostCondition, HostError>)] {
        do {
            let task = try HostTask(hosts, access: ssh.access(ProgressScreen(hosts), asks: !output.json))
            return await task.conditions(storePath: workspace.store.path, findsDrift: drift).map { ($0.host, $0.result) }
        } catch {
            throw CommandError(error.phrase)
        }
    }
}

extension Workspace {
    /// The store's data about these hosts, and the mistake in the config tree that leaves changes unknown.
    fileprivate func statuses(_ hosts: [Hostname], _ filter: HostFilter) throws -> ([HostStatus], mistake: CommandError?) {
        var plan = Plan(hosts: [])
        var mistake: CommandError?
        do {
            plan = try self.plan(try importTree(), filter)
        } catch let error as CommandError {
            mistake = error
        }
        return try reporting {
            let holds = Dictionary(try Holds(store: store).current().map { ($0.host, $0) }) { first, _ in first }
            let plans = Dictionary(plan.hosts.map { ($0.host, $0) }) { first, _ in first }
            let statuses = try hosts.map { host in
                HostStatus(
                    host: host, deployed: try store.deployedCommit(host).map { try store.commitInfo($0) },
                    changed: plans[host]?.changes ?? [], hasNewOptions: plans[host]?.hasNewOptions ?? false,
                    isInTree: hasDirectory(host.text), hold: holds[host])
            }
            return (statuses, mistake)
        }
    }
}
