import CSystem
import Model
import Wire

/// Materializes the files of a deploy before anything on the host changes. It writes every checkout beside the running
/// versions, under an unused name, verifies it against its ids, makes it durable, and then renames it.
final class Staging {
    private let system: System
    private let preparation: Preparation
    /// The destinations of each content that is not on disk yet.
    private var wanted: [ObjectID: Int] = [:]
    private var destinations: [[Destination]] = []
    private var queue: [Content] = []
    private var queueStart = 0
    private var incoming: Incoming?
    /// The number of bytes of large contents that existed already.
    private var arrived: [Content] = []
    /// Complete large contents, and the destinations that hold them once all is staged.
    private var completed: [(id: ObjectID, destinations: [Destination])] = []

    private final class Destination {
        let app: AppName
        let file: FileEntry
        let version: Version
        let mode: UInt32

        init(app: AppName, file: FileEntry, version: Version, mode: UInt32) {
            self.app = app
            self.file = file
            self.version = version
            self.mode = mode
        }

        var path: AbsolutePath { app.staging(version).appending(file.path) }
        var finalPath: AbsolutePath { app.version(version).appending(file.path) }
    }

    /// A content whose bytes have not all arrived.
    private final class Incoming {
        let content: Content
        let file: File
        let isResumed: Bool
        var hasher: ObjectHasher
        var remaining: UInt64
        private var unflushed = 0

        /// The number of bytes after which writeback to disk starts.
        private static var flush: Int { 16 << 20 }

        init(_ content: Content, file: consuming File, isResumed: Bool = false) {
            self.content = content
            self.file = file
            self.isResumed = isResumed
            hasher = ObjectHasher(.blob, size: content.size)
            remaining = content.size
        }

        func append(_ bytes: ArraySlice<UInt8>) throws(AgentError) {
            unsafe bytes.withUnsafeBytes { unsafe hasher.update($0) }
            try file.write(bytes)
            remaining -= UInt64(bytes.count)
            unflushed += bytes.count
            if unflushed >= Self.flush {
                file.startWriteback()
                unflushed = 0
            }
        }
    }

    /// The existing parts of large contents: from an earlier transfer that was cut off, and from the version before,
    /// which the client may not have. Removes everything else that such a transfer left.
    func resume(old: StoredRecord?) throws(AgentError) -> [Content] {
        let large = preparation.contents.filter { $0.isLarge }
        for name in try system.list(Layout.partial) {
            guard let entry = try? RelativePath(name) else { continue }
            let path = Layout.partial.appending(entry)
            if let content = large.first(where: { isSameText($0.id.hex, name) }), let status = try system.status(of: path),
                status.kind == csys_kind_regular, status.size > 0, status.size <= content.size
            {
                arrived.append(Content(id: content.id, size: status.size))
            } else {
                try system.removeTree(path)
            }
        }
        let existing = Existing(old?.record)
        for content in large where !arrived.contains(where: { $0.id == content.id }) {
            for app in apps {
                guard let file = app.files.first(where: { $0.id == content.id }) else { continue }
                try system.makeDirectories(Layout.partial, mode: 0o700)
                let path = Layout.partial(content.id)
                if try takeOver(file, of: app.name, from: existing, to: path, mode: 0o600, size: content.size) { arrived.append(content) }
                break
            }
        }
        return arrived
    }

    /// The space that the disk lacks for the contents to be sent, whatever else the deploy takes.
    var shortage: Problem? {
        // Each file takes whole blocks.
        var bytes: UInt64 = 0
        for content in preparation.contents { bytes &+= (content.size &+ 4095) & ~4095 }
        for content in arrived { bytes -= min(bytes, content.size) }
        var inodes = 0
        for app in apps { inodes += 1 + app.files.count }
        return system.shortage(in: Layout.root, bytes: bytes, inodes: UInt64(inodes))
    }

    init(system: System, preparation: Preparation) {
        self.system = system
        self.preparation = preparation
    }

    private var apps: [DeployedApp] {
        preparation.record.apps.filter { readers(of: $0.name) != nil }
    }

    /// The readers of the app's new version; nil if there is none.
    private func readers(of app: AppName) -> Step.InitialReaders? {
        for step in preparation.steps where step.app == app {
            if case .checkout(let readers) = step.action { return readers }
        }
        return nil
    }

