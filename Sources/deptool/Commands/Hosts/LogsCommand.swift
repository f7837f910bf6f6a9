import ArgumentParser
import CSystem
import Deployment
import Display
import Git
import Model
import Planning
import Platform
import SSH

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Show the journal of a unit or an app on all its hosts, in one stream.",
        discussion: """
            Logs reads the hosts' journals over SSH, as root like a deploy, and changes nothing. With `-f`, it shows new lines \
            as they come, until Ctrl-C, and connects again to a host that goes away.

            Example: `deptool logs web1 web2 nginx.service -f`
            """)

    @Argument(
        help: ArgumentHelp(
            "Hosts, if not all, then a unit such as 'nginx.service', or an app, which stands for its units.",
            valueName: "host> ... <unit|app"),
        completion: Complete.hosts)
    var words: [String]
    @Flag(name: .shortAndLong, help: "Show new lines as they come.")
    var follow = false
    @Option(
        help: ArgumentHelp(
            "Show lines from this time on: 'deploy' for the host's last deploy, or a time for journalctl, such as '1 hour ago'.",
            valueName: "time"))
    var since: String?
    @Option(
        name: [.customShort("n"), .long],
        help: "Show at most this many last lines of each host: 100, or all with '--since'.")
    var lines: Int?
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption

    func validate() throws {
        guard !words.isEmpty else { throw ValidationError("Name a unit or an app.") }
        guard (0...1_000_000).contains(lines ?? 0) else { throw ValidationError("'--lines' takes a number from 0 to 1000000.") }
        guard since.map({ LogRequest(units: ["x.service"], since: $0, lines: nil) != nil }) ?? true else {
            throw ValidationError("'--since' takes 'deploy', or a time such as '2026-11-21 07:47', '1 hour ago' or 'today'.")
        }
    }

    func run() async throws {
        let workspace = try Workspace(directory: nil)
        let (requests, undeployed) = try workspace.logRequests(words, since: since, lines: lines ?? (since == nil ? 100 : nil))
        let hosts = requests.keys.sorted()
        let screen = ProgressScreen(hosts)
        let lines = LogLines(output: output, hosts: hosts)
        for host in undeployed { lines.remark(host, .leftOut) }
        let task: HostTask
        do { task = try HostTask(hosts, access: ssh.access(screen, asks: !output.json)) } catch { throw CommandError(error.phrase) }
        let isLeft = Monitor(false)
        let merge = LogMerge(hosts)
        let leave: @Sendable () -> Void = {
            isLeft.update { $0 = true }
            merge.cancel()
            task.cancel()
        }
        // The hosts must be informed, so that no process stays behind there.
        InterruptSignals.handle { count in
            guard count < 3 else { csys_end_by_interrupt() }
            leave()
        }
        let failures =
            follow
            ? await followLines(task, requests, to: lines, leave: leave)
            : await mergeLines(task, requests, to: lines, by: merge, leave: leave)
        for (host, failure) in failures { lines.remark(host, .failed(failure)) }
        if isLeft.update({ $0 }) {
            if !follow, Terminal.isTaken { throw ExitCode(130) }
        } else {
            // As after a mistake in the name of a unit.
            for host in lines.silentHosts(of: hosts) where requests[host]?.lines != 0 && !failures.contains(where: { $0.0 == host }) {
                lines.remark(host, .empty(words.last ?? ""))
            }
        }
        if !failures.isEmpty { throw ExitCode(1) }
    }

    private typealias Failures = [(Hostname, LogError)]

    private func followLines(
        _ task: HostTask, _ requests: [Hostname: LogRequest], to lines: LogLines, leave: @escaping @Sendable () -> Void
    ) async -> Failures {
        // No host may have another line, so that a write would fail.
        let isOver = Monitor(false)
        async let watching: Void = onOwnThread {
            while !isOver.update({ $0 }) {
                if waitUntilUnread(1, milliseconds: 100) { return leave() }
            }
        }
        let turn = Monitor(())
        let results = await task.logs(requests, follows: true) { host, event in
            let isRead = turn.update { _ in
                switch event {
                case .line(let line): lines.write([(host, line)])
                case .lost(let failure): lines.remark(host, .lost(failure))
                case .back: lines.remark(host, .back)
                }
            }
            if !isRead { leave() }
        }
        isOver.update { $0 = true }
        await watching
        return results.compactMap { result in result.failure.map { (result.host, $0) } }
    }

    private func mergeLines(
        _ task: HostTask, _ requests: [Hostname: LogRequest], to lines: LogLines, by merge: LogMerge,
        leave: @escaping @Sendable () -> Void
    ) async -> Failures {
        async let printing: Void = onOwnThread {
            while let next = merge.next() {
                guard lines.write(next) else { return leave() }
            }
        }
        let results = await task.logs(requests, follows: false) { host, event in
            if case .line(let line) = event { merge.add(host, line) }
        } ended: { host in
            merge.end(host)
        }
        await printing
        return results.compactMap { result in result.failure.map { (result.host, $0) } }
    }
}

