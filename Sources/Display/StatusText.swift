import Git
import Model
import Planning

/// What is known of one host without asking it.
public struct HostStatus {
    public var host: Hostname
    /// What was deployed last; nil for a new host.
    public var deployed: Commit?
    /// Apps that differ from the config tree.
    public var changed: [AppChange]
    public var isInTree: Bool

    public init(host: Hostname, deployed: Commit?, changed: [AppChange], isInTree: Bool) {
        self.host = host
        self.deployed = deployed
        self.changed = changed
        self.isInTree = isInTree
    }
}

/// Renders what is known of every host.
public struct StatusText {
    private let style: Style
    /// Local time of a number of seconds since the epoch, such as `2026-11-21 07:47`.
    private let time: (Int64) -> String

    public init(style: Style, time: @escaping (Int64) -> String) {
        self.style = style
        self.time = time
    }

    public func render(_ hosts: [HostStatus]) -> String {
        hosts.map { host in
            var text = style.heading(host.host.text) + "\n"
            if let commit = host.deployed {
                text += "    \(time(commit.time))  \(commit.id.short)  \(visible(commit.author.text))\n"
            } else {
                text += "    new host\n"
            }
            if !host.isInTree { text += "    not in the config tree any more, but still deployed\n" }
            if !host.changed.isEmpty && host.deployed != nil {
                let apps = host.changed.map { change in
                    switch change.kind {
                    case .add: style.added("+ " + change.app.text)
                    case .update: style.changed("~ " + change.app.text)
                    case .remove: style.removed("- " + change.app.text)
                    }
                }
                text += "    not deployed yet: \(apps.joined(separator: ", "))\n"
            }
            return text
        }.joined(separator: "\n")
    }
}
