import Deployment
import Git
import Model
import Planning

/// The status of one host, from the store and from the host's answer.
package struct HostStatus {
    package var host: Hostname
    /// The last deploy; nil for a new host.
    package var deployed: Commit?
    /// Apps that differ from the config tree.
    package var changed: [AppChange]
    /// Whether its `host.json` also differs.
    package var hasNewOptions: Bool
    package var isInTree: Bool
    /// The hold of the host, if it is held.
    package var hold: Hold?
    /// Nil if the host was not asked.
    package var answer: Result<HostCondition, HostError>?

    package init(
        host: Hostname, deployed: Commit?, changed: [AppChange], hasNewOptions: Bool = false, isInTree: Bool, hold: Hold? = nil,
        answer: Result<HostCondition, HostError>? = nil
    ) {
        self.host = host
        self.deployed = deployed
        self.changed = changed
        self.hasNewOptions = hasNewOptions
        self.isInTree = isInTree
        self.hold = hold
        self.answer = answer
    }

    package var condition: HostCondition? { try? answer?.get() }
    package var error: HostError? { if case .failure(let error) = answer { error } else { nil } }

    /// Whether nothing is other than the operator would expect, as far as the host was asked.
    package var isWell: Bool {
        error == nil && condition?.isWell ?? true && hold == nil && changed.isEmpty && !hasNewOptions && isInTree && deployed != nil
    }
}

