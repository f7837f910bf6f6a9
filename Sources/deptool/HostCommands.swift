import ArgumentParser
import CSystem
import Deployment
import Display
import Git
import Model
import SSH

struct Sync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Ask the hosts what they run, and make the store know.",
        discussion: "For when somebody else deploys too, or the store was lost. Example: `deptool sync --changed`")

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: LimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption
    @Flag(help: "Only hosts that a deploy would connect to.")
    var changed = false

    func run() async throws {
        let workspace = try cluster.workspace()
        let root = try workspace.importTree()
        // What is known of the hosts, right or wrong, is no reason not to ask them.
        let hosts = changed ? try workspace.plan(root, limit.filter).hosts.map(\.host) : try workspace.knownHosts(root, limit.filter)
        let style = Terminal.style
        let screen = ProgressScreen(hosts)
        let (storePath, isJSON) = (workspace.store.path, output.json)
        do {
            let task = try HostTask(hosts, access: ssh.access(screen, asks: !isJSON))
            let results = await task.sync(storePath: storePath) { host, result in
                if !isJSON { screen.write(SyncText(style: style).line(host, result)) }
            }
            output.write(syncJSON(results), or: SyncText(style: style).summary(results))
            if results.contains(where: { (try? $0.result.get()) == nil }) { throw ExitCode(1) }
        } catch let error as SSHError {
            throw Complaint(error.phrase)
        }
    }
}

struct Ping: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping", abstract: "Measure round trips to the agents on the hosts.",
        discussion: "Over SSH, as a deploy goes, so also where ICMP is blocked. Example: `deptool ping --limit 'web*'`")

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: LimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption
    @Option(name: .shortAndLong, help: "How many round trips to each host.")
    var count = 150

    func validate() throws {
        guard (1...100_000).contains(count) else { throw ValidationError("'--count' takes a number from 1 to 100000.") }
    }

    func run() async throws {
        let workspace = try cluster.workspace()
        let root = try workspace.importTree()
        let hosts = try workspace.knownHosts(root, limit.filter)
        let screen = PingScreen(hosts)
        do {
            let questions = ProgressScreen(hosts)
            let isJSON = output.json
            let task = try HostTask(hosts, access: ssh.access(questions, asks: !isJSON))
            Interruption.handle { _ in task.cancel() }
            let results = await task.ping(count: count) { host, trips in
                if !isJSON { screen.show(host, .success(trips)) }
            }
            if isJSON {
                JSONOutput.write(pingJSON(results))
            } else {
                for (host, result) in results { screen.show(host, result) }
                screen.finish()
            }
            if results.contains(where: { (try? $0.result.get()) == nil }) { throw ExitCode(1) }
        } catch let error as SSHError {
            throw Complaint(error.phrase)
        }
    }
}

struct Forget: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget", abstract: "Forget what is deployed on a host that is not in the config tree any more.",
        discussion: "The host is left as it is. Example: `deptool forget web3`")

    @Argument(help: "The host's name.", completion: Complete.hosts)
    var host: String

    func run() throws {
        let store = try Workspace.storeOnly()
        guard let name = Hostname(host) else { throw Complaint("'\(visible(host))' is no name for a host") }
        try complaining {
            guard let commit = try store.deployedCommit(name) else {
                let known = try store.deployedCommits().map(\.host.text)
                throw Complaint(
                    "nothing is known to be deployed on a host '\(name.text)'",
                    near(name.text, among: known).map { "Did you mean '\($0)'?" })
            }
            try store.setDeployed(name, nil, reason: "forgotten")
            try store.note([.forgotten(time: csys_realtime_ns() / 1_000_000_000, name, commit: commit)])
        }
        Terminal.write("Forgot what is deployed on \(name.text). The host is left as it is.\n")
    }
}
