import ArgumentParser
import Deployment
import Display
import Git
import Model
import SSH

struct PingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping", abstract: "Measure round-trip times to the agents on the hosts.",
        discussion: "Ping goes over SSH, as a deploy does, so it works where ICMP is blocked. Example: `deptool ping --limit 'web*'`")

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: HostLimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption
    @Option(name: .shortAndLong, help: "Number of round trips to each host.")
    var count = 150

    func validate() throws {
        guard (1...100_000).contains(count) else { throw ValidationError("'--count' takes a number from 1 to 100000.") }
    }

    func run() async throws {
        let workspace = try cluster.workspace()
        let hosts = try workspace.knownHosts(limit.filter)
        let screen = PingScreen(hosts)
        do {
            let prompts = ProgressScreen(hosts)
            let isJSON = output.json
            let task = try HostTask(hosts, access: ssh.access(prompts, asks: !isJSON))
            InterruptSignals.handle { _ in task.cancel() }
            let results = await task.ping(count: count) { host, trips in
                if !isJSON { screen.show(host, .success(trips)) }
            }
            if isJSON {
                JSONOutput.write(pingJSON(results))
            } else {
                for (host, result) in results { screen.show(host, result) }
                screen.finish()
            }
            try HostResults.require(results)
        } catch let error as SSHError {
            throw CommandError(error.phrase)
        }
    }
}
