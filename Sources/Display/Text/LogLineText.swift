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

    /// A remark about a host, in the same column.
    package func remark(_ host: Hostname, _ text: String) -> String { name(host) + "  " + style.faint("-- \(text) --") + "\n" }

    private func name(_ host: Hostname) -> String {
        style.host(host.text, hosts[host] ?? 0) + String(repeating: " ", count: max(0, width - host.text.count))
    }
}

extension LogFailure {
    package var phrase: String {
        switch self {
        case .host(let error): error.phrase
        case .program(.code(127), _): "there is no journalctl on the host"
        case .program(.code(let code), let said): "journalctl failed with status \(code)" + (said.isEmpty ? "" : " (\(visible(said)))")
        case .program(.signal(let name), _): "journalctl was ended by SIG\(visible(name))"
        }
    }
}
