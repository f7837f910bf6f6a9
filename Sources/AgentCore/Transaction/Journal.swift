import CSystem
import Model
import Wire

/// The state of the host before a transaction: enough to restore it, whichever of the steps ran. It is on disk from
/// before the first change until after the commit.
package struct Journal: Hashable, Sendable {
    /// The file name of the agent that wrote it and that can undo it best.
    package var writer = ""
    /// The machine id that the record will hold; nil in a journal of an agent that did not note it.
    package var machineID: String?
    /// The commit in the record once the transaction is committed; nil if there is no record then.
    package var commit: ObjectID?
    /// In the order of the steps; undone in reverse.
    package var priors: [Prior]
    /// Every unit that the steps touch.
    package var units: [PriorUnit]
    /// Whether systemd has to reload its units after the rollback.
    package var needsReload: Bool
    /// All links of the host that enable units; nil if the steps leave them alone.
    package var enablement: EnabledLinks.Snapshot?
    /// The other units that the host ran, to detect side effects of the steps.
    package var others = HostUnits()
    /// Those of `others` that a rollback has to start again, collected while systemd still has the new units loaded.
    package var fallen: [UnitName] = []
    /// The units that the steps reloaded. A rollback reloads them with the old files.
    package var reloaded: [UnitName] = []
    /// The apps whose secrets the steps open or remove. A rollback opens those of the old versions.
    package var unsealed: [AppName] = []

    /// The prior state of something that the steps change.
    package indirect enum Prior: Hashable, Sendable {
        /// The targets of an app's links; nil if there was none.
        case versions(AppName, current: String?, previous: String?)
        /// An app that existed.
        case app(AppName)
        case path(AbsolutePath, PriorPath)
        /// The same for a placed file, with the content that the steps put there; nil if they remove a file.
        case placed(AbsolutePath, PriorPath, content: Content?)
        /// A directory that did not exist.
        case noDirectory(AbsolutePath)
        /// A directory that was made for links and may be removed with the last of them.
        case directory(AbsolutePath, mode: UInt32, uid: UInt32, gid: UInt32)
        /// The readers of a directory.
        case readers(AbsolutePath, mode: UInt32, gid: UInt32)
    }

    package indirect enum PriorPath: Hashable, Sendable {
        case nothing
        case symlink(to: String)
        /// A file. Its copy is kept under the number `copy`, with its attributes.
        case file(copy: Int)
        /// A foreign file. Its copy stays after the commit.
        case kept(copy: Int)
    }

    package struct PriorUnit: Hashable, Sendable {
        package var name: UnitName
        package var state: State
        package var isEnabled: Bool
        /// Whether the steps enable or disable it.
        package var isEnablementTouched: Bool
        /// The time that the steps give it to start or stop.
        package var limit: Duration
        /// Differs from the unit's current invocation if the unit was stopped or started since.
        package var invocation: String

        package var isUp: Bool { state == .up || state == .unsteady }

        package enum State: UInt8, Hashable, Sendable {
            case down, up
            /// Starting, or crashing repeatedly.
            case unsteady
            case failed
        }
    }

    /// The units that are as wanted.
    func names(_ isWanted: (PriorUnit) -> Bool) -> [UnitName] {
        var names: [UnitName] = []
        for unit in units where isWanted(unit) { names.append(unit.name) }
        return names
    }

    /// The path of the copy of a displaced file.
    static func copy(_ number: Int) -> AbsolutePath {
        // Always a valid name, and never an app's name: a removed app may be beside it.
        (try? RelativePath(".file-" + String(number))).map { Layout.undo.appending($0) } ?? Layout.undo
    }

    /// The journal on disk; nil if no transaction is open.
    static func load(_ system: System) throws(AgentError) -> Journal? {
        let bytes: [UInt8]?
        bytes = try system.contents(of: Layout.journal, limit: Frame.limit)
        guard let bytes else { return nil }
        do {
            return try Journal(decoding: bytes)
        } catch {
            throw AgentError(FormatHeader.problem(at: Layout.journal, .journal, bytes, after: error))
        }
    }

    /// The file name of the agent that wrote the journal on disk; nil if there is no journal.
    static func writer(_ system: System) throws(AgentError) -> String? {
        guard let bytes = try system.contents(of: Layout.journal, limit: Frame.limit) else { return nil }
        var reader = ByteReader(bytes)
        guard let header = try? FormatHeader(.journal, from: &reader) else { return nil }
        return header.version == 1 ? try BootUnit(system: system).oldAgent() : header.writer
    }

    /// Whether the record is the one that the transaction was to write. The host's machine id may have changed since.
    func isCommitted(_ system: System) throws(AgentError) -> Bool {
        guard let machineID else { return try Record.load(system)?.commit == commit }
        guard let stored = try StoredRecord.read(system) else { return commit == nil }
        return stored.record.commit == commit && isSameText(stored.machineID, machineID)
    }

    func save(_ system: System) throws(AgentError) {
        try system.replace(Layout.journal, with: encoded, mode: 0o600)
        try system.syncParent(of: Layout.journal)
    }
}

