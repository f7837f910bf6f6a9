import Deployment
import Model
import SSH

/// Renders lines of the journals of hosts.
package struct LogLineText: Sendable {
    private let style: Style
    private let width: Int
    private let hosts: [Hostname: Int]
    /// Formats seconds since the epoch as local time, such as `2026-11-21 07:47`.
    private let time: @Sendable (Int64) -> String

    package init(style: Style, hosts: [Hostname], time: @escaping @Sendable (Int64) -> String) {
        self.style = style
        self.time = time
        width = hosts.map(\.text.count).max() ?? 0
        self.hosts = Dictionary(zip(hosts, hosts.indices)) { first, _ in first }
    }

    /// One line, as in `web1  2026-11-21 07:47:03  nginx[12]: ready`.
    package func render(_ host: Hostname, _ line: LogLine) -> String {
        let seconds = line.time / 1_000_000
        let rest = seconds % 60
        return name(host) + "  \(time(seconds)):\(rest < 10 ? "0" : "")\(rest)  \(visible(line.text))\n"
    }

    /// A remark about a host: in the column of the lines, or if it has none, as an error.
    package func render(_ host: Hostname, _ remark: LogRemark) -> String {
        switch remark {
        case .lost, .back: name(host) + "  " + style.faint("-- \(visible(remark.phrase)) --") + "\n"
        case .failed, .leftOut, .empty: "\(host.text): \(visible(remark.phrase))\n"
        }
    }

    private func name(_ host: Hostname) -> String {
        style.host(host.text, hosts[host] ?? 0) + String(repeating: " ", count: max(0, width - host.text.count))
    }
}

/// The notes about a host beside its lines.
package enum LogRemark: Sendable {
    case lost(LogError)
    case back
    case failed(LogError)
    /// The store has no deploy there, and only lines since the last deploy are wanted.
    case leftOut
    /// Its journal has no line of this unit or app.
    case empty(String)

    package var phrase: String {
        switch self {
        case .lost(let failure): failure.phrase + ", trying again"
        case .back: "connected again"
        case .failed(let failure): failure.phrase
        case .leftOut: "left out, since the store has no deploy to it"
        case .empty(let name): "no lines of '\(name)'"
        }
    }
}

extension LogError {
    package var phrase: String {
        switch self {
        case .host(let error): error.phrase
        case .program(.code(127), _): "there is no journalctl on the host"
        case .program(.code(let code), let said): "journalctl failed with status \(code)" + (said.isEmpty ? "" : " (\(visible(said)))")
        case .program(.signal(let name), _): "journalctl was ended by SIG\(visible(name))"
        }
    }
}
