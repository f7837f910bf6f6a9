import CSystem
import Model

/// What the store remembers of its deploys, an event a line: the file `history` of the store, which only grows.
///
/// It is written in whole lines that end up at the end whoever else writes, and read from its end, so that neither gets
/// slower as it grows.
public enum HistoryEvent: Hashable, Sendable {
    /// A deploy was confirmed: what is meant to happen, noted before anything does.
    case begun(DeployNote)
    /// How it ended for one host, in one word and in a phrase for people.
    case ended(time: Int64, commit: ObjectID, Hostname, DeployEnd, String)
    /// The host was seen to run a commit, nil for none, that the store did not know to be there.
    case found(time: Int64, Hostname, commit: ObjectID?, before: ObjectID?)
    /// The operator made the store forget what is deployed there.
    case forgotten(time: Int64, Hostname, commit: ObjectID)
}

/// What a deploy set out to do.
public struct DeployNote: Hashable, Sendable {
    public enum Kind: String, Sendable {
        case deploy, undo
    }

    /// Seconds since the epoch.
    public var time: Int64
    public var commit: ObjectID
    public var kind: Kind
    /// The cluster's name.
    public var cluster: String
    /// `Name <email>`.
    public var author: String
    public var hosts: [HostNote]

    public init(time: Int64, commit: ObjectID, kind: Kind, cluster: String, author: String, hosts: [HostNote]) {
        self.time = time
        self.commit = commit
        self.kind = kind
        self.cluster = oneLine(cluster)
        self.author = oneLine(author)
        self.hosts = hosts
    }
}

/// What a deploy set out to do on one host.
public struct HostNote: Hashable, Sendable {
    public struct App: Hashable, Sendable {
        public enum Change: Character, Sendable {
            case added = "+"
            case updated = "~"
            case removed = "-"
        }

        public var change: Change
        public var name: AppName

        public init(_ change: Change, _ name: AppName) {
            self.change = change
            self.name = name
        }
    }

    public var host: Hostname
    /// What it ran before; nil for nothing.
    public var before: ObjectID?
    public var apps: [App]

    public init(host: Hostname, before: ObjectID?, apps: [App]) {
        self.host = host
        self.before = before
        self.apps = apps
    }
}

/// How a deploy ended for a host.
public enum DeployEnd: String, Hashable, Sendable {
    case done
    case rolledBack = "rolled-back"
    /// In neither state.
    case broken
    /// Nothing was changed.
    case failed
    /// The connection was lost: in the old or the new state.
    case unknown
}

/// Text that stays in its field and on its line.
private func oneLine(_ text: String) -> String {
    String(decoding: text.utf8.map { $0 < 0x20 || $0 == 0x7f ? 0x20 : $0 }, as: UTF8.self)
}

// MARK: The lines

extension HistoryEvent {
    /// Fields with tabs between them; the first says which there are.
    var line: String {
        let fields: [String] =
            switch self {
            case .begun(let note):
                [
                    note.kind.rawValue, "\(note.time)", note.commit.hex, note.cluster, note.author,
                    note.hosts.map(\.text).joined(separator: " "),
                ]
            case .ended(let time, let commit, let host, let end, let phrase):
                ["end", "\(time)", commit.hex, host.text, end.rawValue, oneLine(phrase)]
            case .found(let time, let host, let commit, let before):
                ["found", "\(time)", commit.text, host.text, before.text]
            case .forgotten(let time, let host, let commit): ["forgotten", "\(time)", commit.hex, host.text]
            }
        return fields.joined(separator: "\t") + "\n"
    }

    /// Nil for a line that a power cut left half written, or a later version wrote.
    init?(line: Substring.UTF8View) {
        let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false).map { String(Substring($0)) }
        guard fields.count >= 4, let time = Int64(fields[1]), let commit = known(fields[2]) else { return nil }
        switch (fields[0], fields.count, commit) {
        case ("deploy", 6, let commit?), ("undo", 6, let commit?):
            guard let kind = DeployNote.Kind(rawValue: fields[0]) else { return nil }
            self = .begun(
                DeployNote(
                    time: time, commit: commit, kind: kind, cluster: fields[3], author: fields[4],
                    hosts: fields[5].split(separator: " ").compactMap(HostNote.init)))
        case ("end", 6, let commit?):
            guard let host = Hostname(fields[3]), let end = DeployEnd(rawValue: fields[4]) else { return nil }
            self = .ended(time: time, commit: commit, host, end, fields[5])
        case ("found", 5, let commit):
            guard let host = Hostname(fields[3]), let before = known(fields[4]) else { return nil }
            self = .found(time: time, host, commit: commit, before: before)
        case ("forgotten", 4, let commit?):
            guard let host = Hostname(fields[3]) else { return nil }
            self = .forgotten(time: time, host, commit: commit)
        default: return nil
        }
    }
}

extension HostNote {
    /// Such as `web1=none=+nginx,~motd`.
    fileprivate var text: String {
        "\(host.text)=\(before.text)=" + apps.map { "\($0.change.rawValue)\($0.name.text)" }.joined(separator: ",")
    }

    fileprivate init?(_ text: Substring) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 3, let host = Hostname(String(parts[0])), let before = known(String(parts[1])) else { return nil }
        let apps = parts[2].split(separator: ",").compactMap { part -> App? in
            guard let change = part.first.flatMap(App.Change.init), let name = AppName(String(part.dropFirst())) else { return nil }
            return App(change, name)
        }
        self.init(host: host, before: before, apps: apps)
    }
}

private let nothing = "none"

extension ObjectID? {
    fileprivate var text: String { self?.hex ?? nothing }
}

/// A commit or, inside, nil for none; nil for what is neither.
private func known(_ text: String) -> ObjectID?? {
    if text == nothing { return .some(nil) }
    return ObjectID(hex: text).map { .some($0) }
}
