import Deployment
import Model

/// Renders the status of the hosts, a few lines for each.
package struct LiveStatusText {
    private let style: Style

    package init(style: Style) { self.style = style }

    /// Nil for a host that has not answered yet.
    package func lines(_ hosts: [(host: Hostname, result: Result<LiveStatus, HostError>?)]) -> [String] {
        hosts.flatMap { host, result -> [String] in
            let name = style.heading(host.text)
            switch result {
            case nil: return ["\(name)  connecting"]
            case .failure(let error): return ["\(name)  \(style.bad(error.phrase))"]
            case .success(let status): return lines(name, status)
            }
        }
    }

    /// At most `rows` lines, none wider than `columns`, for a terminal.
    package static func cut(_ lines: [String], columns: Int, rows: Int) -> [String] {
        let most = max(1, rows - 1)
        let shown = lines.count > most ? lines.prefix(most - 1) + ["(\(lines.count - most + 1) more lines)"] : lines[...]
        return shown.map { Canvas.cutKeepingColor($0, to: max(10, columns - 1)) }
    }

    private func lines(_ name: String, _ status: LiveStatus) -> [String] {
        let facts = [
            status.uptime.map { "up \(span($0))" }, status.load.isEmpty ? nil : "load " + status.load.joined(separator: " "),
            status.memory.map { "memory \(used($0))" }, disks(status),
        ]
        var lines = ["\(name)  " + facts.compactMap { $0 }.joined(separator: ", ")]
        lines.append(
            "    " + (status.commit.map { "runs \($0.short), " } ?? "nothing is deployed, ") + "agent \(visible(version(status.agent)))")
        if status.needsReboot { lines.append("    " + style.changed("reboot required")) }
        let width = status.units.map(\.app.text.count).max() ?? 0
        for unit in status.units {
            let app = unit.app.text + String(repeating: " ", count: width - unit.app.text.count)
            let state = unit.state.map { visible($0) + (unit.substate.map { " (\(visible($0)))" } ?? "") } ?? "state not known"
            lines.append(
                "    \(app)  \(unit.name.text)  " + (unit.state == "active" ? style.added(state) : style.bad(state))
                    + (unit.age.map { " for \(span($0))" } ?? ""))
        }
        for result in status.probes {
            let isWell = result.answer == .passed
            lines.append(
                "    \(result.app.text)  \(result.probe.phrase)  " + (isWell ? style.added("well") : style.bad(result.answer.phrase)))
        }
        if !status.failed.isEmpty {
            lines.append("    " + style.bad("failed units: ") + status.failed.map(visible).joined(separator: ", "))
        }
        return lines
    }

    private func disks(_ status: LiveStatus) -> String? {
        if let root = status.root, root == status.var { return "disk \(used(root))" }
        let parts = [status.root.map { "/ \(used($0))" }, status.var.map { "/var \(used($0))" }].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    private func used(_ space: LiveStatus.Space) -> String {
        let (total, taken) = (space.total, space.total - space.available)
        return "\(total == 0 ? 0 : Int(Double(taken) / Double(total) * 100))% of \(size(total))"
    }

    /// The part that distinguishes agents: the version of their tool, and their hash.
    private func version(_ agent: String) -> String {
        agent.hasPrefix("deptool-agent-") ? String(agent.dropFirst("deptool-agent-".count)) : agent
    }

    /// Such as `3 h 20 min`.
    private func span(_ seconds: Int64) -> String {
        let parts: [(Int64, String)] = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s")]
        guard let first = parts.firstIndex(where: { seconds >= $0.0 }) else { return "0 s" }
        let (unit, name) = parts[first]
        let whole = "\(seconds / unit) \(name)"
        guard first < 2, seconds / unit < 10 else { return whole }
        let (next, nextName) = parts[first + 1]
        return seconds % unit / next == 0 ? whole : whole + " \(seconds % unit / next) \(nextName)"
    }
}
