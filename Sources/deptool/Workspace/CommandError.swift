import Deployment
import Display
import Git
import Model
import Platform
import SSH

/// Turns errors into messages for the operator; `directory` is the cluster's, if there is one.
func reporting<Result>(_ directory: String = "the cluster", _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as ClusterError {
        throw CommandError(error, directory: directory)
    } catch let error as StoreError {
        throw CommandError(error)
    }
}

/// An error message for the operator: one phrase, and what to do.
struct CommandError: Error, CustomStringConvertible {
    let phrase: String
    let explanation: String?

    init(_ phrase: String, _ explanation: String? = nil) {
        self.phrase = phrase
        self.explanation = explanation
    }

    /// Why the operating system refused something, after what that was.
    init(_ phrase: String, _ error: Errno) { self.init("\(phrase): \(error.text)") }

    /// Several mistakes of a config tree, and further remarks.
    init(mistakes: [String], _ explanation: String? = nil) {
        let shown = mistakes.prefix(Self.maximumShown).map { "    \($0)" }
        let rest = mistakes.count - shown.count
        self.init(
            "the config tree has \(mistakes.count) mistakes",
            (shown + (rest == 0 ? [] : ["    and \(rest) more"]) + [explanation].compactMap { $0 }).joined(separator: "\n"))
    }

    private static var maximumShown: Int { 50 }

    init(_ error: ImportError, directory: String) {
        if case .several(let problems) = error {
            self.init(mistakes: problems.map { visible($0.phrase(in: directory)) }, error.explanation)
        } else {
            self.init(error.phrase(in: directory), error.explanation)
        }
    }

    init(_ error: StoreError) { self.init(error.phrase, error.explanation) }

    init(_ error: ClusterError, directory: String) {
        switch error {
        case .store(let error): self.init(error)
        case .tree(let problem): self.init(visible("\(problem.place(in: directory)): \(problem.phrase)"))
        case .trees(let problems): self.init(mistakes: problems.map { visible("\($0.place(in: directory)): \($0.phrase)") })
        case .limited(let problems, let leftOut):
            let host = problems.first?.host.text ?? ""
            let choice = "`--limit` leaves the other apps of \(host) as they are deployed."
            let more = leftOut.map { visible("\(host)/\($0)") }.joined(separator: ", ")
            let help =
                leftOut.isEmpty ? choice : choice + " Deploy apps that depend on each other together. Changes left out: \(more)"
            let mistakes = problems.map { visible("\($0.place(in: directory)): \($0.phrase)") }
            if mistakes.count == 1 { self.init(mistakes[0], help) } else { self.init(mistakes: mistakes, help) }
        case .ssh(let host, let error): self.init("\(host.text): \(error.phrase)")
        case .unknownHosts(let names, let known):
            self.init(
                "no host matches \(names.map { "'\(visible($0))'" }.joined(separator: ", "))",
                (names.lazy.compactMap { near($0, among: known.map(\.text)) }.first.map { "Did you mean '\($0)'? " } ?? "")
                    + "The hosts are: \(known.map(\.text).joined(separator: ", "))"
                    + (names.contains { $0.contains("/") } ? "\nThis command takes hosts, no apps of them." : ""))
        case .unknownApps(let names, let known):
            let meant = names.lazy.compactMap { name in
                near(String(name.split(separator: "/").last ?? ""), among: known).map { "\(name.prefix { $0 != "/" })/\($0)" }
            }.first
            self.init(
                "no app matches \(names.map { "'\(visible($0))'" }.joined(separator: ", "))",
                (meant.map { "Did you mean '\(visible($0))'? " } ?? "")
                    + (known.isEmpty ? "There are no apps." : "The apps there are: \(known.map(visible).joined(separator: ", "))"))
        case .notRestartable(let names, let host, let known):
            let list = names.map { "'\(visible($0))'" }.joined(separator: ", ")
            let meant = names.lazy.compactMap { near($0, among: known) }.first
            self.init(
                "\(host.map { "\($0.text) has " } ?? "there is ")no unit \(list) of an app, and no app of this name with units",
                known.isEmpty
                    ? "Nothing that is deployed there has units."
                    : (meant.map { "Did you mean '\(visible($0))'? " } ?? "")
                        + "You can restart: \(known.map(visible).joined(separator: ", "))")
        case .nothingToUndo:
            self.init(
                "this store has deployed nothing to the cluster that could be undone",
                "`deptool undo --to COMMIT` brings hosts to any commit of `deptool log`.")
        case .unknownBefore(let hosts):
            self.init(
                "the previous state of \(hosts.map(\.text).joined(separator: ", ")) is unknown, because another store deployed to it",
                "`deptool log --remote HOST` shows the commits, and `deptool undo --limit HOST --to COMMIT` goes to one that this store has."
            )
        case .notInCommit(let hosts, let commit):
            self.init(
                "this store lacks the files of commit \(commit.short) for \(hosts.isEmpty ? "any host" : hosts.map(\.text).joined(separator: ", "))",
                "Choose the hosts with `--limit`, or another commit of `deptool log`.")
        case .leavesTooMuch(let host, let files):
            self.init(
                "\(host.text): \(files) files are too many for `--leave-files`",
                "Copy the directory on the host, remove the app without it, and put the copy in the place of the link.")
        case .hostInTree(let host):
            self.init(
                "the host '\(host.text)' is in the config tree",
                "`--remove-host` empties hosts that are not. Remove the directory \(directory)/\(host.text) first.")
        case .notDeployed(let host): self.init("the store has no deploy to a host '\(visible(host.text))'")
        case .hostInTwoClusters(let host, let other):
            self.init(
                "the host '\(host.text)' is in two clusters, \(directory) and \(other)",
                "Clusters may share a store when their hosts differ. Remove it from one of them.")
        case .noHosts:
            self.init(
                "there are no hosts in \(directory)",
                "Make a directory per host, and in it one per app, such as \(directory)/web1/nginx/nginx.conf.")
        }
    }

    var description: String { [phrase, explanation].compactMap { $0 }.joined(separator: "\n") }
}

/// The result of system calls, whose error becomes a message for the operator.
@discardableResult
func attempt<Result: ~Copyable>(
    _ phrase: @autoclosure () -> String, _ body: @autoclosure () throws(Errno) -> Result
) throws(CommandError) -> Result {
    do throws(Errno) { return try body() } catch { throw CommandError(phrase(), error) }
}
