import Deployment
import Model
import Wire

/// The state of every host of a deploy, as lines. It has no clock: callers pass times, all from the same one.
package struct ProgressBoard: Sendable {
    private let style: Style
    private let hosts: [Hostname]
    private var activities: [Hostname: Activity] = [:]
    private var undoing: Set<Hostname> = []

    package init(_ hosts: [Hostname], style: Style) {
        self.hosts = hosts
        self.style = style
        for host in hosts { activities[host] = Activity(kind: .idle, phrase: "waiting", since: .zero) }
    }

    /// Records an event. Returns whether it deserves a permanent line: it is news, and will not be repeated a moment
    /// later.
    package mutating func update(_ host: Hostname, _ event: HostEvent, at now: Duration) -> Bool {
        if case .undoing = event { undoing.insert(host) }
        var next = Activity(event, isUndoing: undoing.contains(host), at: now)
        let before = activities[host]
        if let before, before.phrase == next.phrase {
            next.since = before.since
            if let upload = next.upload { next.upload = before.upload?.continued(by: upload) ?? upload }
        }
        var isNews = before?.phrase != next.phrase
        // A wait gets a line every ten seconds, a changed answer at once.
        if let wait = next.wait {
            let isRepeated = before?.wait.map { $0 == wait } ?? false
            isNews = wait.elapsed % 10 == 0 && !isRepeated
            if case .unanswered = event { isNews = isNews || before?.phrase != next.phrase }
        }
        if let upload = next.upload, !isNews, upload.isWorthTelling(at: now) {
            isNews = true
            next.upload?.told = now
        }
        activities[host] = next
        return isNews
    }

    /// The line of one host.
    package func line(_ host: Hostname, at now: Duration) -> String {
        guard let activity = activities[host] else { return "" }
        return "  \(host.text): \(activity.phrase)\(activity.detail(now)?.long ?? "")"
    }

    /// A line for each host; if the terminal has too few rows, hosts in the same state share a line. Never wider than
    /// the terminal, and never uses its last row, unless all hosts have ended and there will be no further drawing.
    package func render(columns: Int, rows: Int, at now: Duration) -> [String] {
        let room = max(1, rows - 1)
        var all: [Row] = []
        for host in hosts {
            if let activity = activities[host] { all.append(Row(hosts: [host], activity: activity)) }
        }
        if all.count > room { all = Self.shared(all, room, now) }
        let most = max(4, columns / 2 - 4)
        var labels = all.map(\.label)
        if labels.contains(where: { $0.count > most }), hasShortNames { labels = all.map(\.shortLabel) }
        let width = min(labels.map(\.count).max() ?? 0, most)
        return zip(all, labels).map { render($0, label: $1.prefix(width), labelWidth: width, columns, now) }
    }

    /// Whether the names up to the first dot are unique.
    private var hasShortNames: Bool { Set(hosts.map { Row.short($0) }).count == hosts.count }

    // MARK: Lines

    private struct Row {
        var hosts: [Hostname]
        var activity: Activity
        var label: String { hosts.count == 1 ? hosts[0].text : "\(hosts.count) hosts" }
        var shortLabel: String { hosts.count == 1 ? Self.short(hosts[0]) : label }

        static func short(_ host: Hostname) -> String { String(host.text.prefix { $0 != "." }) }
    }

    private func render(_ row: Row, label: Substring, labelWidth: Int, _ columns: Int, _ now: Duration) -> String {
        let head = "  \(label): " + String(repeating: " ", count: labelWidth - label.count)
        let left = max(10, columns - 1) - head.count
        let detail = row.activity.detail(now)
        let phrase = row.activity.phrase
        var text = phrase + (detail?.long ?? "")
        if Canvas.width(text) > left, let detail {
            let cut = Canvas.cut(phrase, to: max(0, left - detail.short.count))
            text = (cut.last == " " ? String(cut.dropLast()) : cut) + detail.short
        }
        text = Canvas.cut(text, to: max(0, left))
        return Canvas.cut(head, to: max(10, columns - 1)) + row.activity.kind.paint(style, text)
    }

    /// At most `room` rows while any host is working. Hosts that have worked on something for a while keep a row of
    /// their own.
    private static func shared(_ rows: [Row], _ room: Int, _ now: Duration) -> [Row] {
        let ended = together(rows.filter { $0.activity.kind.isEnd }.sorted { $0.activity.kind == .done && $1.activity.kind != .done })
        let rest = rows.filter { !$0.activity.kind.isEnd }
        guard !rest.isEmpty else { return ended }
        let slow = rest.filter { $0.activity.detail(now) != nil }
        // The summary repeats failures at the end.
        let top = folded(ended, to: max(1, room / 3), "ended") + together(rest.filter { $0.activity.detail(now) == nil })
        let left = max(1, room - top.count)
        guard slow.count > left else { return folded(top + slow, to: room, "at work") }
        let slowest = Set(slow.sorted { $0.activity.since < $1.activity.since }.prefix(left - 1).flatMap(\.hosts))
        let named = slow.filter { slowest.contains($0.hosts[0]) }, others = slow.filter { !slowest.contains($0.hosts[0]) }
        return folded(top + named + folded(others, to: 1, "at work, too"), to: room, "at work")
    }

    /// One row for each distinct phrase, in order of first appearance.
    private static func together(_ rows: [Row]) -> [Row] {
        var result: [Row] = []
        for row in rows {
            if let index = result.firstIndex(where: { $0.activity.phrase == row.activity.phrase }) {
                result[index].hosts += row.hosts
            } else {
                result.append(row)
            }
        }
        return result
    }

    /// Merges the last rows into one if there are too many.
    private static func folded(_ rows: [Row], to maximum: Int, _ phrase: String) -> [Row] {
        guard rows.count > maximum, let first = rows.dropFirst(maximum - 1).first else { return rows }
        let last = rows.dropFirst(maximum - 1)
        var row = Row(hosts: last.flatMap(\.hosts), activity: first.activity)
        if last.contains(where: { $0.activity.phrase != first.activity.phrase }) { row.activity.phrase = phrase }
        (row.activity.upload, row.activity.wait) = (nil, nil)
        row.activity.since = last.map(\.activity.since).min() ?? first.activity.since
        return rows.prefix(maximum - 1) + [row]
    }
}
