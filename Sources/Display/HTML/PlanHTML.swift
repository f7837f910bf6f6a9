import Git
import Model
import Planning

/// Renders a plan as one HTML file, which loads nothing: a folding section per host, with the steps of a deploy there, and the
/// changed lines side by side.
///
/// Contents of private apps and of sealed files are left out. Hosts with the same changes share a section. Beyond `limit`
/// bytes, the page omits the lines of further files, with a note.
package struct PlanHTML {
    private let cluster: String
    private let limit: Int
    private let time: (Int64) -> String

    /// `time` formats seconds since the epoch.
    package init(cluster: String, limit: Int = 2_000_000, time: @escaping (Int64) -> String) {
        self.cluster = cluster
        self.limit = limit
        self.time = time
    }

    /// Hosts with the same changes, and one of them.
    private struct Group {
        var hosts: [String]
        let plan: HostPlan
        let steps: String
        let changes: [AppChange]
    }

    package func render<Failure: Error>(
        _ plan: Plan, diff: (ChangedFile) throws(Failure) -> FileDiff
    ) throws(Failure) -> String {
        let groups = groups(of: plan)
        let title = plan.title(cluster: cluster)
        var text = HTML.head(title: title)
        text += "<h1>\(HTML.text(title))</h1>\n"
        let plain = PlanText(style: .plain)
        for remark in [plain.hint(plan), plain.orphans(plan.orphans), HoldText(time: time).leftOut(plan.held)] where !remark.isEmpty {
            text += HTML.preformatted(String(remark.drop { $0.isNewline }))
        }
        if groups.count > 1 { text += contents(groups) }
        for (index, group) in groups.enumerated() {
            text += "<section id=g\(index)><details\(groups.count <= 3 ? " open" : "")><summary><h2>\(names(group))</h2> "
            text += "\(HTML.text(group.plan.summary))</summary>\n\(HTML.preformatted(group.steps))"
            for change in group.changes { text += try section(change, group, room: limit - text.utf8.count, diff) }
            text += "</details></section>\n"
        }
        return text + "</main>\n"
    }

    private func groups(of plan: Plan) -> [Group] {
        var groups: [Group] = [], places: [String: [Int]] = [:]
        for host in plan.hosts {
            let steps = PlanText(style: .plain, hidesPrivate: true).render(host, name: "")
            let same = places[steps, default: []].first { groups[$0].changes == host.changes && groups[$0].plan.summary == host.summary }
            if let same {
                groups[same].hosts.append(host.host.text)
            } else {
                places[steps, default: []].append(groups.count)
                groups.append(Group(hosts: [host.host.text], plan: host, steps: steps, changes: host.changes))
            }
        }
        return groups
    }

    private func names(_ group: Group) -> String { HTML.text(group.hosts.joined(separator: ", ")) }

    private func contents(_ groups: [Group]) -> String {
        let items = groups.enumerated().map { index, group in
            "<li><a href=#g\(index)>\(names(group))</a> \(HTML.text(group.plan.summary))\n"
        }
        return "<nav><ul>\n\(items.joined())</ul></nav>\n"
    }

    /// The changed lines of an app. Paths begin with the app, since several hosts can share the section.
    private func section<Failure: Error>(
        _ change: AppChange, _ group: Group, room: Int, _ diff: (ChangedFile) throws(Failure) -> FileDiff
    ) throws(Failure) -> String {
        let files = Plan.changedFiles(of: change, on: group.plan)
        if files.isEmpty { return "" }
        if group.plan.privateApps.contains(change.app) {
            return "<p>\(HTML.text(change.app.text)) is private: its lines are not shown.</p>\n"
        }
        let prefix = group.plan.host.text + "/"
        var text = ""
        for (index, file) in files.enumerated() {
            guard text.utf8.count < room else {
                return text
                    + "<p>\(count(files.count - index, "more file")) of \(HTML.text(change.app.text)): the page is too long. <code>deptool diff</code> shows all lines.</p>\n"
            }
            let path = file.path.hasPrefix(prefix) ? String(file.path.dropFirst(prefix.count)) : file.path
            let word = file.old == nil ? "new" : file.new == nil ? "removed" : "changed"
            // A new or removed file has nothing to compare with.
            let body = file.isSealed ? "<p>sealed</p>\n" : DiffTable(of: try diff(file), maximumBytes: room - text.utf8.count).html
            text +=
                "<details class=file\(word == "changed" ? " open" : "")><summary>\(HTML.text(path)) <i>\(word)\(mode(file))</i></summary>\n"
            text += body + "</details>\n"
        }
        return text
    }

    private func mode(_ file: ChangedFile) -> String {
        guard let old = file.old, let new = file.new, old.isExecutable != new.isExecutable else { return "" }
        return new.isExecutable ? ", executable now" : ", not executable any more"
    }
}

/// A file's changed lines, the old ones at the left of the new ones.
private struct DiffTable {
    private(set) var html = ""
    private let maximumBytes: Int

    init(of diff: FileDiff, maximumBytes: Int) {
        self.maximumBytes = maximumBytes
        switch diff {
        case .binary(let old, let new):
            html = "<p>binary file, \([old, new].map { $0.map { size($0) } ?? "absent" }.joined(separator: " → "))</p>\n"
        case .text(let diff):
            html = "<table><col><col><col><col>\n"
            for hunk in diff.hunks { render(hunk) }
            html += "</table>\n"
        }
    }

    private mutating func render(_ hunk: TextDiff.Hunk) {
        html += "<tr class=h><td colspan=4>\(HTML.text(hunk.header))\n"
        var (old, new) = Self.numbers(hunk.header)
        var removed: [TextDiff.Line] = [], added: [TextDiff.Line] = []
        func flush(_ table: inout Self) {
            for index in 0..<max(removed.count, added.count) {
                let left = index < removed.count ? removed[index] : nil, right = index < added.count ? added[index] : nil
                table.html += "<tr>" + Self.cells(left, &old, "d") + Self.cells(right, &new, "a") + "\n"
            }
            (removed, added) = ([], [])
        }
        for line in hunk.lines {
            guard html.utf8.count < maximumBytes else {
                html += "<tr class=h><td colspan=4>the page is too long for the other lines\n"
                return
            }
            switch line.kind {
            case .removed: removed.append(line)
            case .added: added.append(line)
            case .context:
                flush(&self)
                html += "<tr class=c>" + Self.cells(line, &old, nil) + Self.cells(line, &new, nil) + "\n"
            }
        }
        flush(&self)
    }

    private static func cells(_ line: TextDiff.Line?, _ number: inout Int, _ word: String?) -> String {
        guard let line else { return "<th class=e><td class=e>" }
        defer { number += 1 }
        let end = line.endsWithNewline ? "" : " <i>no newline</i>"
        return "<th>\(number)<td\(word.map { " class=\($0)" } ?? "")>\(HTML.text(line.text))\(end)"
    }

    /// The numbers of the first lines, of `@@ -1,3 +1,4 @@`.
    private static func numbers(_ header: String) -> (old: Int, new: Int) {
        let words = header.split(separator: " ")
        func number(_ index: Int) -> Int {
            guard words.count > index else { return 1 }
            return Int(words[index].dropFirst().prefix { $0 != "," }) ?? 1
        }
        return (number(1), number(2))
    }
}
