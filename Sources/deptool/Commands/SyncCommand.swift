import ArgumentParser
import Deployment
import Display
import Git
import Model
import SSH

struct SyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Query the hosts and update the store.",
        discussion: "Use it when somebody else deploys too, or after you lost the store. Example: `deptool sync --changed`")

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: LimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption
    @Flag(help: "Query only hosts that a deploy would connect to.")
    var changed = false

    func run() async throws {
        let workspace = try cluster.workspace()
        let root = try workspace.importTree()
        // Query hosts whatever the store has for them: it may be wrong.
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
            try HostResults.require(results)
        } catch let error as SSHError {
            throw CommandError(error.phrase)
        }
    }
}
