import CSystem
import Model
import Wire

/// Materializes the files of a deploy before anything on the host changes: every checkout is written beside the running
/// versions, under a name that nothing uses, verified against its ids, made durable, and then renamed.
final class Staging {
    private let system: System
    private let preparation: Preparation
    /// Where each content that is not on disk yet has to go.
    private var wanted: [ObjectID: [Destination]] = [:]
    private var queue: [Content] = []
    private var queueStart = 0
    private var incoming: Incoming?

    private struct Destination {
        var path: AbsolutePath
        var mode: UInt32
    }

    /// A content of which some bytes are still to come.
    private final class Incoming {
        let content: Content
        let file: File
        var hasher: ObjectHasher
        var remaining: UInt64

        init(_ content: Content, file: consuming File) {
            self.content = content
            self.file = file
            hasher = ObjectHasher(.blob, size: content.size)
            remaining = content.size
        }
    }

    init(system: System, preparation: Preparation) {
        self.system = system
        self.preparation = preparation
    }

    private var apps: [DeployedApp] {
        preparation.record.apps.filter { readers(of: $0.name) != nil }
    }

    /// Who may read the app's new version; nil when there is none.
    private func readers(of app: AppName) -> Step.Readers? {
        for step in preparation.steps where step.app == app {
            if case .checkout(let readers) = step.action { return readers }
        }
        return nil
    }

    /// Makes the directories, takes over what the host has already (`old` says where), and waits for the rest.
    func begin(old: Record?) throws(Failure) {
        var sent: [ObjectID: Bool] = [:]
        for content in preparation.contents { sent[content.id] = true }
        let existing = Existing(old)
        for app in apps {
            let version = app.name.version(preparation.version)
            guard try system.status(of: version) == nil else { throw Failure(.protocolViolation) }
            let staging = app.name.staging(preparation.version)
            try system.removeTree(staging)
            try system.makeDirectories(app.name.directory, mode: 0o755)
            try system.makeDirectory(staging, mode: readers(of: app.name) == .root ? 0o700 : 0o755)
            var made: [String: Bool] = [:]
            for file in app.files {
                let path = staging.appending(file.path)
                if let parent = path.parent, parent != staging, made[parent.text] == nil {
                    try system.makeDirectories(parent, mode: 0o755)
                    made[parent.text] = true
                }
                let destination = Destination(path: path, mode: file.mode)
                if sent[file.id] == nil, try takeOver(file, of: app.name, from: existing, to: destination) {
                    continue
                }
                wanted[file.id, default: []].append(destination)
            }
        }
        try expect(preparation.contents)
    }

    /// Announces further contents.
    func expect(_ contents: [Content]) throws(Failure) {
        queue.append(contentsOf: contents)
        try advance()
    }

    /// Whether all announced contents have arrived.
    var isCaughtUp: Bool { incoming == nil && queueStart == queue.count }

    /// What has to be announced still.
    var missing: [ObjectID] { Array(wanted.keys) }

    func receive(_ bytes: [UInt8]) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let current = incoming else { throw Failure(.protocolViolation) }
            let piece = rest.prefix(Int(min(UInt64(rest.count), current.remaining)))
            current.hasher.update(Array(piece))
            try current.file.write(piece)
            current.remaining -= UInt64(piece.count)
            rest = rest.dropFirst(piece.count)
            if current.remaining == 0 { try complete(current) }
        }
    }

    /// Makes everything durable and gives the checkouts their names.
    func finish() throws(Failure) {
        guard !apps.isEmpty else { return }
        try system.syncFileSystem(of: Layout.apps)
        for app in apps {
            let version = app.name.version(preparation.version)
            try system.rename(app.name.staging(preparation.version), to: version)
            try system.syncParent(of: version)
        }
    }

    /// Opens the next announced content, and completes those that are empty.
    private func advance() throws(Failure) {
        while incoming == nil, queueStart < queue.count {
            let content = queue[queueStart]
            queueStart += 1
            guard let first = wanted[content.id]?.first else { throw Failure(.protocolViolation) }
            let next: Incoming
            next = Incoming(content, file: try system.create(first.path, mode: first.mode))
            incoming = next
            if content.size == 0 { try complete(next) }
        }
    }

    private func complete(_ content: Incoming) throws(Failure) {
        incoming = nil
        guard let destinations = wanted.removeValue(forKey: content.content.id), let first = destinations.first,
            content.hasher.finish() == content.content.id
        else { throw Failure(.corrupt(path: content.file.path.text)) }
        for other in destinations.dropFirst() {
            guard try system.copy(first.path, to: other.path, mode: other.mode, id: content.content.id) else {
                throw Failure(.corrupt(path: first.path.text))
            }
        }
        try advance()
    }

    /// Copies a file from a deployed version; false if there is none with that content, or not any more.
    private func takeOver(
        _ file: FileEntry, of app: AppName, from existing: Existing, to destination: Destination
    ) throws(Failure) -> Bool {
        guard let source = existing.path(of: file, in: app), let status = try system.status(of: source),
            status.kind == csys_kind_regular
        else { return false }
        return try system.copy(source, to: destination.path, mode: destination.mode, id: file.id)
    }

    /// Where the deployed versions have which content.
    private struct Existing {
        private var places: [ObjectID: AbsolutePath] = [:]
        private var samePlaces: [AbsolutePath: ObjectID] = [:]

        init(_ record: Record?) {
            for app in record?.apps ?? [] {
                for file in app.files {
                    let path = app.name.current.appending(file.path)
                    places[file.id] = path
                    samePlaces[path] = file.id
                }
            }
        }

        /// The file's own place if its content is the same, else any.
        func path(of file: FileEntry, in app: AppName) -> AbsolutePath? {
            let own = app.current.appending(file.path)
            return samePlaces[own] == file.id ? own : places[file.id]
        }
    }
}

extension System {
    /// Copies a file, as a reflink where the file system can, and keeps its modification time, so that systemd sees an
    /// unchanged unit as unchanged. False, and nothing at `destination`, when the content does not have the id `id`.
    func copy(_ source: AbsolutePath, to destination: AbsolutePath, mode: UInt32, id: ObjectID) throws(Failure) -> Bool {
        let from = try open(source)
        let status = try from.status()
        let to = try create(destination, mode: mode)
        var hasher = ObjectHasher(.blob, size: status.size)
        try pass(.clone, destination)
        let isCloned = csys_clone(to.descriptor, from.descriptor) == 0
        var size: UInt64 = 0
        while true {
            let piece = try from.read(upTo: 128 << 10)
            if piece.isEmpty { break }
            size += UInt64(piece.count)
            hasher.update(piece)
            if !isCloned { try to.write(piece) }
        }
        guard size == status.size, hasher.finish() == id else {
            try remove(destination)
            return false
        }
        try setModificationTime(destination, status.mtime_ns)
        return true
    }
}
