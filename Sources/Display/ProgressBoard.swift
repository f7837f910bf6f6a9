import Deployment
import Model
import Wire

/// The state of every host of a deploy, as lines.
public struct ProgressBoard {
    private let style: Style
    private let width: Int
    private var lines: [Hostname: String] = [:]
    private var undoing: Set<Hostname> = []
    private let hosts: [Hostname]

    public init(_ hosts: [Hostname], style: Style) {
        self.hosts = hosts
        self.style = style
        width = hosts.map(\.text.count).max() ?? 0
        for host in hosts { lines[host] = "waiting" }
    }

    /// Takes note of what happened; false when that changes no words.
    public mutating func update(_ host: Hostname, _ event: HostEvent) -> Bool {
        if case .undoing = event { undoing.insert(host) }
        let phrase = phrase(event, isUndoing: undoing.contains(host))
        guard lines[host] != phrase else { return false }
        lines[host] = phrase
        return true
    }

    /// The line of one host.
    public func line(_ host: Hostname) -> String { "  \(host.text): \(lines[host] ?? "")" }

    /// All lines, each cut to the columns of the terminal.
    public func render(columns: Int) -> [String] {
        hosts.map { host in
            let padding = String(repeating: " ", count: width - host.text.count)
            return String("  \(host.text): \(padding)\(lines[host] ?? "")".prefix(max(columns - 1, 10)))
        }
    }

    private func phrase(_ event: HostEvent, isUndoing: Bool) -> String {
        switch event {
        case .connecting: "connecting"
        case .installingAgent: "installing the agent"
        case .connected(false): "connected"
        case .connected(true): "somebody else deployed to it since"
        case .locking: "locking"
        case .staging(_, 0): "staging"
        case .staging(let sent, let total):
            total < 1 << 20 ? "staging" : "staging, \(size(sent)) of \(size(total))"
        case .staged: "ready"
        case .applying(let step): step.progress
        case .waiting(let waiting): (isUndoing ? "rolling back: " : "") + waiting.phrase
        case .undoing(let failure): "rolling back: \(failure.phrase)"
        case .ended(let result): result.phrase
        }
    }
}

extension Waiting {
    var phrase: String {
        let what =
            switch goal {
            case .ready: "waiting for \(unit.text) to become ready"
            case .stopped: "waiting for \(unit.text) to stop"
            case .settled: "watching \(unit.text)"
            }
        return what + " (\(elapsed) s of \(limit) s)"
    }
}