/// Writes the hosts' output as text or JSON, at once. False when it is no longer read.
private struct LogLines: Sendable {
    private let isJSON: Bool
    private let text: LogLineText
    private let shown = Monitor<Set<Hostname>>([])

    init(output: OutputOption, hosts: [Hostname]) {
        isJSON = output.json
        text = LogLineText(style: Terminal.style, hosts: hosts) { localTime($0) }
    }

    func silentHosts(of hosts: [Hostname]) -> [Hostname] { shown.update { shown in hosts.filter { !shown.contains($0) } } }

    func write(_ lines: [(host: Hostname, line: LogLine)]) -> Bool {
        shown.update { shown in lines.forEach { shown.insert($0.host) } }
        return Terminal.writeNow(
            lines.map { isJSON ? logLineJSON($0.host, $0.line).text + "\n" : text.render($0.host, $0.line) }.joined(), to: 1)
    }

    @discardableResult
    func remark(_ host: Hostname, _ remark: LogRemark) -> Bool {
        if isJSON { return Terminal.writeNow(logRemarkJSON(host, remark).text + "\n", to: 1) }
        return Terminal.writeNow(text.render(host, remark), to: 2)
    }
}

extension Workspace {
    /// The selection of lines and hosts, and the hosts without a recorded deploy, if that is needed. The last argument is a unit
    /// or an app, those before are hosts.
    fileprivate func logRequests(
        _ words: [String], since: String?, lines: Int?
    ) throws -> (requests: [Hostname: LogRequest], undeployed: [Hostname]) {
        let name = words.last ?? ""
        let hosts = try knownHosts(words.count > 1 ? HostFilter(Array(words.dropLast())) : .all)
        // The deployed trees are readable even with a mistake in the config tree.
        var (root, mistake): (ObjectID?, CommandError?) = (nil, nil)
        do { root = try importTree(quietly: true) } catch let error as CommandError { mistake = error }
        let unit = UnitName(name)
        var apps: Set<String> = []
        var requests: [Hostname: LogRequest] = [:]
        var undeployed: [Hostname] = []
        for host in hosts {
            var units = unit.map { [$0.text] } ?? []
            if unit == nil {
                let known = try reporting { try ClusterReader(store).units(on: host, root) }
                apps.formUnion(known.keys.map(\.text))
                guard let app = AppName(name), let found = known[app] else { continue }
                units = found
            }
            if units.isEmpty { continue }
            var time = since
            if since == "deploy" {
                guard let commit = try reporting({ try store.deployedCommit(host) }) else {
                    undeployed.append(host)
                    continue
                }
                time = "@\(try reporting { try store.commitInfo(commit).time })"
            }
            if let request = LogRequest(units: units, since: time, lines: lines) { requests[host] = request }
        }
        guard requests.isEmpty else { return (requests, undeployed) }
        if let mistake { throw mistake }
        if unit != nil || apps.contains(name) {
            throw CommandError(
                since == "deploy" ? "nothing was deployed to the hosts yet" : "the app '\(visible(name))' has no units",
                since == "deploy" ? nil : "Name a unit, as in `deptool logs nginx.service`.")
        }
        throw CommandError(
            "'\(visible(name))' is no unit, and no app of the hosts",
            (near(name, among: Array(apps)).map { "Did you mean '\($0)'? " } ?? "")
                + "A unit has a suffix, as in 'nginx.service'. The apps are: \(apps.sorted().joined(separator: ", "))")
    }
}
