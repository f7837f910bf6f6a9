import CGit2
import Model

/// An entry of one directory of the store.
package struct TreeEntry: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case file(isExecutable: Bool)
        case directory
        /// A symlink or submodule, which Deptool never writes.
        case other
    }

    package var name: String
    package var kind: Kind
    package var id: ObjectID

    package init(name: String, kind: Kind, id: ObjectID) {
        self.name = name
        self.kind = kind
        self.id = id
    }
}

extension TreeEntry {
    /// Git orders by these bytes, as if directories' names ended in a slash.
    fileprivate var gitOrder: [UInt8] { Array((kind == .directory ? name + "/" : name).utf8) }
}

extension Store {
    /// The entries of a directory, in Git's order: by the bytes of their names, as if directories' names ended in
    /// `/`.
    package func tree(_ id: ObjectID) throws(StoreError) -> [TreeEntry] {
        guard let entries = parseTree(try object(id, .tree, limit: .max)) else { throw .damagedObject(id) }
        treeEntriesRead += entries.count
        return entries
    }

    /// The whole content of a file, for small files such as a manifest. Throws `objectTooLarge` before reading more
    /// than `limit` bytes.
    package func blob(_ id: ObjectID, limit: Int) throws(StoreError) -> [UInt8] {
        try object(id, .blob, limit: limit)
    }

    /// The size of a file in bytes, from the object's header (git_odb_read_header).
    package func blobSize(_ id: ObjectID) throws(StoreError) -> UInt64 {
        let (kind, size) = try unsafe objectHeader(id, in: database)
        guard kind == .blob else { throw .damagedObject(id) }
        return size
    }

    /// A commit or tree in Git's raw form, without the header (git_odb_read).
    package func object(_ id: ObjectID) throws(StoreError) -> RecordedObject {
        let (kind, _) = try unsafe objectHeader(id, in: database)
        guard kind != .blob else { throw .damagedObject(id) }
        return RecordedObject(kind: kind, bytes: try object(id, kind, limit: .max))
    }

    /// Adds an object and returns its ID (git_odb_write). Does not validate the bytes.
    @discardableResult
    package func write(_ object: RecordedObject) throws(StoreError) -> ObjectID {
        var oid = git_oid()
        let code = unsafe object.bytes.withUnsafeBytes { bytes in
            unsafe git_odb_write(&oid, database, bytes.baseAddress, bytes.count, object.kind.gitType)
        }
        try check("write a \(object.kind.name) to the store") { code }
        return ObjectID(oid)
    }

    /// The root tree of these hosts.
    package func writeRoot(_ hosts: [(host: Hostname, tree: ObjectID)]) throws(StoreError) -> ObjectID {
        try writeTree(hosts.map { TreeEntry(name: $0.host.text, kind: .directory, id: $0.tree) })
    }

    /// A tree of files and directories.
    package func writeTree(_ entries: [TreeEntry]) throws(StoreError) -> ObjectID {
        let writer = ObjectWriter(self)
        var tree = TreeBytes()
        for entry in entries.map({ (key: $0.gitOrder, $0) }).sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }).map(\.1) {
            let kind: ScanRecord.Kind =
                entry.kind == .directory ? .directory : entry.kind == .file(isExecutable: true) ? .executable : .file
            tree.add(kind, Array(entry.name.utf8), entry.id)
        }
        let id = try tree.write(to: writer)
        try writer.finish()
        return id
    }

    /// Whether the store has the object (git_odb_exists).
    package func contains(_ id: ObjectID) -> Bool {
        var oid = id.oid
        return unsafe git_odb_exists(database, &oid) == 1
    }

    /// The bytes of an object, which must have this kind and at most `limit` bytes.
    func object(_ id: ObjectID, _ kind: ObjectKind, limit: Int) throws(StoreError) -> [UInt8] {
        if limit < .max {
            let (_, size) = try unsafe objectHeader(id, in: database)
            guard size <= UInt64(max(limit, 0)) else { throw .objectTooLarge(id, size: size, limit: limit) }
        }
        return try unsafe wholeObject(id, kind, in: database)
    }
}

/// Kind and size of an object, without reading it whole (git_odb_read_header).
func objectHeader(_ id: ObjectID, in database: OpaquePointer) throws(StoreError) -> (ObjectKind, UInt64) {
    var size = 0
    var type = GIT_OBJECT_INVALID
    var oid = id.oid
    try check(id) { unsafe git_odb_read_header(&size, &type, database, &oid) }
    guard let kind = ObjectKind(type) else { throw .damagedObject(id) }
    return (kind, UInt64(size))
}

/// The bytes of an object of this kind (git_odb_read, which verifies the ID).
private func wholeObject(_ id: ObjectID, _ kind: ObjectKind, in database: OpaquePointer) throws(StoreError) -> [UInt8] {
    var oid = id.oid
    let handle = try unsafe Handle(id, git_odb_object_free) { unsafe git_odb_read(&$0, database, &oid) }
    let object = unsafe handle.pointer
    guard unsafe git_odb_object_type(object) == kind.gitType else { throw .damagedObject(id) }
    return unsafe Array(UnsafeRawBufferPointer(start: git_odb_object_data(object), count: git_odb_object_size(object)))
}

/// Git's tree format: an octal mode, a space, the name, a zero byte, the ID in 20 bytes. Nil for any other format.
private func parseTree(_ bytes: [UInt8]) -> [TreeEntry]? {
    var entries: [TreeEntry] = []
    var at = 0
    while at < bytes.count {
        var mode = 0
        while at < bytes.count, case let digit = bytes[at], digit != UInt8(ascii: " ") {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "7"), mode < 0o1000000 else { return nil }
            mode = mode << 3 | Int(digit - UInt8(ascii: "0"))
            at += 1
        }
        at += 1
        let start = at
        while at < bytes.count, bytes[at] != 0 { at += 1 }
        guard at > start, bytes.count - at >= 21,
            let name = String(validating: bytes[start..<at], as: UTF8.self)
        else { return nil }
        let id = bytes.id(at: at + 1)
        at += 21
        let kind: TreeEntry.Kind =
            switch mode & 0o170000 {
            case 0o040000: .directory
            case 0o100000: .file(isExecutable: mode & 0o100 != 0)
            default: .other
            }
        entries.append(TreeEntry(name: name, kind: kind, id: id))
    }
    return entries
}
