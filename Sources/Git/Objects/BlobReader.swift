import CGit2
import Model

/// Reads file contents of a store on one thread. libgit2 does not guarantee that handles can be shared, so each
/// thread that sends files to a host opens its own. Opening one takes some ten microseconds.
package final class BlobReader {
    private let database: Handle
    private let objects: String

    /// Opens the objects of the store at `path` (git_odb_open).
    package init(store path: String) throws(StoreError) {
        try startLibrary()
        objects = path + "/objects"
        database = try unsafe Handle("open the objects of \(path)", git_odb_free) { unsafe git_odb_open(&$0, path + "/objects") }
    }

    /// Opens a file's content for reading in pieces.
    ///
    /// Streams content that was imported as a large file. Holds any other content in memory while reading; its ID has
    /// been verified.
    package func open(_ id: ObjectID) throws(StoreError) -> BlobContent {
        let (kind, size) = try unsafe objectHeader(id, in: database.pointer)
        guard kind == .blob else { throw .damagedObject(id) }
        if size >= UInt64(maximumInMemory) {
            // Read a large file whole if `git gc` has packed it.
            if let stored = StoredBlob(id, size: size, objects: objects) {
                return BlobContent(self, id, size: size, .stored(stored))
            }
        }
        var oid = id.oid
        let object = try unsafe Handle(id, git_odb_object_free) { unsafe git_odb_read(&$0, database.pointer, &oid) }
        let whole = unsafe git_odb_object_size(object.pointer)
        return BlobContent(self, id, size: UInt64(whole), .whole(object))
    }
}

/// A file's content being read from the store. Belongs to the thread of its reader.
package final class BlobContent {
    enum Source: ~Copyable {
        case stored(StoredBlob)
        case whole(Handle)
    }

    /// In bytes.
    package let size: UInt64
    private let id: ObjectID
    private let source: Source
    private var position: UInt64 = 0
    // Keeps the database alive as long as the object.
    private let reader: BlobReader

    init(_ reader: BlobReader, _ id: ObjectID, size: UInt64, _ source: consuming Source) {
        self.reader = reader
        self.id = id
        self.size = size
        self.source = source
    }

    /// Skips the next `count` bytes, which must exist.
    package func skip(_ count: UInt64) throws(StoreError) {
        var rest = count
        while rest > 0 {
            let piece = try next(Int(min(rest, 1 << 20)))
            guard !piece.isEmpty else { throw .damagedObject(id) }
            rest -= UInt64(piece.count)
        }
    }

    /// The next bytes, at most `count`; empty at the end. Does not verify a streamed file: the receiving host does.
    package func next(_ count: Int) throws(StoreError) -> [UInt8] {
        let room = Int(min(UInt64(max(count, 1)), size - position))
        guard room > 0 else { return [] }
        let bytes: [UInt8]
        switch source {
        case .stored(let blob): bytes = try blob.next(room)
        case .whole(let object):
            let all = unsafe UnsafeRawBufferPointer(start: git_odb_object_data(object.pointer), count: Int(size))
            bytes = unsafe Array(all[Int(position)..<(Int(position) + room)])
        }
        position += UInt64(bytes.count)
        return bytes
    }
}