    /// Creates the directories, takes over contents that the host already has according to `old`, and waits for the rest.
    func begin(old: StoredRecord?) throws(AgentError) {
        var sent: [ObjectID: Int] = [:]
        for content in preparation.contents { sent[content.id] = 1 }
        let existing = Existing(old?.record)
        for app in apps {
            let version = app.name.version(preparation.version)
            guard try system.status(of: version) == nil else { throw AgentError(.protocolViolation) }
            let staging = app.name.staging(preparation.version)
            try system.removeTree(staging)
            try system.makeDirectories(app.name.directory, mode: 0o755)
            try system.makeDirectory(staging, mode: readers(of: app.name) == .root ? 0o700 : 0o755)
            // Programs that read keys check the files' own modes, not who can reach the files.
            let mask: UInt32 = readers(of: app.name) == .root ? 0o500 : 0o777
            var made: [AbsolutePath: Int] = [:]
            for file in app.files {
                let path = staging.appending(file.path)
                if let parent = path.parent, parent != staging, made[parent] == nil {
                    try system.makeDirectories(parent, mode: 0o755)
                    made[parent] = 1
                }
                let destination = Destination(app: app.name, file: file, version: preparation.version, mode: file.mode & mask)
                if sent[file.id] == nil, try takeOver(file, of: app.name, from: existing, to: destination.path, mode: destination.mode) {
                    continue
                }
                if let index = wanted[file.id] {
                    destinations[index].append(destination)
                } else {
                    wanted[file.id] = destinations.count
                    destinations.append([destination])
                }
            }
        }
        try expect(preparation.contents)
    }

    /// Announces further contents.
    func expect(_ contents: [Content]) throws(AgentError) {
        queue.append(contentsOf: contents)
        try advance()
    }

    /// Whether all announced contents have arrived.
    var isCaughtUp: Bool { incoming == nil && queueStart == queue.count }

    /// The contents that still have to be announced.
    var missing: [ObjectID] { Array(wanted.keys) }

    func receive(_ bytes: ArraySlice<UInt8>) throws(AgentError) {
        var rest = bytes
        while !rest.isEmpty {
            guard let current = incoming else { throw AgentError(.protocolViolation) }
            let piece = rest.prefix(Int(min(UInt64(rest.count), current.remaining)))
            try current.append(piece)
            rest = rest.dropFirst(piece.count)
            if current.remaining == 0 { try complete(current) }
        }
    }

    /// Makes everything durable and renames the checkouts to their final names.
    func finish() throws(AgentError) {
        for content in completed {
            try place(content.id, at: Layout.partial(content.id), content.destinations)
        }
        try system.removeTree(Layout.partial)
        guard !apps.isEmpty else { return }
        try system.syncFileSystem(of: Layout.apps)
        for app in apps {
            let version = app.name.version(preparation.version)
            try system.rename(app.name.staging(preparation.version), to: version)
            try system.syncParent(of: version)
        }
    }

    /// Keeps the large contents of a deploy that failed, so that the next one can resume.
    func keepLarge() {
        for content in completed {
            guard let path = content.destinations.first?.finalPath, (try? system.status(of: path)) != nil else { continue }
            _ = try? system.makeDirectories(Layout.partial, mode: 0o700)
            try? system.rename(path, to: Layout.partial(content.id))
        }
    }

    /// Opens the next announced content, and completes empty ones.
    private func advance() throws(AgentError) {
        while incoming == nil, queueStart < queue.count {
            let content = queue[queueStart]
            queueStart += 1
            guard let index = wanted[content.id], case let first = destinations[index][0] else { throw AgentError(.protocolViolation) }
            let next: Incoming
            if content.isLarge {
                next = try large(content)
            } else {
                next = Incoming(content, file: try system.create(first.path, mode: first.mode))
            }
            incoming = next
            if next.remaining == 0 { try complete(next) }
        }
    }

    /// A large content stays apart until all have arrived, so that its bytes survive a lost connection.
    private func large(_ content: Content) throws(AgentError) -> Incoming {
        let path = Layout.partial(content.id)
        guard let index = arrived.firstIndex(where: { $0.id == content.id }) else {
            try system.makeDirectories(Layout.partial, mode: 0o700)
            try system.removeIfThere(path)
            return Incoming(content, file: try system.create(path, mode: 0o600))
        }
        let incoming = Incoming(content, file: try system.openAppending(path, mode: 0o600), isResumed: true)
        let size = arrived.remove(at: index).size
        incoming.remaining -= size
        guard try unsafe incoming.file.read(limit: size, { unsafe incoming.hasher.update($0) }) == size else {
            throw AgentError(.corrupt(path: path.text))
        }
        return incoming
    }

