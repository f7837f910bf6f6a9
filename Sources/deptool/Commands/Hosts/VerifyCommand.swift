import ArgumentParser
import Deployment
import Display
import Git
import Model
import SSH

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Compare the hosts with their last deploy, and show drift.",
        discussion: """
            Each host compares itself with its record: contents, modes and owners of files, symlinks, units, and stale files \
            in Deptool's own directories. Verify changes nothing; `deptool deploy --repair` restores what drifted.

            Exit status: 0, also if something drifted, unless you give `--exit-code`; 1 if a host could not be queried.

            Example: `deptool verify --limit 'web*' --diff`
            """)

    @OptionGroup var cluster: ClusterArgument
    @OptionGroup var limit: HostLimitOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption
    @Flag(help: "Exit with status 2 if anything drifted.")
    var exitCode = false
    @Flag(help: "Show the changed lines of edited files.")
    var diff = false

    func validate() throws {
        guard !diff || !output.json else { throw ValidationError("'--diff' is for people: it cannot be used with '--json'.") }
    }

    func run() async throws {
        let workspace = try cluster.workspace()
        let hosts = try workspace.reporting {
            let known = try ClusterReader(workspace.store).deployedHosts(workspace.cluster)
            if known.isEmpty, !workspace.isThere { throw workspace.absence }
            if !known.isEmpty { try limit.filter.check(known) }
            return known.filter(limit.filter.includes)
        }
        let results = try await workspace.verify(hosts, ssh, asks: !output.json, diff ? .fetched : .left)
        if output.json {
            JSONOutput.write(verifyJSON(results))
        } else if hosts.isEmpty {
            Terminal.write("Nothing was deployed to cluster '\(workspace.cluster)' yet.\n")
        } else {
            let text = VerifyText(style: Terminal.style).render(results)
            if diff { try show(text, results, workspace.store) } else { Terminal.write(text) }
        }
        try HostResults.require(results)
        if exitCode, results.contains(where: { (try? $0.result.get().isClean) == false }) { throw ExitCode(2) }
    }

    private func show(_ text: String, _ results: VerifyText.Results, _ store: Store) throws {
        var files: [ChangedFile] = []
        var contents: [ObjectID: HostContent] = [:]
        for (host, result) in results {
            guard case .success(let found) = result else { continue }
            files += found.editedFiles(host)
            contents.merge(found.contents) { first, _ in first }
        }
        try reporting { try store.showDiff(files, contents: contents, after: files.isEmpty ? text : text + "\n") }
    }
}

extension Workspace {
    /// Compares hosts with their records, all at once.
    func verify(_ hosts: [Hostname], _ ssh: SSHOptions, asks: Bool, _ contents: Contents) async throws -> VerifyText.Results {
        do {
            let task = try HostTask(hosts, access: ssh.access(ProgressScreen(hosts), asks: asks))
            return await task.verify(storePath: store.path, contents)
        } catch {
            throw CommandError(error.phrase)
        }
    }

    /// The drift of deployed hosts of the tree. Reports hosts that cannot be queried, and skips them if requested.
    func drift(
        _ root: ObjectID, _ filter: HostFilter, except hosts: [Hostname], _ ssh: SSHOptions, asks: Bool, skipsUnreachable: Bool
    ) async throws -> (drift: [Hostname: [Drift]], contents: [ObjectID: HostContent], absent: Set<Hostname>) {
        let asked = try reporting {
            let reader = ClusterReader(store)
            let present = Set(try reader.hosts(in: root).map(\.host))
            return try reader.deployedHosts(cluster).filter { present.contains($0) && filter.includes($0) && !hosts.contains($0) }
        }
        var (drift, contents, absent): ([Hostname: [Drift]], [ObjectID: HostContent], [(Hostname, HostError)]) = ([:], [:], [])
        for (host, result) in try await verify(asked, ssh, asks: asks, asks ? .fetched : .left) {
            switch result {
            case .success(let found):
                drift[host] = found.drift
                contents.merge(found.contents) { first, _ in first }
            // The deploy replaces it as a whole.
            case .failure(.unreadable): drift[host] = []
            case .failure(let error): absent.append((host, error))
            }
        }
        let reasons = absent.map { "\($0.text): \($1.phrase)" }.joined(separator: "\n")
        guard absent.isEmpty || skipsUnreachable else {
            throw CommandError(
                "the drift is unknown, so nothing was changed: \(reasons)", "`--skip-unreachable` goes on without such hosts.")
        }
        if !absent.isEmpty { Terminal.writeError("Left out, since their drift is unknown:\n\(reasons)\n\n") }
        return (drift, contents, Set(absent.map(\.0)))
    }
}
