import Model

/// Imports one host whose directory has changed: entries with the same stamp as last time keep their IDs, the rest is
/// read. Must not outlive the bytes it is given.
@safe struct HostImport {
    /// The state of the last import: its scan, and an ID per record.
    @safe struct Old {
        let scan: UnsafeRawBufferPointer
        let ids: UnsafeRawBufferPointer
    }

    private let host: Hostname
    private let path: String
    private let scan: UnsafeRawBufferPointer
    private let old: Old?
    private let files: FileReader
    private let repository: SharedFiles?
    /// What was a symlink, by its number in the scan.
    private let shared: [Int: Shared]
    private let warn: (ImportWarning) -> Void
    /// The bytes for the cache: the scan without unreliable stamps, and 20 bytes per record.
    private var remembered: [UInt8]
    private var ids: [UInt8]

    init(
        _ host: Hostname, at path: String, _ scan: UnsafeRawBufferPointer, old: Old?, _ files: FileReader,
        _ repository: SharedFiles?, _ shared: [Int: Shared], _ warn: @escaping (ImportWarning) -> Void
    ) throws(ImportError) {
        self.host = host
        self.path = path
        unsafe self.scan = unsafe scan
        self.old = old
        self.files = files
        self.repository = repository
        self.shared = shared
        self.warn = warn
        remembered = unsafe Array(scan)
        var count = 0
        for record in unsafe scanRecords(scan, in: 0..<scan.count) ?? [] { count = record.index + record.count + 1 }
        ids = [UInt8](repeating: 0, count: count * 20)
    }

    func section(tree: ObjectID?) -> [UInt8] {
        TreeCacheSection.bytes(name: host.text, tree: tree, scan: remembered, ids: ids)
    }