    private func complete(_ content: Incoming) throws(AgentError) {
        incoming = nil
        let path = content.file.path
        guard content.hasher.finish() == content.content.id else {
            guard content.isResumed else { throw AgentError(.corrupt(path: path.text)) }
            // The first part is damaged, for example by a power loss, so the whole content is missing.
            try system.remove(path)
            return try advance()
        }
        let id = content.content.id
        guard let index = wanted.removeValue(forKey: id) else { throw AgentError(.protocolViolation) }
        let destinations = destinations[index]
        if content.content.isLarge {
            completed.append((id, destinations))
        } else {
            try place(id, at: path, destinations)
        }
        try advance()
    }

    /// Moves a complete file to its destinations. It may be at the first one already.
    private func place(_ id: ObjectID, at path: AbsolutePath, _ destinations: [Destination]) throws(AgentError) {
        guard let first = destinations.first else { return }
        if path != first.path {
            try system.setMode(path, first.mode)
            try system.rename(path, to: first.path)
        }
        for other in destinations.dropFirst() {
            guard try system.copy(first.path, to: other.path, mode: other.mode, id: id) else {
                throw AgentError(.corrupt(path: first.path.text))
            }
        }
    }

    /// Copies a file from a deployed version, or from the one before it; false if there is none with that content any
    /// more. For a large file the `size` is given, and files of another size are neither examined nor copied.
    private func takeOver(
        _ file: FileEntry, of app: AppName, from existing: Existing, to destination: AbsolutePath, mode: UInt32,
        size: UInt64? = nil
    ) throws(AgentError) -> Bool {
        let known = existing.path(of: file, in: app)
        for case let source? in [known, app.previous.appending(file.path)] {
            guard let status = try system.status(of: source), status.kind == csys_kind_regular else { continue }
            if let size {
                guard status.size == size else { continue }
                if source != known { guard try system.hash(source) == file.id else { continue } }
            }
            if try system.copy(source, to: destination, mode: mode, id: file.id) { return true }
        }
        return false
    }

    /// The locations of contents in the deployed versions.
    private final class Existing {
        private var files: [(id: ObjectID, path: AbsolutePath)] = []
        private var places: [ObjectID: Int] = [:]
        private var samePlaces: [AbsolutePath: Int] = [:]

        init(_ record: Record?) {
            for app in record?.apps ?? [] {
                for file in app.files {
                    let path = app.name.current.appending(file.path)
                    places[file.id] = files.count
                    samePlaces[path] = files.count
                    files.append((file.id, path))
                }
            }
        }

        /// The file's own path if its content is the same, otherwise any path with that content.
        func path(of file: FileEntry, in app: AppName) -> AbsolutePath? {
            let own = app.current.appending(file.path)
            if let place = samePlaces[own], files[place].id == file.id { return own }
            return places[file.id].map { files[$0].path }
        }
    }
}

extension System {
    /// The shortage of a directory that has too little space for that much. If this cannot be determined, it reports none.
    func shortage(in directory: AbsolutePath, bytes: UInt64, inodes: UInt64) -> Problem? {
        var (free, freeInodes): (UInt64, UInt64) = (0, 0)
        guard unsafe csys_room(real(directory), &free, &freeInodes) == 0 else { return nil }
        if bytes > free { return .noRoom(in: directory, needed: bytes, available: free) }
        return inodes > freeInodes ? .noInodes(needed: inodes, available: freeInodes) : nil
    }

    /// Copies a file, as a reflink if the file system can, and keeps its modification time, so that systemd sees an unchanged
    /// unit as unchanged. If the content does not have the id `id`, returns false and leaves nothing at `destination`.
    func copy(
        _ source: AbsolutePath, to destination: AbsolutePath, mode: UInt32, id: ObjectID, attributes: Drift.Attributes? = nil
    ) throws(AgentError) -> Bool {
        let from = try open(source)
        let status = try from.status()
        let to = try create(destination, mode: mode)
        var hasher = ObjectHasher(.blob, size: status.size)
        try pass(.clone, destination)
        let isCloned = csys_clone(to.descriptor, from.descriptor) == 0
        let size = try unsafe from.read { piece throws(AgentError) in
            unsafe hasher.update(piece)
            if !isCloned { try unsafe to.write(piece) }
        }
        guard size == status.size, hasher.finish() == id else {
            try remove(destination)
            return false
        }
        if let attributes {
            // The owner first: chown(2) clears the set-user-id bits.
            try to.setOwner(uid: attributes.uid, gid: attributes.gid)
            try to.setMode(attributes.mode)
        }
        try to.setModificationTime(status.mtime_ns)
        return true
    }
}
