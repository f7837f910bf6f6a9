import Git
import Model
import Planning

/// The status of one host according to the store.
package struct HostStatus {
    package var host: Hostname
    /// The last deploy; nil for a new host.
    package var deployed: Commit?
    /// Apps that differ from the config tree.
    package var changed: [AppChange]
    /// Whether its `host.json` also differs.
    package var hasNewOptions: Bool
    package var isInTree: Bool
    /// Why the host is left as it is for a while, if it is.
    package var hold: Hold?

    package init(
        host: Hostname, deployed: Commit?, changed: [AppChange], hasNewOptions: Bool = false, isInTree: Bool, hold: Hold? = nil
    ) {
        self.host = host
        self.deployed = deployed
        self.changed = changed
        self.hasNewOptions = hasNewOptions
        self.isInTree = isInTree
        self.hold = hold
    }
}

/// Renders the status of every host.
package struct StatusText {
    private let style: Style
    /// Formats seconds since the epoch as local time, such as `2026-11-21 07:47`.
    private let time: (Int64) -> String

    package init(style: Style, time: @escaping (Int64) -> String) {
        self.style = style
        self.time = time
    }

    /// A line for each host.
    package func render(_ hosts: [HostStatus]) -> String {
        let width = hosts.map(\.host.text.count).max() ?? 0
        let authors = hosts.compactMap(\.deployed?.author.name.count).max() ?? 0
        return hosts.map { host in
            var text = style.heading(host.host.text) + String(repeating: " ", count: width - host.host.text.count) + "  "
            if let commit = host.deployed {
                let name = commit.author.name
                text += "\(time(commit.time))  \(commit.id.short)  \(visible(name))"
                let changes = changes(host)
                if !changes.isEmpty || !host.isInTree {
                    text += String(repeating: " ", count: authors - name.count) + "  "
                }
                text += changes.isEmpty ? "" : "undeployed changes: \(changes)"
            } else {
                text += "new host"
            }
            return text + (host.isInTree ? "" : "not in the config tree any more, but still deployed") + "\n"
                + (host.hold.map { "    " + style.changed(HoldText(time: time).phrase($0)) + "\n" } ?? "")
        }.joined()
    }

    private func changes(_ host: HostStatus) -> String {
        let options = host.hasNewOptions ? [style.changed("~ " + HostOptions.fileName)] : []
        return (options + apps(host.changed)).joined(separator: ", ")
    }

    private func apps(_ changes: [AppChange]) -> [String] {
        changes.map { change in
            switch change.kind {
            case .add: style.added("+ " + change.app.text)
            case .update, .repair, .restart: style.changed("~ " + change.app.text)
            case .remove: style.removed("- " + change.app.text)
            }
        }
    }
}
