import Model
import Platform

/// Imports one host whose directory has changed: entries with the same stamp as last time keep their IDs, the rest is
/// read.
struct HostTreeImport {
    /// The state of the last import: the places of its scan, and of an ID per record.
    struct Old {
        let bytes: [UInt8]
        let scan: Range<Int>
        let ids: Range<Int>
    }

    private let host: Hostname
    private let number: Int
    private let path: String
    private let scan: [UInt8]
    private let old: Old?
    private let files: FileReader
    private let repository: SharedFiles?
    /// The former symlinks, by their numbers in the scan.
    private let shared: [Int: Shared]
    private let warn: (ImportWarning) -> Void
    /// The bytes for the cache: the scan without unreliable stamps, and 20 bytes per record.
    private var remembered: [UInt8]
    private var ids: [UInt8]

    init(
        _ host: Hostname, number: Int, at path: String, scan: [UInt8], old: Old?, files: FileReader,
        repository: SharedFiles?, shared: [Int: Shared], warn: @escaping (ImportWarning) -> Void
    ) throws(ImportError) {
        self.host = host
        self.number = number
        self.path = path
        self.scan = scan
        self.old = old
        self.files = files
        self.repository = repository
        self.shared = shared
        self.warn = warn
        remembered = scan
        var count = 0
        for record in scanRecords(scan, in: 0..<scan.count) ?? [] { count = record.index + record.count + 1 }
        ids = [UInt8](repeating: 0, count: count * 20)
    }

    func section(tree: ObjectID?) -> [UInt8] {
        TreeCacheSection.bytes(name: host.text, tree: tree, scan: remembered, ids: ids)
    }

    /// The host's tree; nil if there is nothing to deploy.
    mutating func run() throws(ImportError) -> ObjectID? {
        let records = scanRecords(scan, in: 0..<scan.count) ?? []
        let known = old.flatMap { scanRecords($0.bytes, in: $0.scan) } ?? []
        try checkNames(records.filter { $0.kind == .directory }, in: scan) { "\(host.text)/\($0)" }
        var tree = TreeBytes()
        var matching = Matching(known)
        var problems: [ImportError] = []
        for record in records {
            let before = matching.record(for: record, in: scan, old?.bytes)
            let bytes = scan[record.name]
            let name = shown(bytes)
            switch record.kind {
            case .directory where name == Self.hostFile:
                throw .special(ImportError.Place(host: host, app: nil, path: name), .directory)
            case .directory:
                do throws(ImportError) {
                    guard let app = AppName(name), name != AppName.madeUp else { throw .badAppName(host, name) }
                    let location = Location(app: app, path: "", disk: .tree("\(path)/\(name)/"))
                    if let id = try directory(record, before, location) { tree.add(.directory, bytes, id) }
                } catch {
                    if case .store = error { throw error }
                    problems.append(error)
                }
            case .failed:
                throw .unreadable(path: "\(path)/\(name)", record.error)
            default:
                guard name == Self.hostFile else { continue }
                try entry(record, before, Location(app: nil, path: "", disk: .tree("\(path)/")), into: &tree)
            }
        }
        if let error = ImportError(problems) { throw error }
        return try write(tree)
    }

    static let hostFile = "host.json"

    /// A directory of the host: an app's, or one inside an app.
    private struct Location {
        var app: AppName?
        /// Relative to the app's directory: empty, or ending in '/'.
        var path: String
        var disk: Disk

        /// The app's directory in the host's: empty, or ending in '/'.
        var prefix: String { app.map { $0.text + "/" } ?? "" }
    }

    /// Where a directory is: in the tree, or shared, below the repository. Empty, or ending in '/'.
    private enum Disk {
        case tree(String)
        case shared(String)

        var path: String {
            switch self {
            case .tree(let path), .shared(let path): path
            }
        }

        /// Below the repository; nil if not shared.
        func sharedPath(of name: String) -> String? { if case .shared(let path) = self { path + name } else { nil } }

        func inside(_ name: String) -> Disk {
            switch self {
            case .tree(let path): .tree("\(path)\(name)/")
            case .shared(let path): .shared("\(path)\(name)/")
            }
        }
    }

