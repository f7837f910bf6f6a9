import Git
import Model
import Planning

/// The message of a deploy's commit.
enum DeployMessage {
    private static let trailer = "Cluster: "

    static func make(_ kind: HistoryEntry.Kind, cluster: String, hosts: [Hostname]) -> String {
        let subject =
            switch kind {
            case .deploy: "Deploy to"
            case .repair: "Repair"
            case .restart: "Restart on"
            case .leave: "Leave files on"
            case .undo: "Undo on"
            }
        return "\(subject) \(hosts.count == 1 ? "1 host" : "\(hosts.count) hosts")\n\n\(trailer)\(cluster)\n"
    }

    static func cluster(of message: String) -> String? {
        message.split(separator: "\n").last { $0.hasPrefix(trailer) }.map { String($0.dropFirst(trailer.count)) }
    }
}