/// Renders problems, grouped by kind, the most urgent first; then the healthy hosts.
package struct StatusText {
    private let style: Style
    /// Formats seconds since the epoch as local time, such as `2026-11-21 07:47`.
    private let time: (Int64) -> String

    package init(style: Style, time: @escaping (Int64) -> String) {
        self.style = style
        self.time = time
    }

    /// `mistake` is an error of the config tree, which leaves changes unknown. With `all`, also the last deploy of every host.
    package func render(_ hosts: [HostStatus], mistake: String? = nil, all: Bool = false) -> String {
        let findings = hosts.map { ($0.host, self.findings($0)) }
        var blocks = mistake.map { [block(style.bad("The config tree has a mistake, so changes are not known"), $0)] } ?? []
        for kind in Kind.allCases {
            let groups = Self.grouped(
                findings.flatMap { host, found in found.filter { $0.kind == kind }.map { (text: $0.text, host: host) } })
            if groups.isEmpty { continue }
            let lines = groups.map { text, hosts in list(hosts, text) }
            blocks.append((kind.isBad ? style.bad(kind.title) : style.heading(kind.title)) + ":\n" + lines.joined())
        }
        let well = hosts.filter(\.isWell).map(\.host)
        let wasAsked = hosts.contains { $0.answer != nil }
        if !well.isEmpty, wasAsked || mistake == nil {
            let isOne = well.count == 1
            let state = wasAsked ? (isOne ? "is well" : "are well") : isOne ? "matches the config tree" : "match the config tree"
            let text = "\(count(well.count, "host")) \(state)"
            blocks.append(style.added(text) + ":\n" + list(well, ""))
        }
        if all { blocks.append(style.heading("Last deploys") + ":\n" + deploys(hosts)) }
        return blocks.joined(separator: "\n")
    }

    /// The kinds of problems, the most urgent first.
    private enum Kind: CaseIterable {
        case unasked, units, probes, moved, drift, held, changes, orphans

        var title: String {
            switch self {
            case .unasked: "Could not be asked"
            case .units: "Units that are not well"
            case .probes: "Services that do not answer as they should"
            case .moved: "Somebody else deployed, or the host is new"
            case .drift: "Changed on the host"
            case .held: "Held"
            case .changes: "Undeployed changes"
            case .orphans: "Not in the config tree any more, but still deployed"
            }
        }

        var isBad: Bool {
            switch self {
            case .unasked, .units, .probes, .moved, .drift: true
            case .held, .changes, .orphans: false
            }
        }
    }

    private func findings(_ host: HostStatus) -> [(kind: Kind, text: String)] {
        var found: [(kind: Kind, text: String)] = []
        if let error = host.error { found.append((.unasked, error.phrase)) }
        if let condition = host.condition {
            let units = self.units(condition)
            if !units.isEmpty { found.append((.units, some(units, 5))) }
            let probes = condition.unanswered.map { "\($0.app.text): \($0.probe.phrase) \($0.answer.verdict)" }
            if !probes.isEmpty { found.append((.probes, some(probes, 3, "; "))) }
            if condition.commit != condition.known {
                let known = condition.known.map { ", not \($0.short)" } ?? ""
                found.append((.moved, condition.commit.map { "runs \($0.short)\(known)" } ?? "nothing is deployed on it any more"))
            }
            let drift = condition.otherDrift.map { drift in (drift.app.map { "\($0.text): " } ?? "") + drift.phrase }
            if !drift.isEmpty { found.append((.drift, some(drift, 3, "; "))) }
        }
        if let hold = host.hold { found.append((.held, String(HoldText(time: time).phrase(hold).dropFirst("held ".count)))) }
        let changes = self.changes(host)
        if host.deployed == nil {
            found.append((.changes, "new host"))
        } else if !changes.isEmpty {
            found.append((.changes, some(changes, 5)))
        }
        if !host.isInTree { found.append((.orphans, "")) }
        return found
    }

    /// Each unit once, with the agent's finding for units of apps.
    private func units(_ condition: HostCondition) -> [String] {
        var names: Set<String> = []
        let own = condition.unwell.map { drift in
            if case .unwell(let unit, _) = drift.finding { names.insert(unit.text) }
            return String(drift.phrase.dropFirst("unit ".count))
        }
        return own + condition.failed.filter { !names.contains($0) }.map { "\(visible($0)) failed" }
    }

    private func changes(_ host: HostStatus) -> [String] {
        let options = host.hasNewOptions ? [style.changed("~ " + HostOptions.fileName)] : []
        return options
            + host.changed.map { change in
                switch change.kind {
                case .add: style.added("+ " + change.app.text)
                case .update, .repair, .restart: style.changed("~ " + change.app.text)
                case .remove: style.removed("- " + change.app.text)
                }
            }
    }

    private func deploys(_ hosts: [HostStatus]) -> String {
        let width = hosts.map(\.host.text.count).max() ?? 0
        return hosts.map { host in
            let name = host.host.text + String(repeating: " ", count: width - host.host.text.count)
            let deploy = host.deployed.map { "\(time($0.time))  \($0.id.short)  \(visible($0.author.name))" } ?? "never"
            return "    \(name)  \(deploy)\n"
        }.joined()
    }

    // MARK: Lists

    /// The first few, and how many more there are.
    private func some(_ words: [String], _ maximum: Int, _ separator: String = ", ") -> String {
        let shown = words.prefix(maximum).joined(separator: separator)
        return words.count > maximum ? shown + "\(separator)and \(words.count - maximum) more" : shown
    }

    /// Hosts with the same text together, in the order of the first of each.
    private static func grouped(_ findings: [(text: String, host: Hostname)]) -> [(text: String, hosts: [Hostname])] {
        var groups: [(text: String, hosts: [Hostname])] = []
        for (text, host) in findings {
            if let index = groups.firstIndex(where: { $0.text == text }) {
                groups[index].hosts.append(host)
            } else {
                groups.append((text, [host]))
            }
        }
        return groups
    }

    private static let width = 80
    private static let maximumLines = 8

    /// The names with the text behind them, or if that is too long for a line, below it.
    private func list(_ hosts: [Hostname], _ text: String) -> String {
        let names = hosts.map(\.text)
        let flat = "    " + names.joined(separator: ", ") + (text.isEmpty ? "" : ": " + text)
        if names.count == 1 || flat.count <= Self.width { return flat + "\n" }
        if text.isEmpty { return wrapped(names, indent: "    ") }
        return "    \(text):\n" + wrapped(names, indent: "        ")
    }

    private func wrapped(_ names: [String], indent: String) -> String {
        var lines = [indent]
        for (index, name) in names.enumerated() {
            let word = name + (index + 1 < names.count ? ", " : "")
            if lines[lines.count - 1].count + word.count > Self.width, lines[lines.count - 1] != indent {
                if lines.count == Self.maximumLines { return lines.map(ended).joined() + indent + "and \(names.count - index) more\n" }
                lines.append(indent)
            }
            lines[lines.count - 1] += word
        }
        return lines.map(ended).joined()
    }

    /// Without a space at the end.
    private func ended(_ line: String) -> String { (line.hasSuffix(" ") ? String(line.dropLast()) : line) + "\n" }

    private func block(_ title: String, _ text: String) -> String {
        title + ":\n" + text.split(separator: "\n").map { ($0.hasPrefix("    ") ? "" : "    ") + $0 + "\n" }.joined()
    }
}