    private mutating func directory(
        _ record: ScanRecord, _ before: ScanRecord?, _ location: Location
    ) throws(ImportError) -> ObjectID? {
        let origin = shared[record.index]
        var location = location
        if let origin { location.disk = .shared(origin.path + "/") }
        var known: [ScanRecord] = []
        if let before, let old = old {
            if before.count == record.count, scan.isSame(record.below, as: old.bytes, before.below),
                reuse(before.index...(before.index + before.count), at: record.index)
            {
                return id(at: record.index)
            }
            known = scanRecords(old.bytes, in: before.below, from: before.index + 1) ?? []
        }
        let range = (record.index * 20)..<((record.index + 1 + record.count) * 20)
        if let imported = origin?.imports[location.path] {
            ids.replaceSubrange(range, with: imported.ids)
            remembered.replaceSubrange(record.below, with: imported.remembered)
            return imported.id
        }
        var tree = TreeBytes()
        var matching = Matching(known)
        let records = scanRecords(scan, in: record.below, from: record.index + 1) ?? []
        try checkNames(records, in: scan) { "\(host.text)/\(location.prefix)\(location.path)\($0)" }
        for inner in records {
            let before = matching.record(for: inner, in: scan, old?.bytes)
            try entry(inner, before, location, into: &tree)
        }
        let id = try write(tree)
        if let id { set(id, at: record.index) }
        origin?.imports[location.path] = Shared.Import(id: id, ids: Array(ids[range]), remembered: Array(remembered[record.below]))
        return id
    }

    /// Imports an entry of an app, or the host's own file, and adds it to the tree of its directory.
    private mutating func entry(
        _ record: ScanRecord, _ before: ScanRecord?, _ location: Location, into tree: inout TreeBytes
    ) throws(ImportError) {
        let bytes = scan[record.name]
        let text = String(validating: bytes, as: UTF8.self)
        var place: ImportError.Place {
            ImportError.Place(
                host: host, app: location.app, path: shown(Array(location.path.utf8) + Array(bytes)))
        }
        func special(_ kind: ImportError.SpecialFile) -> ImportError { .special(place, kind) }
        switch record.kind {
        case .symlink: throw special(.symlink)
        case .fifo: throw special(.fifo)
        case .socket: throw special(.socket)
        case .device: throw special(.device)
        case .failed: throw .unreadable(path: location.disk.path + shown(bytes), record.error)
        case .file, .executable, .directory: break
        }
        guard let name = text else { throw .notUTF8(place) }
        if name.utf8.count == 4, name.lowercased() == ".git" { throw .gitDirectory(place) }
        if name == ".DS_Store", record.kind != .directory { return warn(.leftOut(place)) }
        do throws(PathError) {
            _ = try RelativePath(location.path + name)
        } catch {
            throw .badPath(place, error)
        }
        if record.kind == .directory {
            let inner = Location(app: location.app, path: location.path + name + "/", disk: location.disk.inside(name))
            if let id = try directory(record, before, inner) { tree.add(.directory, bytes, id) }
            return
        }
        if let before, let old = old, before.kind == record.kind,
            scan.isSame(record.stamp, as: old.bytes, before.stamp),
            reuse(before.index...before.index, at: record.index), let id = id(at: record.index)
        {
            tree.add(record.kind, bytes, id)
            return
        }
        let path = try? RelativePath(location.path + name)
        let isSecret = location.app != nil && path.map(SecretsDirectory.has) ?? false
        if isSecret, path.flatMap(SecretsDirectory.secret) == nil { throw .notSealed(place) }
        let id = try file(record, on: location.disk, name: name, isSecret: isSecret, at: place)
        set(id, at: record.index)
        tree.add(record.kind, bytes, id)
    }