extension Journal: WireCodable {
    package func encode(to bytes: inout ByteWriter) {
        FormatHeader.write(.journal, by: writer, to: &bytes)
        bytes.byte(machineID == nil ? 0 : 1)
        if let machineID { bytes.text(machineID) }
        bytes.optional(commit)
        bytes.list(priors)
        bytes.list(units)
        bytes.byte(needsReload ? 1 : 0)
        bytes.optional(enablement)
        others.encode(to: &bytes)
        bytes.list(fallen)
        bytes.list(reloaded)
        bytes.list(unsealed)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let header = try FormatHeader(.journal, from: &reader)
        guard header.version <= FormatHeader.Kind.journal.current else { throw .unknownCase }
        writer = header.writer
        if header.version > 2, try reader.bool() { machineID = try reader.text() }
        commit = try reader.optional(ObjectID.self)
        priors = try reader.list(of: Prior.self)
        units = try reader.list(of: PriorUnit.self)
        needsReload = try reader.bool()
        enablement = header.version == 1 ? nil : try reader.optional(EnabledLinks.Snapshot.self)
        if header.version > 1 {
            others = try HostUnits(from: &reader)
            fallen = try reader.list(of: UnitName.self)
        }
        if header.version > 3 { reloaded = try reader.list(of: UnitName.self) }
        if header.version > 4 { unsealed = try reader.list(of: AppName.self) }
    }
}

extension Journal {
    /// In the order of their bytes, from 0.
    fileprivate enum Tag: UInt8 {
        case versions, app, nothing, symlink, file, noDirectory, readers, directory, kept, placed, placedWithSize

        init(from reader: inout ByteReader) throws(WireError) {
            guard let tag = Tag(rawValue: try reader.byte()) else { throw .unknownCase }
            self = tag
        }
    }
}

