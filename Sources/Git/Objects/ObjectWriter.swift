import CGit2
import Model

/// File contents of at least this size, in bytes, are streamed instead of held in memory.
let maximumInMemory = 1 << 20

/// An object to add, and its ID.
struct NewObject: Sendable {
    let kind: ObjectKind
    let id: ObjectID
    let bytes: [UInt8]
    /// Made with the object, if it was made on another thread.
    private let packed: PackedObject?
    var inPack: PackedObject { packed ?? PackedObject(kind, id, bytes) }

    init(_ kind: ObjectKind, _ bytes: [UInt8], isForPack: Bool = false) {
        var hasher = ObjectHasher(kind, size: UInt64(bytes.count))
        hasher.update(bytes)
        self.kind = kind
        id = hasher.finish()
        self.bytes = bytes
        packed = isForPack ? PackedObject(kind, id, bytes) : nil
    }
}

/// Adds the objects of an import to the store: a few as loose objects, many as packs. Skips objects that the store
/// has. Objects are only usable after `finish`.
final class ObjectWriter {
    fileprivate let store: Store
    fileprivate let objects: String
    private var seen: Set<ObjectID> = []
    private var waiting: [NewObject] = []
    private var waitingBytes = 0
    private var pack: PackWriter?
    /// Whether the store had no objects before. libgit2 looks for the file of each object that it does not know.
    private lazy var isNew = hasNoObjects()

    private static let maximumLoose = 64
    private static let maximumWaitingBytes = 4 << 20

    init(_ store: Store) {
        self.store = store
        objects = store.path + "/objects"
    }

    func add(_ kind: ObjectKind, _ bytes: [UInt8]) throws(StoreError) -> ObjectID { try add(NewObject(kind, bytes)) }

    func add(_ object: NewObject) throws(StoreError) -> ObjectID {
        guard !seen.contains(object.id), isNew || !store.has(object.id) else { return object.id }
        seen.insert(object.id)
        if let pack {
            try pack.add(object.inPack)
            if pack.isFull { try finishPack() }
            return object.id
        }
        waiting.append(object)
        waitingBytes += object.bytes.count
        if waiting.count > Self.maximumLoose || waitingBytes > Self.maximumWaitingBytes { try startPack() }
        return object.id
    }

    /// All added objects are in the store on return.
    func finish() throws(StoreError) {
        try finishPack()
        for object in waiting {
            var data: [UInt8] = []
            var zlib = StoredZlib(into: &data)
            let header = Array("\(object.kind.name) \(object.bytes.count)".utf8) + [0]
            zlib.add(header, into: &data)
            zlib.add(object.bytes, into: &data)
            zlib.finish(into: &data)
            let file = try OutputFile(in: objects, mode: 0o444)
            try file.write(data)
            try file.finish(as: try place(of: object.id), .later)
        }
        waiting.removeAll()
    }

    private func finishPack() throws(StoreError) {
        guard let pack else { return }
        try pack.finish()
        self.pack = nil
        try check("find the new objects") { unsafe git_odb_refresh(store.database) }
    }

    private func startPack() throws(StoreError) {
        let pack = try PackWriter(objects: objects)
        self.pack = pack
        for object in waiting { try pack.add(object.inPack) }
        waiting.removeAll()
        waitingBytes = 0
    }

    private func hasNoObjects() -> Bool {
        guard let names = try? namesOfEntries(in: objects), Set(names).isSubset(of: ["info", "pack"]) else { return false }
        return ["info", "pack"].allSatisfy { (try? namesOfEntries(in: "\(objects)/\($0)"))?.isEmpty ?? false }
    }

    /// The path of a loose object; creates its directory.
    fileprivate func place(of id: ObjectID) throws(StoreError) -> String {
        let name = id.hex
        let directory = "\(objects)/\(name.prefix(2))"
        try ensureDirectory(directory)
        return "\(directory)/\(name.dropFirst(2))"
    }
}

/// Writes a large file into the store, as a loose object of its own.
final class LargeBlobWriter {
    private let writer: ObjectWriter
    private let file: OutputFile
    private var zlib: StoredZlib
    private let hasher: BackgroundHasher
    private var data: [UInt8] = []
    private var left: UInt64

    /// `size` in bytes.
    init(_ writer: ObjectWriter, size: UInt64) throws(StoreError) {
        self.writer = writer
        left = size
        hasher = BackgroundHasher(.blob, size: size)
        file = try OutputFile(in: writer.objects, mode: 0o444)
        zlib = StoredZlib(into: &data)
        let header = Array("blob \(size)".utf8) + [0]
        zlib.add(header, into: &data)
    }

    /// Adds a piece; false if it exceeds the announced size.
    func add(_ piece: [UInt8]) throws(StoreError) -> Bool {
        guard UInt64(piece.count) <= left else { return false }
        left -= UInt64(piece.count)
        hasher.update(piece)
        zlib.add(piece, into: &data)
        try file.write(data)
        data.removeAll(keepingCapacity: true)
        return true
    }

    /// Puts the object into the store unless it is there. Nil if the content is shorter than announced, or does not
    /// match `expected`.
    func finish(expecting expected: ObjectID? = nil) throws(StoreError) -> ObjectID? {
        guard left == 0 else { return nil }
        zlib.finish(into: &data)
        try file.write(data)
        let id = hasher.finish()
        guard expected == nil || id == expected else { return nil }
        if !writer.store.has(id) { try file.finish(as: try writer.place(of: id), .later) }
        return id
    }
}

/// Writes a file from elsewhere into the store in pieces, without holding it in memory as a whole.
package final class IncomingBlob {
    private let writer: LargeBlobWriter

    /// `size` in bytes.
    package init(_ store: Store, size: UInt64) throws(StoreError) {
        writer = try LargeBlobWriter(ObjectWriter(store), size: size)
    }

    /// Adds a piece; false if it exceeds the announced size.
    package func add(_ piece: [UInt8]) throws(StoreError) -> Bool { try writer.add(piece) }

    /// Puts the object into the store; false if its ID differs.
    package func finish(as id: ObjectID) throws(StoreError) -> Bool { try writer.finish(expecting: id) != nil }
}

extension Store {
    /// Whether this process already sees the object, without looking for new packs (git_odb_exists_ext).
    func has(_ id: ObjectID) -> Bool {
        var oid = id.oid
        return unsafe git_odb_exists_ext(database, &oid, GIT_ODB_LOOKUP_NO_REFRESH.rawValue) == 1
    }
}
