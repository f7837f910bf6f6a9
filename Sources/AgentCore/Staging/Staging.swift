import CSystem
import Model
import Wire

/// Materializes the files of a deploy before anything on the host changes: every checkout is written beside the running
/// versions, under a name that nothing uses, verified against its ids, made durable, and then renamed.
final class Staging {
    private let system: System
    private let preparation: Preparation
    /// Where each content that is not on disk yet has to go.
    private var wanted: [ObjectID: Int] = [:]
    private var destinations: [[Destination]] = []
    private var queue: [Content] = []
    private var queueStart = 0
    private var incoming: Incoming?
    /// How many bytes of large contents there were already.
    private var arrived: [Content] = []
    /// Large contents that are complete, and where they go, or are once all is staged.
    private var completed: [(id: ObjectID, destinations: [Destination])] = []

    private struct Destination {
        var app: AppName
        var file: FileEntry
        var version: Version
        var mode: UInt32

        var path: AbsolutePath { app.staging(version).appending(file.path) }
        var finalPath: AbsolutePath { app.version(version).appending(file.path) }
    }

    /// A content of which some bytes are still to come.
    private final class Incoming {
        let content: Content
        let file: File
        let isResumed: Bool
        var hasher: ObjectHasher
        var remaining: UInt64
        private var unflushed = 0

        /// After how many bytes their way to the disk begins.
        private static var flush: Int { 16 << 20 }

        init(_ content: Content, file: consuming File, isResumed: Bool = false) {
            self.content = content
            self.file = file
            self.isResumed = isResumed
            hasher = ObjectHasher(.blob, size: content.size)
            remaining = content.size
        }

        func append(_ bytes: ArraySlice<UInt8>) throws(AgentError) {
            bytes.withUnsafeBytes { hasher.update($0) }
            try file.write(bytes)
            remaining -= UInt64(bytes.count)
            unflushed += bytes.count
            if unflushed >= Self.flush {
                file.startWriteback()
                unflushed = 0
            }
        }
    }

    /// What there is of the large contents already: what an earlier transfer that was cut off left, and what the version
    /// before has, which the client may know nothing of. All else that such a transfer left goes.
    func resume(old: Record?) throws(AgentError) -> [Content] {
        let large = preparation.contents.filter { $0.isLarge }
        for name in try system.list(Layout.partial) {
            guard let entry = try? RelativePath(name) else { continue }
            let path = Layout.partial.appending(entry)
            if let content = large.first(where: { $0.id.hex == name }), let status = try system.status(of: path),
                status.kind == csys_kind_regular, status.size > 0, status.size <= content.size
            {
                arrived.append(Content(id: content.id, size: status.size))
            } else {
                try system.removeTree(path)
            }
        }
        let existing = Existing(old)
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

    /// What the disk lacks for what is sent, whatever else it takes.
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

    /// Who may read the app's new version; nil when there is none.
    private func readers(of app: AppName) -> Step.Readers? {
        for step in preparation.steps where step.app == app {
            if case .checkout(let readers) = step.action { return readers }
        }
        return nil
    }

    /// Makes the directories, takes over what the host has already (`old` says where), and waits for the rest.
    func begin(old: Record?) throws(AgentError) {
        var sent: [ObjectID: Int] = [:]
        for content in preparation.contents { sent[content.id] = 1 }
        let existing = Existing(old)
        for app in apps {
            let version = app.name.version(preparation.version)
            guard try system.status(of: version) == nil else { throw AgentError(.protocolViolation) }
            let staging = app.name.staging(preparation.version)
            try system.removeTree(staging)
            try system.makeDirectories(app.name.directory, mode: 0o755)
            try system.makeDirectory(staging, mode: readers(of: app.name) == .root ? 0o700 : 0o755)
            // Programs that read keys look at the files themselves, not at who gets to them.
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

    /// What has to be announced still.
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

    /// Makes everything durable and gives the checkouts their names.
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

    /// Keeps what is large of a deploy that comes to nothing, for the next to take up.
    func keepLarge() {
        for content in completed {
            guard let path = content.destinations.first?.finalPath, (try? system.status(of: path)) != nil else { continue }
            _ = try? system.makeDirectories(Layout.partial, mode: 0o700)
            try? system.rename(path, to: Layout.partial(content.id))
        }
    }

    /// Opens the next announced content, and completes those that are empty.
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

    /// A large content lies apart until all have come, so that what is there survives a lost connection.
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
        guard try incoming.file.read(limit: size, { incoming.hasher.update($0) }) == size else {
            throw AgentError(.corrupt(path: path.text))
        }
        return incoming
    }

    private func complete(_ content: Incoming) throws(AgentError) {
        incoming = nil
        let path = content.file.path
        guard content.hasher.finish() == content.content.id else {
            guard content.isResumed else { throw AgentError(.corrupt(path: path.text)) }
            // The first part was damaged, by a power loss say: it is missing as a whole.
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

    /// Puts a file that is complete where it goes. It may be at the first of these places.
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

    /// Copies a file from a deployed version, or from the one before it; false if there is none with that content, or not
    /// any more. Of a large file the `size` is known, and what is of another size is not looked at, nor copied for nothing.
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

    /// Where the deployed versions have which content.
    private struct Existing {
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

        /// The file's own place if its content is the same, else any.
        func path(of file: FileEntry, in app: AppName) -> AbsolutePath? {
            let own = app.current.appending(file.path)
            if let place = samePlaces[own], files[place].id == file.id { return own }
            return places[file.id].map { files[$0].path }
        }
    }
}

extension System {
    /// Whether a directory has too little room for that much. What cannot be looked up is no reason to give up.
    func shortage(in directory: AbsolutePath, bytes: UInt64, inodes: UInt64) -> Problem? {
        var (free, freeInodes): (UInt64, UInt64) = (0, 0)
        guard csys_room(real(directory), &free, &freeInodes) == 0 else { return nil }
        if bytes > free { return .noRoom(in: directory, needed: bytes, available: free) }
        return inodes > freeInodes ? .noInodes(needed: inodes, available: freeInodes) : nil
    }

    /// Copies a file, as a reflink where the file system can, and keeps its modification time, so that systemd sees an
    /// unchanged unit as unchanged. False, and nothing at `destination`, when the content does not have the id `id`.
    func copy(
        _ source: AbsolutePath, to destination: AbsolutePath, mode: UInt32, id: ObjectID, attributes: Drift.Attributes? = nil
    ) throws(AgentError) -> Bool {
        let from = try open(source)
        let status = try from.status()
        let to = try create(destination, mode: mode)
        var hasher = ObjectHasher(.blob, size: status.size)
        try pass(.clone, destination)
        let isCloned = csys_clone(to.descriptor, from.descriptor) == 0
        let size = try from.read { piece throws(AgentError) in
            hasher.update(piece)
            if !isCloned { try to.write(piece) }
        }
        guard size == status.size, hasher.finish() == id else {
            try remove(destination)
            return false
        }
        if let attributes {
            // The owner first: chown(2) takes the bits for set-user-id away.
            try to.setOwner(uid: attributes.uid, gid: attributes.gid)
            try to.setMode(attributes.mode)
        }
        try to.setModificationTime(status.mtime_ns)
        return true
    }
}
