import CSystem
import Model

extension Store {
    /// Imports a cluster directory and returns the ID of its root tree. Makes no commit.
    ///
    /// `directory` holds one directory per host, which holds one directory per app and optionally the host's
    /// `host.json`. Skips other files on these two levels, and names that start with `.` there. In an app, everything
    /// counts except `.DS_Store`; symlinks to files and directories of the same repository count as those (`SharedFiles`); a file is executable if its owner may execute it. Git has no empty directories: an app without files
    /// does not exist. A host without apps, or a cluster without hosts, gets the empty tree.
    ///
    /// A cache beside the store (`TreeCache`) remembers previous imports, so that an import only reads changed files:
    /// those with a different size, mtime, ctime, inode or executable bit, or that changed so shortly before the
    /// previous import that a later change might have left the same ctime.
    ///
    /// Objects are durable after the next `commit`. `warn` receives probable mistakes.
    package func importCluster(
        at directory: String, warn: @escaping (ImportWarning) -> Void = { _ in }
    ) throws(ImportError) -> ObjectID {
        try ClusterImport(self, directory).run(warn)
    }
}

/// One import of a cluster directory.
private struct ClusterImport {
    let store: Store
    let directory: String
    let key: ObjectID
    let startTime = csys_realtime_ns()

    init(_ store: Store, _ directory: String) throws(ImportError) {
        self.store = store
        do throws(StoreError) {
            self.directory = try resolved(directory)
        } catch {
            throw .missing(directory: directory)
        }
        key = .of(.blob, Array(self.directory.utf8))
    }

    func run(_ warn: @escaping (ImportWarning) -> Void) throws(ImportError) -> ObjectID {
        let hosts = try hosts()
        let scans = try HostScans(of: hosts, in: directory)
        let cache = TreeCache.read(store: store.path, cluster: key)
        var sections: [String: TreeCacheSection] = [:]
        for section in cache?.sections ?? [] { sections[section.name] = section }

        let writer = ObjectWriter(store)
        let files = FileReader(writer, startTime: startTime)
        let shared = scans.haveLinks ? try SharedFiles(of: directory, store: store.path) : nil
        var results: [Result] = []
        results.reserveCapacity(hosts.count)
        var problems: [ImportError] = []
        for (index, host) in hosts.enumerated() {
            do throws(ImportError) {
                let result = try unsafe scans.withScan(index) { scan, hasLinks throws(ImportError) in
                    let take = { (scan: UnsafeRawBufferPointer, links: [Int: Shared]) throws(ImportError) -> Result in
                        unsafe look(host, scan, warn)
                        return try unsafe one(host, scan, sections[host.text], in: cache?.bytes ?? [], files, shared, links, warn)
                    }
                    guard hasLinks, let shared else { return try unsafe take(scan, [:]) }
                    let followed = try unsafe shared.follow(scan, of: host)
                    return try unsafe lending(followed.bytes) { scan throws(ImportError) in try unsafe take(scan, followed.shared) }
                }
                results.append(result)
            } catch {
                if case .store = error { throw error }
                problems.append(error)
            }
        }
        if let error = ImportError(problems) { throw error }
        do throws(StoreError) {
            let root = try rootTree(hosts, results, writer)
            try writer.finish()
            let isUnchanged = results.allSatisfy(\.isUnchanged) && results.count == cache?.sections.count
            // Without a cache, the next import is slower but still correct.
            if !isUnchanged { try? writeCache(results, old: cache?.bytes ?? []) }
            return root
        } catch {
            throw .store(error)
        }
    }

    /// Empty directories hint at mistakes, such as a failed render.
    private func look(_ host: Hostname, _ scan: UnsafeRawBufferPointer, _ warn: (ImportWarning) -> Void) {
        var hasApps = false
        for record in unsafe scanRecords(scan, in: 0..<scan.count) ?? [] where record.kind == .directory {
            hasApps = true
            let below = unsafe scanRecords(scan, in: record.below, from: record.index + 1) ?? []
            // A directory that contains only directories is rare, and not detected.
            if below.isEmpty { unsafe warn(.emptyApp(host, shown(scan[record.name]))) }
        }
        if !hasApps { warn(.noApps(host)) }
    }

    /// The result of one host.
    private enum Result {
        case unchanged(TreeCacheSection)
        case imported(tree: ObjectID?, section: [UInt8])

        var tree: ObjectID? {
            switch self {
            case .unchanged(let section): section.tree
            case .imported(let tree, _): tree
            }
        }

        var isUnchanged: Bool {
            if case .unchanged = self { true } else { false }
        }
    }

    /// The hosts of the cluster, in Git's order.
    private func hosts() throws(ImportError) -> [Hostname] {
        var scan = unsafe csys_scan()
        defer { unsafe csys_scan_free(&scan) }
        let result = unsafe csys_scan_names(directory, &scan)
        if result == -Int32(csys_enotdir) { throw .notADirectory(directory) }
        guard result == 0 else { throw .unreadable(path: directory, errno: -result) }
        let bytes = unsafe UnsafeRawBufferPointer(start: scan.bytes, count: scan.size)
        var hosts: [Hostname] = []
        let records = unsafe scanRecords(bytes, in: 0..<bytes.count) ?? []
        try unsafe checkNames(records.filter { $0.kind == .directory }, in: bytes) { $0 }
        for record in records {
            let name = unsafe bytes[record.name]
            switch record.kind {
            case .directory:
                guard let text = unsafe String(validating: name, as: UTF8.self), let host = Hostname(text) else {
                    throw .badHostname(unsafe shown(name))
                }
                guard Store.canHold(host) else { throw .unusableHostname(host) }
                hosts.append(host)
            case .symlink:
                let text = unsafe shown(name)
                if isDirectory("\(directory)/\(text)") { throw .symlinkedHost(text) }
            case .failed:
                throw .unreadable(path: unsafe "\(directory)/\(shown(name))", errno: record.errno)
            case .file, .executable, .fifo, .socket, .device:
                break
            }
        }
        return hosts
    }