    /// The host's tree; nil if there is nothing to deploy.
    mutating func run() throws(ImportError) -> ObjectID? {
        let records = unsafe scanRecords(scan, in: 0..<scan.count) ?? []
        let known = old.flatMap { unsafe scanRecords($0.scan, in: 0..<$0.scan.count) } ?? []
        try unsafe checkNames(records.filter { $0.kind == .directory }, in: scan) { "\(host.text)/\($0)" }
        var tree = TreeBytes()
        var matching = Matching(known)
        var problems: [ImportError] = []
        for record in records {
            let before = unsafe matching.record(for: record, in: scan, old?.scan)
            let bytes = unsafe scan[record.name]
            let name = unsafe shown(bytes)
            switch record.kind {
            case .directory where name == Self.hostFile:
                throw .special(ImportError.Place(host: host, app: nil, path: name), .directory)
            case .directory:
                do throws(ImportError) {
                    guard let app = AppName(name), name != AppName.madeUp else { throw .badAppName(host, name) }
                    let location = Location(app: app, path: "", disk: .tree("\(path)/\(name)/"))
                    if let id = try directory(record, before, location) { unsafe tree.add(.directory, bytes, id) }
                } catch {
                    if case .store = error { throw error }
                    problems.append(error)
                }
            case .failed:
                throw .unreadable(path: "\(path)/\(name)", errno: record.errno)
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

        /// Below the repository; nil for what is not shared.
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
            if before.count == record.count, unsafe scan.isSame(record.below, as: old.scan, before.below),
                reuse(before.index...(before.index + before.count), at: record.index)
            {
                return id(at: record.index)
            }
            known = unsafe scanRecords(old.scan, in: before.below, from: before.index + 1) ?? []
        }
        let range = (record.index * 20)..<((record.index + 1 + record.count) * 20)
        if let imported = origin?.imports[location.path] {
            ids.replaceSubrange(range, with: imported.ids)
            remembered.replaceSubrange(record.below, with: imported.remembered)
            return imported.id
        }
        var tree = TreeBytes()
        var matching = Matching(known)
        let records = unsafe scanRecords(scan, in: record.below, from: record.index + 1) ?? []
        try unsafe checkNames(records, in: scan) { "\(host.text)/\(location.prefix)\(location.path)\($0)" }
        for inner in records {
            let before = unsafe matching.record(for: inner, in: scan, old?.scan)
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
        let bytes = unsafe scan[record.name]
        let text = unsafe String(validating: bytes, as: UTF8.self)
        var place: ImportError.Place {
            ImportError.Place(
                host: host, app: location.app, path: unsafe shown(Array(location.path.utf8) + Array(bytes)))
        }
        func special(_ kind: ImportError.SpecialFile) -> ImportError { .special(place, kind) }
        switch record.kind {
        case .symlink: throw special(.symlink)
        case .fifo: throw special(.fifo)
        case .socket: throw special(.socket)
        case .device: throw special(.device)
        case .failed: throw .unreadable(path: unsafe location.disk.path + shown(bytes), errno: record.errno)
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
            if let id = try directory(record, before, inner) { unsafe tree.add(.directory, bytes, id) }
            return
        }
        if let before, let old = old, before.kind == record.kind,
            unsafe scan.isSame(record.stamp, as: old.scan, before.stamp),
            reuse(before.index...before.index, at: record.index), let id = id(at: record.index)
        {
            unsafe tree.add(record.kind, bytes, id)
            return
        }
        let path = try? RelativePath(location.path + name)
        let isSecret = location.app != nil && path.map(SecretsDirectory.has) ?? false
        if isSecret, path.flatMap(SecretsDirectory.secret) == nil { throw .notSealed(place) }
        let id = try file(record, location.disk, name, isSecret: isSecret, place)
        set(id, at: record.index)
        unsafe tree.add(record.kind, bytes, id)
    }

    private mutating func file(
        _ record: ScanRecord, _ disk: Disk, _ name: String, isSecret: Bool, _ place: ImportError.Place
    ) throws(ImportError) -> ObjectID {
        let origin = shared[record.index]
        if !isSecret, let path = origin?.path ?? disk.sharedPath(of: name),
            let end = try? RelativePath(path.split(separator: "/").suffix(2).joined(separator: "/")), end.secretName != nil
        {
            throw .sealedAsPlain(place)
        }
        // What may be shared as it is need not be a secret.
        let key = isSecret ? RelativePath.secrets : ""
        if let imported = origin?.imports[key], let id = imported.id {
            remembered.replaceSubrange(record.stamp, with: imported.remembered)
            return id
        }
        let stamp = unsafe FileStamp(UnsafeRawBufferPointer(rebasing: scan[record.stamp]))
        let read =
            switch (origin, disk) {
            case (let origin?, _): try files.read(origin.path, of: repository, isSealed: isSecret) { place }
            case (nil, .shared(let path)): try files.read(path + name, of: repository, isSealed: isSecret) { place }
            case (nil, .tree(let path)): try files.read(path + name, of: nil, isSealed: isSecret) { place }
            }
        if read.stamp != stamp || files.mayStillChange(stamp) {
            for index in record.stamp { remembered[index] = 0 }
        }
        origin?.imports[key] = Shared.Import(id: read.id, ids: [], remembered: Array(remembered[record.stamp]))
        return read.id
    }

    private func write(_ tree: TreeBytes) throws(ImportError) -> ObjectID? {
        guard !tree.isEmpty else { return nil }
        do throws(StoreError) { return try tree.write(to: files.writer) } catch { throw .store(error) }
    }

    /// The ID of a record; nil if it is not in the tree.
    private func id(at index: Int) -> ObjectID? {
        let id = unsafe ids[(index * 20)..<(index * 20 + 20)].withUnsafeBytes { unsafe ObjectID(raw: $0) }
        return id == .zero ? nil : id
    }

    private mutating func set(_ id: ObjectID, at index: Int) {
        ids.replaceSubrange((index * 20)..<(index * 20 + 20), with: id.bytes)
    }

    /// Copies the IDs of old records; false if there are none.
    private mutating func reuse(_ records: ClosedRange<Int>, at index: Int) -> Bool {
        let from = (records.lowerBound * 20)..<((records.upperBound + 1) * 20)
        let to = (index * 20)..<(index * 20 + from.count)
        guard let old = old, unsafe from.upperBound <= old.ids.count, to.upperBound <= ids.count else { return false }
        unsafe ids.replaceSubrange(to, with: old.ids[from])
        return true
    }
}

/// Fails if two entries of a directory have names that some file systems take for one: they ignore case, or the forms in
/// which Unicode encodes a letter.
func checkNames(
    _ records: [ScanRecord], in scan: UnsafeRawBufferPointer, _ place: (String) -> String
) throws(ImportError) {
    // Names without capitals and in ASCII are the same only if their bytes are.
    func isPlain(_ byte: UInt8) -> Bool { byte < 0x80 && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
    if records.allSatisfy({ unsafe scan[$0.name].allSatisfy(isPlain) }) { return }
    var names: [String: String] = [:]
    for record in records {
        guard let name = unsafe String(validating: scan[record.name], as: UTF8.self) else { continue }
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
        for new: ScanRecord, in scan: UnsafeRawBufferPointer, _ old: UnsafeRawBufferPointer?
    ) -> ScanRecord? {
        guard let old = unsafe old else { return nil }
        while at < records.count {
            let order = unsafe gitOrder(records[at], in: old, new, in: scan)
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
