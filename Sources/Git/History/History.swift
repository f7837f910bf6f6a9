import Model

/// The store's history of its deploys, one event per line, in the append-only file `history` of the store.
///
/// Writers append whole lines, even concurrently, and readers start at the end, so neither gets slower as the file
/// grows.
package enum HistoryEvent: Hashable, Sendable {
    /// A deploy was confirmed. Records the intended changes before any happens.
    case begun(HistoryEntry)
    /// The deploy's result for one host, as a word and as a phrase for people.
    case ended(time: Int64, commit: ObjectID, Hostname, DeployEnd, String)
    /// The host was found running a commit, nil for none, that differed from the store.
    case found(time: Int64, Hostname, commit: ObjectID?, before: ObjectID?)
    /// The operator made the store forget the host's deployed state.
    case forgotten(time: Int64, Hostname, commit: ObjectID)
}

/// The intended changes of a deploy.
package struct HistoryEntry: Hashable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case deploy, undo
        /// A deploy that restores files changed on the hosts.
        case repair
        /// It restarted units, and changed nothing.
        case restart
        /// It forgot files that an earlier deploy left on the hosts.
        case leave
    }

    /// Seconds since the epoch.
    package var time: Int64
    package var commit: ObjectID
    package var kind: Kind
    /// The cluster's name.
    package var cluster: String
    /// `Name <email>`.
    package var author: String
    package var hosts: [HostNote]

    package init(time: Int64, commit: ObjectID, kind: Kind, cluster: String, author: String, hosts: [HostNote]) {
        self.time = time
        self.commit = commit
        self.kind = kind
        self.cluster = oneLine(cluster)
        self.author = oneLine(author)
        self.hosts = hosts
    }
}

/// The intended changes of a deploy on one host.
package struct HostNote: Hashable, Sendable {
    package struct App: Hashable, Sendable {
        package enum Change: Character, CaseIterable, Sendable {
            case added = "+"
            case updated = "~"
            case removed = "-"
            /// Only its units restarted.
            case restarted = "^"
        }

        package var change: Change
        package var name: AppName

        package init(_ change: Change, _ name: AppName) {
            self.change = change
            self.name = name
        }
    }

    package var host: Hostname
    /// The commit that the host ran before; nil for none.
    package var before: ObjectID?
    package var apps: [App]

    package init(host: Hostname, before: ObjectID?, apps: [App]) {
        self.host = host
        self.before = before
        self.apps = apps
    }
}

/// The result of a deploy on a host.
package enum DeployEnd: String, CaseIterable, Sendable {
    case done
    case rolledBack = "rolled-back"
    /// In neither the old nor the new state.
    case broken
    /// Nothing changed.
    case failed
    /// The connection was lost: in the old or the new state.
    case unknown
}

/// Replaces control characters, so that text stays in its field and on its line.
private func oneLine(_ text: String) -> String {
    String(decoding: text.utf8.map { $0 < 0x20 || $0 == 0x7f ? 0x20 : $0 }, as: UTF8.self)
}

// MARK: The lines

extension HistoryEvent {
    /// Tab-separated fields; the first determines the others.
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

    /// Nil for a line that a power cut left incomplete, or that a later version wrote.
    init?(line: ArraySlice<UInt8>) {
        var fields = Fields(line)
        let kind = fields.next()
        guard let time = Int64(String(fields.next())), let commit = known(fields.next()) else { return nil }
        switch (String(kind), commit) {
        case ("deploy", let commit?), ("undo", let commit?), ("repair", let commit?), ("restart", let commit?), ("leave", let commit?):
            let (cluster, author, hosts) = (String(fields.next()), String(fields.next()), fields.next())
            guard fields.isComplete, let kind = HistoryEntry.Kind(rawValue: String(kind)) else { return nil }
            self = .begun(
                HistoryEntry(
                    time: time, commit: commit, kind: kind, cluster: cluster, author: author,
                    hosts: hosts.split(separator: UInt8(ascii: " ")).compactMap(HostNote.init)))
        case ("end", let commit?):
            let (host, end, phrase) = (Hostname(String(fields.next())), DeployEnd(rawValue: String(fields.next())), fields.next())
            guard fields.isComplete, let host, let end else { return nil }
            self = .ended(time: time, commit: commit, host, end, String(phrase))
        case ("found", let commit):
            let (host, before) = (Hostname(String(fields.next())), known(fields.next()))
            guard fields.isComplete, let host, let before else { return nil }
            self = .found(time: time, host, commit: commit, before: before)
        case ("forgotten", let commit?):
            let host = Hostname(String(fields.next()))
            guard fields.isComplete, let host else { return nil }
            self = .forgotten(time: time, host, commit: commit)
        default: return nil
        }
    }
}

/// The fields of a line, in order.
private struct Fields {
    private var rest: ArraySlice<UInt8>?
    private var isShort = false

    init(_ line: ArraySlice<UInt8>) { rest = line }

    /// Empty if no field is left.
    mutating func next() -> ArraySlice<UInt8> {
        guard let line = rest else {
            isShort = true
            return []
        }
        guard let tab = line.firstIndex(of: UInt8(ascii: "\t")) else {
            rest = nil
            return line
        }
        rest = line[(tab + 1)...]
        return line[..<tab]
    }

    /// Whether the line had exactly the requested fields.
    var isComplete: Bool { rest == nil && !isShort }
}

extension String {
    fileprivate init(_ bytes: ArraySlice<UInt8>) { self.init(decoding: bytes, as: UTF8.self) }
}

extension HostNote {
    /// Such as `web1=none=+nginx,~motd`.
    fileprivate var text: String {
        "\(host.text)=\(before.text)=" + apps.map { "\($0.change.rawValue)\($0.name.text)" }.joined(separator: ",")
    }

    fileprivate init?(_ text: ArraySlice<UInt8>) {
        let parts = text.split(separator: UInt8(ascii: "="), omittingEmptySubsequences: false)
        guard parts.count == 3, let host = Hostname(String(parts[0])), let before = known(parts[1]) else { return nil }
        let apps = parts[2].split(separator: UInt8(ascii: ",")).compactMap { part -> App? in
            let text = String(part)
            guard let change = text.first.flatMap(App.Change.init), let name = AppName(String(text.dropFirst())) else { return nil }
            return App(change, name)
        }
        self.init(host: host, before: before, apps: apps)
    }
}

private let nothing = "none"

extension ObjectID? {
    fileprivate var text: String { self?.hex ?? nothing }
}

/// A commit, or an inner nil for none; nil for other text.
private func known(_ text: ArraySlice<UInt8>) -> ObjectID?? {
    text.elementsEqual(nothing.utf8) ? .some(nil) : ObjectID(hex: text).map { .some($0) }
}