    private func one(
        _ host: Hostname, _ scan: UnsafeRawBufferPointer, _ section: TreeCacheSection?, in cache: [UInt8],
        _ files: FileReader, _ shared: SharedFiles?, _ links: [Int: Shared], _ warn: @escaping (ImportWarning) -> Void
    ) throws(ImportError) -> Result {
        // A tree in the store is complete: `git gc` keeps everything that recent objects need.
        let known = section.flatMap { $0.tree == nil || $0.tree.map(store.has) == true ? $0 : nil }
        if let known, unsafe cache.withUnsafeBytes({ unsafe scan.isSame(0..<scan.count, as: $0, known.scan) }) {
            return .unchanged(known)
        }
        return try unsafe lending(cache) { cache throws(ImportError) in
            var old: HostImport.Old?
            if let known {
                old = unsafe HostImport.Old(
                    scan: UnsafeRawBufferPointer(rebasing: cache[known.scan]),
                    ids: UnsafeRawBufferPointer(rebasing: cache[known.ids]))
            }
            var host = try unsafe HostImport(host, at: "\(directory)/\(host.text)", scan, old: old, files, shared, links, warn)
            let tree = try host.run()
            let section = host.section(tree: tree)
            let isSame = unsafe section.withUnsafeBytes { new in
                known.map { unsafe new.isSame(0..<new.count, as: cache, $0.range) } ?? false
            }
            if isSame, let known { return .unchanged(known) }
            return .imported(tree: tree, section: section)
        }
    }

    private func rootTree(_ hosts: [Hostname], _ results: [Result], _ writer: ObjectWriter) throws(StoreError) -> ObjectID {
        var root = TreeBytes()
        for (host, result) in zip(hosts, results) {
            // Include a host without apps, so that its last app is also removed from the host.
            var tree = result.tree
            if tree == nil { tree = try TreeBytes().write(to: writer) }
            if let tree { root.add(.directory, Array(host.text.utf8), tree) }
        }
        return try root.write(to: writer)
    }

    private func writeCache(_ results: [Result], old: [UInt8]) throws(StoreError) {
        var bytes = TreeCache.header(cluster: key)
        for result in results {
            switch result {
            case .unchanged(let section): bytes += old[section.range]
            case .imported(_, let section): bytes += section
            }
        }
        try TreeCache.write(bytes, store: store.path, cluster: key)
    }
}

/// The scans of all hosts' directories.
@safe private final class HostScans {
    private let scans: UnsafeMutableBufferPointer<csys_scan>

    // More threads than processors cost nothing; below four hosts, starting threads costs more than it gains.
    private static let threads: Int32 = 4
    private static let fewestForThreads = 4

    init(of hosts: [Hostname], in directory: String) throws(ImportError) {
        unsafe scans = UnsafeMutableBufferPointer.allocate(capacity: hosts.count)
        unsafe scans.initialize(repeating: csys_scan())
        // The names in sequence, each followed by a zero byte.
        var text: [UInt8] = []
        var starts: [Int] = []
        for host in hosts {
            starts.append(text.count)
            text += Array(host.text.utf8) + [0]
        }
        let result = unsafe text.withUnsafeBufferPointer { text in
            unsafe text.withMemoryRebound(to: CChar.self) { text in
                let names = unsafe starts.map { start in unsafe text.baseAddress.map { unsafe $0 + start } }
                return unsafe csys_scan_trees(
                    directory, names, names.count, hosts.count < Self.fewestForThreads ? 1 : Self.threads,
                    scans.baseAddress)
            }
        }
        guard result == 0 else { throw .unreadable(path: directory, errno: -result) }
        for (index, host) in hosts.enumerated() where unsafe scans[index].error != 0 {
            throw .unreadable(path: "\(directory)/\(host.text)", errno: unsafe -scans[index].error)
        }
    }

    deinit {
        for index in unsafe scans.indices { unsafe csys_scan_free(&scans[index]) }
        unsafe scans.deallocate()
    }

    var haveLinks: Bool { unsafe scans.contains { unsafe $0.links > 0 } }

    /// Lends a host's scan, and whether it has symlinks, then frees it.
    func withScan<T>(
        _ index: Int, _ body: (UnsafeRawBufferPointer, Bool) throws(ImportError) -> T
    ) throws(ImportError) -> T {
        defer { unsafe csys_scan_free(&scans[index]) }
        return try unsafe body(
            UnsafeRawBufferPointer(start: scans[index].bytes, count: scans[index].size), scans[index].links > 0)
    }
}

/// `withUnsafeBytes` with a typed error.
private func lending<T>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(ImportError) -> T) throws(ImportError) -> T {
    let result: Swift.Result<T, ImportError> = unsafe bytes.withUnsafeBytes { bytes in
        do throws(ImportError) { return .success(try unsafe body(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
}

/// Whether there is a directory at the path, directly or through a symlink.
func isDirectory(_ path: String) -> Bool {
    let descriptor = unsafe csys_open_directory(path)
    if descriptor >= 0 { csys_close(descriptor) }
    return descriptor >= 0
}