extension Journal.Prior: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        switch self {
        case .versions(let app, let current, let previous):
            writer.byte(Journal.Tag.versions.rawValue)
            app.encode(to: &writer)
            writer.text(current ?? "")
            writer.text(previous ?? "")
        case .app(let app):
            writer.byte(Journal.Tag.app.rawValue)
            app.encode(to: &writer)
        case .path(let path, let was):
            was.encode(at: path, to: &writer)
        case .placed(let path, let was, let content):
            if let content, content.isSizeKnown {
                writer.byte(Journal.Tag.placedWithSize.rawValue)
                content.encode(to: &writer)
            } else {
                writer.byte(Journal.Tag.placed.rawValue)
                writer.optional(content?.id)
            }
            was.encode(at: path, to: &writer)
        case .noDirectory(let path):
            writer.byte(Journal.Tag.noDirectory.rawValue)
            path.encode(to: &writer)
        case .directory(let path, let mode, let uid, let gid):
            writer.byte(Journal.Tag.directory.rawValue)
            path.encode(to: &writer)
            for number in [mode, uid, gid] { writer.number(UInt64(number)) }
        case .readers(let path, let mode, let gid):
            writer.byte(Journal.Tag.readers.rawValue)
            path.encode(to: &writer)
            writer.number(UInt64(mode))
            writer.number(UInt64(gid))
        }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let tag = try Journal.Tag(from: &reader)
        switch tag {
        case .versions:
            let app = try AppName(from: &reader)
            let current = try reader.text()
            let previous = try reader.text()
            // A symlink's target is never empty.
            self = .versions(app, current: current.isEmpty ? nil : current, previous: previous.isEmpty ? nil : previous)
        case .app: self = .app(try AppName(from: &reader))
        case .nothing, .symlink, .file, .kept:
            let path = try AbsolutePath(from: &reader)
            self = .path(path, try Journal.PriorPath(tag, from: &reader))
        case .noDirectory: self = .noDirectory(try AbsolutePath(from: &reader))
        case .readers:
            let path = try AbsolutePath(from: &reader)
            let mode = try reader.word()
            self = .readers(path, mode: mode, gid: try reader.word())
        case .directory:
            let path = try AbsolutePath(from: &reader)
            let mode = try reader.word()
            let uid = try reader.word()
            self = .directory(path, mode: mode, uid: uid, gid: try reader.word())
        case .placed, .placedWithSize:
            var content: Content?
            if tag == .placedWithSize {
                content = try Content(from: &reader)
            } else if let id = try reader.optional(ObjectID.self) {
                content = Content(id: id, size: Content.unknownSize)
            }
            let tag = try Journal.Tag(from: &reader)
            let path = try AbsolutePath(from: &reader)
            self = .placed(path, try Journal.PriorPath(tag, from: &reader), content: content)
        }
    }
}

extension Content {
    /// The size of a file in a journal of version 2, which does not record it.
    static var unknownSize: UInt64 { .max }

    fileprivate var isSizeKnown: Bool { size != Self.unknownSize }

    /// Whether a file of that size may match and is worth reading.
    func canHave(_ size: UInt64) -> Bool { isSizeKnown ? size == self.size : size <= Drift.maximumHashed }
}

extension Journal.PriorPath {
    fileprivate func encode(at path: AbsolutePath, to writer: inout ByteWriter) {
        switch self {
        case .nothing:
            writer.byte(Journal.Tag.nothing.rawValue)
            path.encode(to: &writer)
        case .symlink(let target):
            writer.byte(Journal.Tag.symlink.rawValue)
            path.encode(to: &writer)
            writer.text(target)
        case .file(let copy), .kept(let copy):
            if case .file = self { writer.byte(Journal.Tag.file.rawValue) } else { writer.byte(Journal.Tag.kept.rawValue) }
            path.encode(to: &writer)
            writer.number(UInt64(copy))
        }
    }

    fileprivate init(_ tag: Journal.Tag, from reader: inout ByteReader) throws(WireError) {
        switch tag {
        case .nothing: self = .nothing
        case .symlink: self = .symlink(to: try reader.text())
        case .file: self = .file(copy: try reader.count(limit: Int(Int32.max)))
        case .kept: self = .kept(copy: try reader.count(limit: Int(Int32.max)))
        default: throw .unknownCase
        }
    }
}

extension Journal.PriorUnit: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        name.encode(to: &writer)
        writer.byte(state.rawValue)
        writer.byte(isEnabled ? 1 : 0)
        writer.byte(isEnablementTouched ? 1 : 0)
        writer.duration(limit)
        writer.text(invocation)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        name = try UnitName(from: &reader)
        guard let state = State(rawValue: try reader.byte()) else { throw .unknownCase }
        self.state = state
        isEnabled = try reader.bool()
        isEnablementTouched = try reader.bool()
        limit = try reader.duration()
        invocation = try reader.text()
    }
}
