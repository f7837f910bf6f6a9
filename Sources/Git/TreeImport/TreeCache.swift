import Model
import Platform

/// The state of the last import of a cluster directory: per host, the scan of its directory, with what its
/// symlinks lead to, and the ID of every entry. A host with an identical scan has the same tree.
///
/// Written and read by the same machine, in its byte order: "deptree3" as a number, the ID of the cluster's path, a
/// section per host (`TreeCacheSection`), and a checksum of everything before. Anything else is not a cache.
struct TreeCache {
    let bytes: [UInt8]
    let sections: [TreeCacheSection]

    private static let magic: UInt64 = 0x6465_7074_7265_6533
    private static let headerSize = 28

    /// The cache file of a cluster directory. Directories share a bounded number of files, so that these cannot pile
    /// up; an import that finds another directory's cache starts without one.
    static func path(store: String, cluster: ObjectID) -> String { "\(directory(store: store))/\(cluster.hex.prefix(2))" }
    static func directory(store: String) -> String { store + "/tree-cache" }

    /// Nil if this cluster directory has no cache, or an invalid one.
    static func read(store: String, cluster: ObjectID) -> TreeCache? {
        (try? readFile(path(store: store, cluster: cluster))).flatMap { TreeCache($0, cluster: cluster) }
    }

    init?(_ bytes: [UInt8], cluster: ObjectID) {
        self.bytes = bytes
        let end = bytes.count - 8
        guard end >= Self.headerSize, bytes.native(at: 0) == Self.magic, bytes.id(at: 8) == cluster,
            bytes.native(at: end) == Self.checksum(bytes.span.extracting(..<end))
        else { return nil }
        var sections: [TreeCacheSection] = []
        var at = Self.headerSize
        while at < end {
            guard let section = TreeCacheSection(bytes, at: at, end: end) else { return nil }
            sections.append(section)
            at = section.range.upperBound
        }
        self.sections = sections
    }

    /// The beginning of a cache, to append sections to.
    static func header(cluster: ObjectID) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(native: magic)
        return bytes + cluster.bytes
    }

    /// Replaces the cache. `bytes` are the header and all sections.
    static func write(_ bytes: consuming [UInt8], store: String, cluster: ObjectID) throws(StoreError) {
        let sum = checksum(bytes.span)
        bytes.append(native: sum)
        let folder = directory(store: store)
        try ensureDirectory(folder)
        let file = try OutputFile(in: folder, mode: 0o600)
        try file.write(bytes)
        try file.finish(as: path(store: store, cluster: cluster), .later)
    }

    /// Changes with every changed word, since each step is a bijection. Does not resist tampering.
    private static func checksum(_ bytes: Span<UInt8>) -> UInt64 {
        unsafe bytes.withUnsafeBytes { bytes in
            var sum = UInt64(bytes.count)
            var at = 0
            while bytes.count - at >= 8 {
                sum = unsafe (sum ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x9E37_79B9_7F4A_7C15
                sum ^= sum >> 32
                at += 8
            }
            while at < bytes.count {
                sum = unsafe (sum ^ UInt64(bytes[at])) &* 0x9E37_79B9_7F4A_7C15
                at += 1
            }
            return sum
        }
    }
}

/// One host in the cache, as ranges of the cache's bytes: a byte with the length of its name, the name, the ID of its
/// tree, 32-bit numbers with the count of records and the length of the scan, the scan, and a 20-byte ID per record.
/// A zero ID marks an entry that is not in the tree.
struct TreeCacheSection {
    let range: Range<Int>
    let name: String
    /// Nil if the host has nothing to deploy.
    let tree: ObjectID?
    let scan: Range<Int>
    let ids: Range<Int>

    init?(_ all: [UInt8], at start: Int, end: Int) {
        let nameEnd = start + 1 + Int(all[start])
        guard end - nameEnd >= 28 else { return nil }
        let count = Int(all.native(at: nameEnd + 20, as: UInt32.self))
        let size = Int(all.native(at: nameEnd + 24, as: UInt32.self))
        let scanEnd = nameEnd + 28 + size
        guard end - scanEnd >= count * 20, let name = String(validating: all[(start + 1)..<nameEnd], as: UTF8.self) else { return nil }
        self.name = name
        let tree = all.id(at: nameEnd)
        self.tree = tree == .zero ? nil : tree
        scan = (nameEnd + 28)..<scanEnd
        ids = scanEnd..<(scanEnd + count * 20)
        range = start..<ids.upperBound
    }

    static func bytes(name: String, tree: ObjectID?, scan: [UInt8], ids: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(300 + scan.count + ids.count)
        bytes.append(UInt8(name.utf8.count))
        bytes += Array(name.utf8)
        bytes += (tree ?? .zero).bytes
        bytes.append(native: UInt32(ids.count / 20))
        bytes.append(native: UInt32(scan.count))
        bytes += scan
        bytes += ids
        return bytes
    }
}

extension ObjectID {
    /// Not the ID of any object.
    static let zero = ObjectID(raw: [UInt8](repeating: 0, count: 20))
}
