import Model
import Platform

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
    /// Objects are durable after the next `commit`. `warn` receives probable mistakes. If the hosts that were never
    /// imported and have no symlinks have at least `minimumAhead` entries, threads read their files (`ReadAhead`): for
    /// fewer, starting threads costs more than it gains.
    package func importCluster(
        at directory: String, minimumAhead: Int = 1000, warn: @escaping (ImportWarning) -> Void = { _ in }
    ) throws(ImportError) -> ObjectID {
        try ClusterImport(self, directory, minimumAhead).run(warn)
    }
}

/// One import of a cluster directory.
private struct ClusterImport {
    let store: Store
    let directory: String
    let minimumAhead: Int
    let key: ObjectID
    let startTime = WallClock.nanoseconds

    init(_ store: Store, _ directory: String, _ minimumAhead: Int) throws(ImportError) {
        self.store = store
        self.minimumAhead = minimumAhead
        do throws(StoreError) {
            self.directory = try resolved(directory)
        } catch {
            throw .missing(directory: directory)
        }
        key = .of(.blob, Array(self.directory.utf8))
    }

    func run(_ warn: @escaping (ImportWarning) -> Void) throws(ImportError) -> ObjectID {
        let hosts = try hosts()
        let scans = try scans(of: hosts)
        let cache = TreeCache.read(store: store.path, cluster: key)
        var sections: [String: TreeCacheSection] = [:]
        for section in cache?.sections ?? [] { sections[section.name] = section }

        let writer = ObjectWriter(store)
        // Shared files are followed and read only once, in order.
        var new = (0..<hosts.count).filter { sections[hosts[$0].text] == nil && !scans.hasLinks($0) }[...]
        let ahead = new.reduce(0) { $0 + scans.count($1) } < minimumAhead ? nil : ReadAhead(threads: 2)
        let files = FileReader(writer, ahead: ahead, startTime: startTime)
        let shared = scans.haveLinks ? try SharedFiles(of: directory, store: store.path) : nil
        var results: [Result] = []
        results.reserveCapacity(hosts.count)
        var problems: [ImportError] = []
        for (index, host) in hosts.enumerated() {
            while let ahead, ahead.hasRoom, let next = new.popFirst() {
                ahead.add(ScanWalk(host: next, path: "\(directory)/\(hosts[next].text)", scan: scans.bytes(next)))
            }
            do throws(ImportError) {
                let hasLinks = scans.hasLinks(index)
                var scan = scans.take(index), links: [Int: Shared] = [:]
                if hasLinks, let shared {
                    let followed = try shared.follow(scan, of: host)
                    (scan, links) = (followed.bytes, followed.shared)
                }
                look(host, scan, warn)
                results.append(
                    try one(
                        host, number: index, scan: scan, known: sections[host.text], in: cache?.bytes ?? [], files: files,
                        repository: shared,
                        links: links,
                        warn: warn))
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
    private func look(_ host: Hostname, _ scan: [UInt8], _ warn: (ImportWarning) -> Void) {
        var hasApps = false
        for record in scanRecords(scan, in: 0..<scan.count) ?? [] where record.kind == .directory {
            hasApps = true
            let below = scanRecords(scan, in: record.below, from: record.index + 1) ?? []
            // A directory that contains only directories is rare, and not detected.
            if below.isEmpty { warn(.emptyApp(host, shown(scan[record.name]))) }
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
        let bytes: [UInt8]
        do throws(Errno) { bytes = try DirectoryScan.names(in: directory) } catch {
            throw error == .notDirectory ? .notADirectory(directory) : .unreadable(path: directory, error)
        }
        var hosts: [Hostname] = []
        let records = scanRecords(bytes, in: 0..<bytes.count) ?? []
        try checkNames(records.filter { $0.kind == .directory }, in: bytes) { $0 }
        for record in records {
            let name = bytes[record.name]
            switch record.kind {
            case .directory:
                guard let text = String(validating: name, as: UTF8.self), let host = Hostname(text) else {
                    throw .badHostname(shown(name))
                }
                guard Store.canHold(host) else { throw .unusableHostname(host) }
                hosts.append(host)
            case .symlink:
                let text = shown(name)
                if isDirectory("\(directory)/\(text)") { throw .symlinkedHost(text) }
            case .failed:
                throw .unreadable(path: "\(directory)/\(shown(name))", record.error)
            case .file, .executable, .fifo, .socket, .device:
                break
            }
        }
        return hosts
    }

    /// The scans of the hosts' directories.
    private func scans(of hosts: [Hostname]) throws(ImportError) -> DirectoryScans {
        // More threads than processors cost nothing; below four hosts, starting threads costs more than it gains.
        let threads = hosts.count < 4 ? 1 : 4
        let scans: DirectoryScans
        do throws(Errno) {
            scans = try DirectoryScans(of: hosts.map(\.text), in: directory, threads: threads)
        } catch {
            throw .unreadable(path: directory, error)
        }
        for (index, host) in hosts.enumerated() {
            if let error = scans.error(index) { throw .unreadable(path: "\(directory)/\(host.text)", error) }
        }
        return scans
    }

    private func one(
        _ host: Hostname, number: Int, scan: [UInt8], known section: TreeCacheSection?, in cache: [UInt8],
        files: FileReader, repository: SharedFiles?, links: [Int: Shared], warn: @escaping (ImportWarning) -> Void
    ) throws(ImportError) -> Result {
        // A tree in the store is complete: `git gc` keeps everything that recent objects need.
        let known = section.flatMap { $0.tree == nil || $0.tree.map(store.has) == true ? $0 : nil }
        if let known, scan.isSame(0..<scan.count, as: cache, known.scan) { return .unchanged(known) }
        let old = known.map { HostTreeImport.Old(bytes: cache, scan: $0.scan, ids: $0.ids) }
        var host = try HostTreeImport(
            host, number: number, at: "\(directory)/\(host.text)", scan: scan, old: old, files: files, repository: repository,
            shared: links, warn: warn)
        let tree = try host.run()
        let section = host.section(tree: tree)
        if let known, section.isSame(0..<section.count, as: cache, known.range) { return .unchanged(known) }
        return .imported(tree: tree, section: section)
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
