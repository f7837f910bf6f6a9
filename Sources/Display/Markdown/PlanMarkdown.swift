import Git
import Model
import Planning

/// Renders a plan for a review on a forge: a folding section per host, with the steps of a deploy there, and the changed lines.
///
/// Contents of private apps are left out. Hosts on which the same happens share a section. A comment on a forge has a limit,
/// often 65,536 characters; beyond `limit` bytes, the changed lines are left out first, then what happens on each host.
package struct PlanMarkdown {
    private let cluster: String
    private let limit: Int
    private let time: (Int64) -> String

    /// `time` formats seconds since the epoch.
    package init(cluster: String, limit: Int = 60_000, time: @escaping (Int64) -> String) {
        self.time = time
        self.cluster = cluster
        self.limit = limit
    }

    /// Hosts with the same changes.
    private struct Group {
        var hosts: [String]
        var summary, steps: String
        var lines: String
    }

    package func render<Failure: Error>(
        _ plan: Plan, diff: (ChangedFile) throws(Failure) -> FileDiff
    ) throws(Failure) -> String {
        let heldText = HoldText(time: time).leftOut(plan.held)
        let held = heldText.isEmpty ? "" : "\n" + fenced(String(heldText.drop { $0.isNewline }), "text")
        guard !plan.hosts.isEmpty || !plan.orphans.isEmpty || !held.isEmpty else {
            return "Nothing to do: every host of cluster \(code(cluster)) matches the config tree.\n"
        }
        var groups: [Group] = []
        for host in plan.hosts {
            let steps = fenced(PlanText(style: .plain, hidesPrivate: true).render(host, name: ""), "text")
            let group = Group(
                hosts: [host.host.text], summary: host.summary, steps: steps, lines: try lines(of: host, diff))
            if let index = groups.firstIndex(where: { $0.steps == steps && $0.summary == group.summary && $0.lines == group.lines }) {
                groups[index].hosts.append(host.host.text)
            } else {
                groups.append(group)
            }
        }
        let heading = "**\(plan.title(cluster: code(cluster)))**\n"
        let orphans = PlanText(style: .plain).orphans(plan.orphans), hint = PlanText(style: .plain).hint(plan)
        for (hasLines, hasSteps) in [(true, true), (false, true), (false, false)] {
            var text = heading
            for group in groups { text += "\n" + section(group, hasLines: hasLines, hasSteps: hasSteps, isOpen: groups.count == 1) }
            if !hint.isEmpty { text += "\n" + fenced(String(hint.drop { $0.isNewline }), "text") }
            if !orphans.isEmpty { text += "\n" + fenced(String(orphans.drop { $0.isNewline }), "text") }
            text += held
            if !hasLines { text += "\nThe plan is too long for this place. `deptool plan` and `deptool diff` show all of it.\n" }
            if text.utf8.count <= limit { return text }
        }
        return heading + "\nThe plan is too long for this place: `deptool plan` shows it.\n"
    }

    private func section(_ group: Group, hasLines: Bool, hasSteps: Bool, isOpen: Bool) -> String {
        let names = group.hosts.joined(separator: ", ")
        guard hasSteps else { return "- **\(escaped(names))**: \(escaped(group.summary))\n" }
        return """
            <details\(isOpen ? " open" : "")><summary><b>\(escaped(names))</b>: \(escaped(group.summary))</summary>

            \(group.steps)\(hasLines && !group.lines.isEmpty ? "\n" + group.lines : "")
            </details>

            """
    }

    /// The changed lines of each app. Paths begin with the app, so that hosts with the same changes have the same text.
    private func lines<Failure: Error>(
        of host: HostPlan, _ diff: (ChangedFile) throws(Failure) -> FileDiff
    ) throws(Failure) -> String {
        let prefix = host.host.text + "/"
        var text = ""
        for change in host.changes {
            let files = Plan.changedFiles(of: change, on: host)
            if files.isEmpty { continue }
            if host.privateApps.contains(change.app) {
                text += "\(code(change.app.text)) is private: its lines are not shown.\n\n"
                continue
            }
            var shown = ""
            for file in files {
                var relative = file
                if relative.path.hasPrefix(prefix) { relative.path.removeFirst(prefix.count) }
                shown += file.isSealed ? DiffText(style: .plain).sealed(relative) : DiffText(style: .plain).render(relative, try diff(file))
            }
            text += fenced(shown, "diff")
        }
        return text
    }

    /// A code block that its content cannot end.
    private func fenced(_ text: String, _ language: String) -> String {
        var (longest, run) = (0, 0)
        for byte in text.utf8 {
            run = byte == UInt8(ascii: "`") ? run + 1 : 0
            longest = max(longest, run)
        }
        let fence = String(repeating: "`", count: max(3, longest + 1))
        return "\(fence)\(language)\n\(text)\(text.hasSuffix("\n") ? "" : "\n")\(fence)\n"
    }

    /// Text in a line of code. A name with a backtick or a line break is shown as it is escaped elsewhere.
    private func code(_ text: String) -> String { "<code>\(escaped(text))</code>" }

    /// Text with the special characters of Markdown and HTML escaped.
    private func escaped(_ text: String) -> String {
        var result = ""
        for character in visible(text) {
            switch character {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "*", "_", "`", "[", "]", "\\", "~", "|", "#", "!", "@": result += "&#\(character.asciiValue ?? 0);"
            default: result.append(character)
            }
        }
        return result
    }
}

extension Plan {
    /// The purpose of the plan, in a line.
    func title(cluster: String) -> String {
        if !hosts.isEmpty { return "Deploy to \(count(hosts.count, "host")) of cluster \(cluster)" }
        if !held.isEmpty { return "Only held hosts of cluster \(cluster) have changes" }
        return orphans.isEmpty ? "Nothing to do for cluster \(cluster)" : "No host in the config tree of cluster \(cluster) has changes"
    }
}

extension HostPlan {
    /// The changes in a line: the apps, and the units that start, restart, reload or stop.
    var summary: String {
        var parts: [String] = base == nil ? ["new host"] : []
        for (kind, word) in [(AppChange.Kind.add, "add"), (.update, "update"), (.remove, "remove"), (.repair, "repair")] {
            let apps = changes.filter { $0.kind == kind }.map(\.app.text)
            if !apps.isEmpty { parts.append(word + " " + apps.joined(separator: ", ")) }
        }
        var units: [(word: String, names: [String])] = []
        for step in steps {
            let found: (String, UnitName)? =
                switch step.action {
                case .start(let unit, _, _): ("start", unit)
                case .restart(let unit, _, _), .restartIfUp(let unit, _, _): ("restart", unit)
                case .reload(let unit, _, _, _): ("reload", unit)
                case .stop(let unit, _), .disable(let unit, _): ("stop", unit)
                default: nil
                }
            guard let (word, unit) = found else { continue }
            if let index = units.firstIndex(where: { $0.word == word }) {
                if !units[index].names.contains(unit.text) { units[index].names.append(unit.text) }
            } else {
                units.append((word, [unit.text]))
            }
        }
        let acts = units.map { "\($0.word) \($0.names.joined(separator: ", "))" } + (newIdentity.map { [$0.phrase] } ?? [])
        return (parts + acts).isEmpty ? "host.json" : (parts + acts).joined(separator: "; ")
    }
}
