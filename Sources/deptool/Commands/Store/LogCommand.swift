import ArgumentParser
import Deployment
import Display
import Git
import Model
import Platform
import SSH

struct LogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Show the history of deploys, newest first.",
        discussion: """
            The history has the deploys of this store, and those of others that it found. With `--remote`, log queries the \
            hosts for their own logs.

            Example: `deptool log web1 -n 5`
            """)

    @Argument(help: "Limit to these hosts: names, comma-separated lists, patterns such as 'web*'.", completion: Complete.hosts)
    var hosts: [String] = []
    @Option(
        name: [.customLong("limit"), .customLong("host")], parsing: .singleValue,
        help: ArgumentHelp("Limit to these hosts.", valueName: "hosts"), completion: Complete.hosts)
    var limit: [String] = []
    @Option(name: [.customShort("n"), .long], help: "Show at most this many entries.")
    var number = 20
    @Flag(help: "Query the hosts for their own logs.")
    var remote = false
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption

    func validate() throws {
        guard number > 0 else { throw ValidationError("'--number' takes a number from 1.") }
    }

    private var filter: HostFilter { HostFilter(hosts + limit) }

    func run() async throws {
        let store = try Workspace.storeOnly()
        let known = try reporting { try store.deployedCommits().map(\.host) }
        let text = LogText(style: Terminal.style, time: localTime)
        if remote { return try await ask(known, text) }
        let events = try reporting { try store.pastEvents(number, filter) }
        if events.isEmpty, !(hosts + limit).isEmpty { try reporting { try filter.check(known) } }
        output.write(logJSON(events), or: events.isEmpty ? "Nothing was deployed yet.\n" : text.render(events))
    }

    /// Includes named hosts that are not in the store.
    private func ask(_ known: [Hostname], _ text: LogText) async throws {
        let named = (hosts + limit).flatMap { $0.split(separator: ",") }.compactMap { Hostname(String($0)) }
        let asked = Set(known.filter(filter.includes) + named).sorted()
        guard !asked.isEmpty else { return try reporting { try filter.check(known) } }
        let screen = ProgressScreen(asked)
        do {
            let task = try HostTask(asked, access: ssh.access(screen, asks: !output.json))
            let results = await task.log().map { (host: $0.host, result: $0.result.map { Array($0.prefix(number)) }) }
            output.write(hostLogJSON(results), or: text.render(results))
            try HostResults.require(results)
        } catch let error as SSHError {
            throw CommandError(error.phrase)
        }
    }
}
