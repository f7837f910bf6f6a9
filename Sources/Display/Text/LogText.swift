import Deployment
import Git
import Model

/// Renders the events on the hosts, newest first.
package struct LogText {
    private let style: Style
    /// Formats seconds since the epoch as local time.
    private let time: (Int64) -> String

    package init(style: Style, time: @escaping (Int64) -> String) {
        self.style = style
        self.time = time
    }

    /// A deploy gets one line, and below it one for each group of hosts with the same changes and outcome.
    package func render(_ events: [PastEvent]) -> String { events.map(render).joined() }

    /// The deploys that an undo undoes, a line each; empty for none.
    package func undone(_ commits: Set<Commit>) -> String {
        commits.sorted { ($0.time, $0.id) > ($1.time, $1.id) }.map { commit in
            let subject = commit.message.prefix { !$0.isNewline }
            let (name, what) = (visible(String(commit.author.name.prefix(100))), visible(String(subject.prefix(100))))
            return "Undoes \(heading(commit.id, commit.time))  \(name)  \(what)\n"
        }.joined() + (commits.isEmpty ? "" : "\n")
    }

    private func render(_ event: PastEvent) -> String {
        switch event {
        case .deploy(let deploy):
            let note = deploy.note
            return heading(note.commit, note.time)
                + "  \(visible(name(note.author)))  \(note.kind.rawValue) \(visible(note.cluster))\n" + hosts(deploy)
        case .found(let time, let host, let commit?, let before):
            return heading(commit, time) + "  found on \(host.text)"
                + (before.map { ", instead of \($0.short)" } ?? "") + "\n"
        case .found(let time, let host, nil, let before):
            return heading(nil, time) + "  found nothing on \(host.text)" + (before.map { ", instead of \($0.short)" } ?? "") + "\n"
        case .forgotten(let time, let host, let commit): return heading(commit, time) + "  forgotten on \(host.text)\n"
        }
    }

    private func heading(_ commit: ObjectID?, _ seconds: Int64) -> String {
        "\(time(seconds))  " + style.heading(commit?.short ?? "nothing   ")
    }

    /// Without the address.
    private func name(_ author: String) -> String {
        guard let end = author.firstRange(of: " <")?.lowerBound, end != author.startIndex else { return author }
        return String(author[..<end])
    }

    private func hosts(_ deploy: PastDeploy) -> String {
        var groups: [(what: String, hosts: [Hostname])] = []
        for host in deploy.note.hosts {
            let what = host.apps.map(\.text).joined(separator: ", ") + ": " + phrase(deploy.ends[host.host])
            if let index = groups.firstIndex(where: { $0.what == what }) {
                groups[index].hosts.append(host.host)
            } else {
                groups.append((what, [host.host]))
            }
        }
        return groups.map { "    \($0.hosts.map(\.text).joined(separator: ", "))  \($0.what)\n" }.joined()
    }

    private func phrase(_ end: PastDeploy.End?) -> String {
        guard let end else { return style.bad("outcome unknown") }
        switch end.end {
        case .done: return "done"
        case .rolledBack: return visible(end.phrase)
        case .failed: return "not changed: " + visible(end.phrase)
        case .broken, .unknown: return style.bad(visible(end.phrase))
        }
    }

    /// The hosts' own logs.
    package func render(_ results: [(host: Hostname, result: Result<[HostLogEntry], HostError>)]) -> String {
        results.map { host, result in
            style.heading(host.text) + "\n"
                + {
                    switch result {
                    case .failure(let error):
                        "    \(error.phrase)\n" + (error.explanation(host).map { $0 + "\n" } ?? "")
                    case .success(let entries) where entries.isEmpty: "    nothing was ever deployed\n"
                    case .success(let entries): entries.map(line).joined()
                    }
                }()
        }.joined(separator: "\n")
    }

    private func line(_ entry: HostLogEntry) -> String {
        "    \(time(entry.time))  \(entry.before?.short ?? "nothing   ") -> \(entry.commit.short)  \(visible(entry.outcome))"
            + "  \(visible(entry.operatorName))\n"
    }
}

extension HostNote.App {
    fileprivate var text: String { "\(change == .restarted ? "restart" : String(change.rawValue)) \(name.text)" }
}
