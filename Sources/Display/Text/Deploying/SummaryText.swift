import Deployment
import Git
import Model
import SSH
import Wire

/// The summary at the end of a deploy.
package struct SummaryText {
    /// The output after the summary.
    package enum Next: Sendable {
        case nothing, newPlan
    }

    private let style: Style

    package init(style: Style) { self.style = style }

    /// Explanations, each once for all the hosts that share it, and a last line.
    package func render(
        _ results: [(host: Hostname, result: HostResult)], took: Duration, next: Next = .nothing
    ) -> String {
        var groups: [(explanation: String, hosts: [Hostname])] = []
        for (host, result) in results {
            guard let explanation = result.explanation(host, next: next) else { continue }
            if let index = groups.firstIndex(where: { $0.explanation == explanation }) {
                groups[index].hosts.append(host)
            } else {
                groups.append((explanation, [host]))
            }
        }
        var text = "\n"
        for group in groups {
            let hosts = group.hosts.map(\.text).joined(separator: ", ")
            text += style.heading(hosts) + ": " + group.explanation + "\n\n"
        }
        return text + lastLine(results.map(\.result), took) + "\n"
    }

    /// A hint how to continue, if unreachable hosts were the only obstacle.
    private func hint(_ results: [HostResult]) -> String {
        let others = results.filter { $0 != .failed(.otherHostNotReady) }
        let isOnlyUnreachable = others.allSatisfy { if case .failed(.ssh) = $0 { true } else { false } }
        guard isOnlyUnreachable, others.count < results.count else { return "" }
        return " `--skip-unreachable` goes on without such hosts."
    }

    private func lastLine(_ results: [HostResult], _ took: Duration) -> String {
        let deployed = results.count { $0 == .deployed }
        if deployed == results.count { return "Deployed to \(count(deployed, "host")) in \(seconds(took))." }
        let checked = results.count { $0 == .checked }
        if checked == results.count { return "Checked \(count(checked, "host")) in \(seconds(took)). Nothing was changed." }
        var parts: [String] = []
        if deployed > 0 { parts.append("deployed to \(count(deployed, "host"))") }
        let rolledBack = results.count(where: \.isRolledBack)
        if rolledBack > 0 { parts.append("rolled back \(count(rolledBack, "host"))") }
        let broken = results.count { if case .broken = $0 { true } else { false } }
        if broken > 0 { parts.append(style.bad("\(count(broken, "host")) left broken")) }
        let unknown = results.count { if case .unknown = $0 { true } else { false } }
        if unknown > 0 { parts.append("lost the connection to \(count(unknown, "host"))") }
        guard !parts.isEmpty else { return "Nothing was changed." + hint(results) }
        let rest = results.count - deployed - rolledBack - broken - unknown
        if rest > 0 { parts.append("\(count(rest, "host")) not changed") }
        let line = parts.joined(separator: ", ")
        return line.prefix(1).uppercased() + line.dropFirst() + ", in \(seconds(took))."
    }
}
