import Age
import Git
import Model
import Planning
import SSH
import Sealing

/// Reads config trees from the store and makes plans from them.
package struct ClusterReader {
    /// Maximum bytes of a `manifest.json` or `host.json`.
    private static let manifestLimit = 1 << 20
    /// The same for the app that Deptool makes up: it names each file that stays.
    static let leftManifestLimit = 16 << 20

    let store: Store
    let safety: Safety
    /// For the check that hosts can open their secrets.
    private let hostKeys: HostKeys?

    package init(_ store: Store, safety: Safety = Safety(), hostKeys: HostKeys? = nil) {
        self.store = store
        self.safety = safety
        self.hostKeys = hostKeys
    }

    /// The hosts of a cluster's root tree and their own trees, ordered by name.
    package func hosts(in root: ObjectID) throws(ClusterError) -> [(host: Hostname, tree: ObjectID)] {
        var hosts: [(Hostname, ObjectID)] = []
        for entry in try read(store.tree(root)) where entry.kind == .directory {
            if let host = Hostname(entry.name) { hosts.append((host, entry.id)) }
        }
        return hosts.sorted { $0.0 < $1.0 }
    }

    /// Compares the root tree with the known deployed state of every host, and with its reported drift. Does not read
    /// hosts that the filter excludes.
    package func plan(
        root: ObjectID, cluster: String, filter: HostFilter = .all, drift: [Hostname: [Drift]] = [:],
        origin: HostTree.Origin = .configTree, leaves: LeavingFiles = .nothing
    ) throws(ClusterError) -> Plan {
        let hosts = try hosts(in: root)
        let deployed = Dictionary(
            try read(store.deployedCommits()).map { ($0.host, $0.commit) }
        ) { first, _ in first }
        let orphans = try orphans(hosts.map(\.host), deployed, cluster)
        try filter.check((hosts.map(\.host) + orphans).sorted())
        let trees = Dictionary(hosts.map { ($0.host, $0.tree) }) { first, _ in first }
        func deployedTreeID(_ host: Hostname) throws(ClusterError) -> ObjectID? {
            try deployed[host].map { commit throws(ClusterError) in try hostTreeID(of: host, in: commit) } ?? nil
        }
        try filter.checkApps(hosts.map(\.host) + orphans) { host throws(ClusterError) in
            try appNames([trees[host], try deployedTreeID(host)])
        }
        var plans: [HostPlan] = []
        var problems: [TreeError] = []
        for (host, tree) in hosts where filter.includes(host) {
            let old = try deployedTreeID(host)
            let part = filter.isPartial(host) ? try partialHost(host, of: old, with: tree, filter) : nil
            let drift = drift[host] ?? []
            if old == part?.tree ?? tree, drift.isEmpty { continue }
            let known = try old.map { id throws(ClusterError) in try deployedTree(host, id) }
            var wanted: HostTree
            do throws(ClusterError) {
                wanted = try checkedTree(of: host, part?.tree ?? tree, known: known, part: part, origin: origin)
            } catch {
                let isWholeValid = origin == .history || (try? checkedTree(of: host, tree, known: known, part: nil, origin: origin)) != nil
                switch part?.explained(error, origin, isWholeValid: isWholeValid) ?? error {
                case .tree(let problem): problems.append(problem)
                case .trees(let some): problems += some
                case let other: throw other
                }
                continue
            }
            wanted = try leavingFiles(leaves, known, wanted)
            var plan = try HostPlan(base: deployed[host], deployed: known, wanted: wanted, safety: safety, drift: drift, contents: unitFile)
            plan?.limit = part?.limit
            if let plan { plans.append(plan) }
        }
        if let error = ClusterError(problems) { throw error }
        if origin == .configTree { try noteUndone(&plans) }
        return Plan(hosts: plans, orphans: orphans.filter(filter.includes))
    }

    /// Reads a host's tree and throws for mistakes: one of each app. Apps that were not chosen are as they were deployed.
    private func checkedTree(
        of host: Hostname, _ id: ObjectID, known: HostTree?, part: PartialHost?, origin: HostTree.Origin
    ) throws(ClusterError) -> HostTree {
        var (wanted, problems) = try readTree(host, id)
        var faulty = Set(problems.compactMap(\.app))
        let chosen = part.map { Set($0.limit.apps) }
        func originOf(_ app: AppName) -> HostTree.Origin { chosen?.contains(app) == false ? .history : origin }
        /// Looks for mistakes in the rest of the apps until it finds no more.
        func collect(_ find: () throws(ClusterError) -> TreeError?) throws(ClusterError) {
            while let problem = try find() {
                problems.append(problem)
                guard let app = problem.app, faulty.insert(app).inserted else { return }
            }
        }
        func rest() -> HostTree {
            var tree = wanted
            tree.apps.removeAll { faulty.contains($0.name) }
            return tree
        }
        try collect { () throws(ClusterError) in
            do throws(TreeError) {
                try rest().validate(originOf)
                return nil
            } catch {
                return error
            }
        }
        if origin == .configTree {
            let isOpen = { (app: AppName) in originOf(app) == .configTree && !faulty.contains(app) }
            try collect { () throws(ClusterError) in try wanted.validateRules(of: isOpen, deployed: known, unitFile) }
            try collect { () throws(ClusterError) in try wanted.validateProbes(of: { !faulty.contains($0) }, unitFile) }
            try collect { () throws(ClusterError) in
                do throws(ClusterError) {
                    try checkSecrets(rest(), known)
                    return nil
                } catch {
                    guard case .tree(let problem) = error else { throw error }
                    return problem
                }
            }
        }
        guard let error = ClusterError(problems) else { return wanted }
        throw error
    }

    /// The host's tree, with all mistakes in its files.
    private func readTree(_ host: Hostname, _ id: ObjectID) throws(ClusterError) -> (HostTree, [TreeError]) {
        var tree = HostTree(host: host, id: id, apps: [])
        var problems: [TreeError] = []
        for entry in try read(store.tree(id)) {
            do throws(ClusterError) {
                if entry.kind == .directory {
                    tree.apps.append(try app(entry, host))
                } else if entry.name == HostOptions.fileName {
                    tree.options = try options(entry.id, host)
                }
            } catch {
                guard case .tree(let problem) = error else { throw error }
                problems.append(problem)
                // The other apps' rules may name its files.
                if problem.app != nil, let app = try? app(entry, host, acceptsGaps: true) { tree.apps.append(app) }
            }
        }
        tree.apps.sort { $0.name < $1.name }
        return (tree, problems)
    }

    private func options(_ id: ObjectID, _ host: Hostname) throws(ClusterError) -> HostOptions {
        let bytes = try contents(id, of: HostOptions.fileName, on: host, nil)
        do {
            return try HostOptions(parsing: bytes)
        } catch {
            throw .tree(TreeError(host: host, file: HostOptions.fileName, .format(error)))
        }
    }

    /// Checks that the host can open its new and changed secrets.
    private func checkSecrets(_ wanted: HostTree, _ deployed: HostTree?) throws(ClusterError) {
        var keys: [PublicKey]?
        for app in wanted.apps {
            let known = Set(deployed?.apps.first { $0.name == app.name }?.files ?? [])
            for file in app.files where !known.contains(file) {
                guard let name = SecretsDirectory.secret(file.path) else { continue }
                let secret = "\(wanted.host.text)/\(app.name.text)/\(name)"
                func problem(_ kind: TreeError.Kind) -> ClusterError {
                    .tree(TreeError(host: wanted.host, app: app.name, file: file.path.text, kind))
                }
                let sealed: SealedFile
                do throws(AgeError) {
                    sealed = try SealedFile(try sealedBytes(file))
                } catch {
                    throw problem(.sealedBadly(error.phrase, secret: secret))
                }
                guard let hostKeys else { continue }
                let found: [PublicKey]
                if let keys {
                    found = keys
                } else {
                    do throws(SSHError) { found = try hostKeys.known(wanted.host, wanted.options) } catch { throw .ssh(wanted.host, error) }
                    keys = found
                }
                guard !found.isEmpty else { throw problem(.unknownHostKey) }
                guard found.contains(where: { sealed.isSealed(forTag: tag(of: $0)) }) else {
                    throw problem(.sealedForOthers(secret: secret, keys: found.map(fingerprint)))
                }
            }
        }
    }

    /// A file that is not in the store counts as not written by age.
    private func sealedBytes(_ file: FileEntry) throws(AgeError) -> [UInt8] {
        do throws(StoreError) {
            return try store.blob(file.id, limit: SealedFile.limit)
        } catch {
            if case .objectTooLarge = error { throw .tooLarge }
            throw .notAge
        }
    }

    /// Hosts of the cluster that have a deployed state but are no longer in its tree.
    private func orphans(
        _ hosts: [Hostname], _ deployed: [Hostname: ObjectID], _ cluster: String
    ) throws(ClusterError) -> [Hostname] {
        let present = Set(hosts)
        var orphans: [Hostname] = []
        for (host, commit) in deployed where !present.contains(host) {
            let info = try read(store.commitInfo(commit))
            if DeployMessage.cluster(of: info.message) == cluster { orphans.append(host) }
        }
        return orphans.sorted()
    }

    /// A plan that empties a host that is no longer in the tree.
    package func removalPlan(_ host: Hostname, root: ObjectID, leaves: LeavingFiles = .nothing) throws(ClusterError) -> Plan {
        guard try !hosts(in: root).contains(where: { $0.host == host }) else { throw .hostInTree(host) }
        let base = try read(store.deployedCommit(host))
        guard let base else { throw .notDeployed(host) }
        let old = try hostTreeID(of: host, in: base)
        let empty = try read(store.write(RecordedObject(kind: .tree, bytes: [])))
        let known = try old.map { id throws(ClusterError) in try deployedTree(host, id) }
        // The name check uses the options that the host was deployed with.
        var wanted = HostTree(host: host, id: empty, options: known?.options ?? HostOptions(), apps: [])
        wanted = try leavingFiles(leaves, known, wanted)
        let plan = try HostPlan(
            base: base, deployed: known, wanted: wanted, safety: safety, isRemoval: wanted.apps.isEmpty, contents: unitFile)
        return Plan(hosts: plan.map { [$0] } ?? [])
    }

    /// The content of a unit file; nil if the store lacks it.
    func unitFile(_ file: FileEntry) throws(ClusterError) -> [UInt8]? {
        do throws(StoreError) {
            return try store.blob(file.id, limit: Self.manifestLimit)
        } catch {
            switch error {
            // systemd does not read a unit this large.
            case .objectTooLarge: return []
            // The store may have only the ids of some files of a host.
            case .missingObject: return nil
            default: throw .store(error)
            }
        }
    }

    /// The tree of one host in a commit; nil if the commit has none.
    func hostTreeID(of host: Hostname, in commit: ObjectID) throws(ClusterError) -> ObjectID? {
        try read(store.tree(of: host, in: commit))
    }

    /// The hosts, and deployed hosts of the cluster that are not among them, ordered by name.
    package func knownHosts(_ hosts: [Hostname], cluster: String) throws(ClusterError) -> [Hostname] {
        let deployed = Dictionary(
            try read(store.deployedCommits()).map { ($0.host, $0.commit) }
        ) { first, _ in first }
        return (hosts + (try orphans(hosts, deployed, cluster))).sorted()
    }

    /// A host's deployed tree, with gaps where it cannot be read: a problem on one host must not block the others.
    func deployedTree(_ host: Hostname, _ id: ObjectID) throws(ClusterError) -> HostTree {
        var gap: String?
        do {
            return try hostTree(host, id)
        } catch {
            gap = try Self.gap(error)
        }
        var tree = HostTree(host: host, id: id, apps: [])
        tree.gap = gap
        do {
            for entry in try read(store.tree(id)) where entry.kind == .directory {
                tree.apps.append(try app(entry, host, acceptsGaps: true))
            }
        } catch {
            _ = try Self.gap(error)
            tree.apps = []
        }
        tree.apps.sort { $0.name < $1.name }
        return tree
    }

    /// Describes an unreadable part; rethrows other errors.
    private static func gap(_ error: ClusterError) throws(ClusterError) -> String {
        switch error {
        case .tree(let problem): return "\(problem.place): \(problem.phrase)"
        case .store(.missingObject), .store(.damagedObject), .store(.objectTooLarge):
            if case .store(let error) = error { return error.phrase }
            throw error
        default: throw error
        }
    }

    func hostTree(_ host: Hostname, _ id: ObjectID) throws(ClusterError) -> HostTree {
        let (tree, problems) = try readTree(host, id)
        if let problem = problems.first { throw .tree(problem) }
        return tree
    }

    private func app(_ entry: TreeEntry, _ host: Hostname, acceptsGaps: Bool = false) throws(ClusterError) -> AppTree {
        guard let name = AppName(entry.name) else { throw .tree(TreeError(host: host, .badAppName(entry.name))) }
        var files: [FileEntry] = []
        try collect(entry.id, below: "", of: host, name, into: &files)
        files.sort { $0.path < $1.path }
        var app = AppTree(name: name, id: entry.id, manifest: Manifest(), files: files)
        if let file = files.first(where: { $0.path.text == Manifest.fileName }) {
            do {
                app.manifest = try manifest(file.id, host, name)
            } catch {
                guard acceptsGaps else { throw error }
                app.isManifestKnown = false
            }
        }
        return app
    }

    private func manifest(_ id: ObjectID, _ host: Hostname, _ app: AppName) throws(ClusterError) -> Manifest {
        let bytes = try contents(id, of: Manifest.fileName, on: host, app)
        do {
            return try Manifest(parsing: bytes)
        } catch {
            throw .tree(TreeError(host: host, app: app, file: Manifest.fileName, .format(error)))
        }
    }

    private func collect(
        _ tree: ObjectID, below prefix: String, of host: Hostname, _ app: AppName, into files: inout [FileEntry]
    ) throws(ClusterError) {
        for entry in try read(store.tree(tree)) {
            let text = prefix + entry.name
            let path: RelativePath
            do {
                path = try RelativePath(text)
            } catch {
                throw .tree(TreeError(host: host, app: app, file: text, .badPath(error)))
            }
            switch entry.kind {
            case .directory: try collect(entry.id, below: text + "/", of: host, app, into: &files)
            case .file(let isExecutable): files.append(FileEntry(path: path, isExecutable: isExecutable, id: entry.id))
            case .other: throw .tree(TreeError(host: host, app: app, file: text, .notAFile))
            }
        }
    }

    private func contents(_ id: ObjectID, of file: String, on host: Hostname, _ app: AppName?) throws(ClusterError) -> [UInt8] {
        let limit = app?.text == LeftFiles.app ? Self.leftManifestLimit : Self.manifestLimit
        do {
            return try store.blob(id, limit: limit)
        } catch .objectTooLarge {
            throw .tree(TreeError(host: host, app: app, file: file, .tooLarge(limit: limit)))
        } catch {
            throw .store(error)
        }
    }

    func read<Result>(_ body: @autoclosure () throws(StoreError) -> Result) throws(ClusterError) -> Result {
        do { return try body() } catch { throw .store(error) }
    }
}
