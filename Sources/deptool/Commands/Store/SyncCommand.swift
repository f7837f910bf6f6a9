import ArgumentParser
import Deployment
import Display
import Git
import Model
import SSH

struct SyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Query the hosts and update the store.",
        discussion: """
            Use it when somebody else deploys too, or after you lost the store. In place of \
            the directory, you can give a plan file, which selects its hosts. Example: `deptool sync --changed`
            """)

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: HostLimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption
    @Flag(help: "Query only hosts that a deploy would connect to.")
    var changed = false

    func run() async throws {
        let (workspace, hosts) = try hosts()
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

    /// The hosts of the plan file or of the config tree; without a config tree, those that `--limit` names.
    private func hosts() throws -> (Workspace, [Hostname]) {
        if let file = try PlanFile.file(at: cluster.dir) {
            let store = try Workspace.storeOnly()
            let workspace = Workspace(store: store, directory: Workspace.parent(of: store) + "/" + file.cluster)
            return (workspace, file.hosts.map(\.host).filter(limit.filter.includes))
        }
        let workspace = try cluster.workspace()
        let named = limit.limit.flatMap { $0.split(separator: ",") }.map { Hostname(String($0)) }
        if !changed, !named.isEmpty, !named.contains(nil), workspace.hostDirectories().isEmpty {
            _ = try workspace.importTree()
            return (workspace, Set(named.compactMap(\.self)).sorted())
        }
        // Query hosts whatever the store has for them: it may be wrong.
        let hosts =
            try changed ? workspace.plan(workspace.importTree(), limit.filter).hosts.map(\.host) : workspace.knownHosts(limit.filter)
        return (workspace, hosts)
    }
}