    private mutating func file(
        _ record: ScanRecord, on disk: Disk, name: String, isSecret: Bool, at place: ImportError.Place
    ) throws(ImportError) -> ObjectID {
        let origin = shared[record.index]
        if !isSecret, let path = origin?.path ?? disk.sharedPath(of: name),
            let end = try? RelativePath(path.split(separator: "/").suffix(2).joined(separator: "/")), end.secretName != nil
        {
            throw .sealedAsPlain(place)
        }
        // A shared file may be plain in one place, and has to be sealed in another.
        let use = isSecret ? RelativePath.secrets : ""
        if let imported = origin?.imports[use], let id = imported.id {
            remembered.replaceSubrange(record.stamp, with: imported.remembered)
            return id
        }
        let stamp = FileStamp(scan, at: record.stamp.lowerBound)
        let key = ReadAhead.Key(host: number, record: record.index)
        let read =
            switch (origin, disk) {
            case (let origin?, _): try files.read(origin.path, key, of: repository, isSealed: isSecret) { place }
            case (nil, .shared(let path)): try files.read(path + name, key, of: repository, isSealed: isSecret) { place }
            case (nil, .tree(let path)): try files.read(path + name, key, of: nil, isSealed: isSecret) { place }
            }
        if read.stamp != stamp {
            for index in record.stamp { remembered[index] = 0 }
        }
        origin?.imports[use] = Shared.Import(id: read.id, ids: [], remembered: Array(remembered[record.stamp]))
        return read.id
    }

    private func write(_ tree: TreeBytes) throws(ImportError) -> ObjectID? {
        guard !tree.isEmpty else { return nil }
        do throws(StoreError) { return try tree.write(to: files.writer) } catch { throw .store(error) }
    }

    /// The ID of a record; nil if it is not in the tree.
    private func id(at index: Int) -> ObjectID? {
        let id = ids.id(at: index * 20)
        return id == .zero ? nil : id
    }

    private mutating func set(_ id: ObjectID, at index: Int) {
        ids.replaceSubrange((index * 20)..<(index * 20 + 20), with: id.bytes)
    }

    /// Copies the IDs of old records; false if there are none.
    private mutating func reuse(_ records: ClosedRange<Int>, at index: Int) -> Bool {
        let from = (records.lowerBound * 20)..<((records.upperBound + 1) * 20)
        let to = (index * 20)..<(index * 20 + from.count)
        guard let old = old, from.upperBound <= old.ids.count, to.upperBound <= ids.count else { return false }
        let start = old.ids.lowerBound
        ids.replaceSubrange(to, with: old.bytes[(start + from.lowerBound)..<(start + from.upperBound)])
        return true
    }
}

/// Fails if two entries of a directory have names that some file systems take for one: they ignore case, or the forms in
/// which Unicode encodes a letter.
func checkNames(
    _ records: [ScanRecord], in scan: [UInt8], _ place: (String) -> String
) throws(ImportError) {
    // Names without capitals and in ASCII are the same only if their bytes are.
    func isPlain(_ byte: UInt8) -> Bool { byte < 0x80 && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
    if records.allSatisfy({ scan[$0.name].allSatisfy(isPlain) }) { return }
    var names: [String: String] = [:]
    for record in records {
        guard let name = String(validating: scan[record.name], as: UTF8.self) else { continue }
        // Strings are equal whatever form their letters have; upper case first also takes `ß` for `ss`.
        if let other = names.updateValue(name, forKey: name.uppercased().lowercased()) {
            throw .sameName(shown(Array(place(other).utf8)), shown(Array(name.utf8)))
        }
    }
}

/// Walks old records in step with new ones, both in Git's order.
private struct Matching {
    private let records: [ScanRecord]
    private var at = 0

    init(_ records: [ScanRecord]) { self.records = records }

    /// The old record with the same name as a new one, if both or neither are directories.
    mutating func record(
        for new: ScanRecord, in scan: [UInt8], _ old: [UInt8]?
    ) -> ScanRecord? {
        guard let old else { return nil }
        while at < records.count {
            let order = gitOrder(records[at], in: old, new, in: scan)
            if order > 0 { return nil }
            defer { at += 1 }
            if order == 0, (records[at].kind == .directory) == (new.kind == .directory) { return records[at] }
        }
        return nil
    }
}

/// The bytes of a Git tree. Entries are added in Git's order.
struct TreeBytes {
    private var bytes: [UInt8] = []

    var isEmpty: Bool { bytes.isEmpty }

    mutating func add(_ kind: ScanRecord.Kind, _ name: some Collection<UInt8>, _ id: ObjectID) {
        switch kind {
        case .directory: bytes += Array("40000 ".utf8)
        case .executable: bytes += Array("100755 ".utf8)
        default: bytes += Array("100644 ".utf8)
        }
        bytes += name
        bytes.append(0)
        bytes += id.bytes
    }

    func write(to writer: ObjectWriter) throws(StoreError) -> ObjectID { try writer.add(.tree, bytes) }
}
