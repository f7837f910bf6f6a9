import Git
import Model
import Planning

/// The result of comparing a host with its record.
package struct Verification: Hashable, Sendable {
    /// The commit that the host runs; nil for none.
    package var commit: ObjectID?
    /// The commit that the store had for the host until now.
    package var known: ObjectID?
    /// In the order of the apps; drift of Deptool's own directories comes first.
    package var drift: [Drift]
    /// The probes that fail.
    package var unanswered: [ProbeResult]
    /// The files of the deployed apps: the recorded state of edited ones.
    package var files: [AppName: [FileEntry]]
    /// Present contents of edited files, and of files in place of links, by their IDs: as far as requested.
    package var contents: [ObjectID: HostContent]

    package init(
        commit: ObjectID?, known: ObjectID?, drift: [Drift] = [], unanswered: [ProbeResult] = [], files: [AppName: [FileEntry]] = [:],
        contents: [ObjectID: HostContent] = [:]
    ) {
        self.commit = commit
        self.known = known
        self.drift = drift
        self.unanswered = unanswered
        self.files = files
        self.contents = contents
    }

    /// Whether the host matches the store, and its services answer.
    package var isClean: Bool { commit == known && drift.isEmpty && unanswered.isEmpty }
}

/// Whether to fetch the contents of edited files, to show them.
package enum Contents: Sendable {
    case left, fetched
}

extension ClusterReader {
    /// The hosts of a cluster that have a known deployed state, ordered by name.
    package func deployedHosts(_ cluster: String) throws(ClusterError) -> [Hostname] { try deployed(cluster).keys.sorted() }
}

extension HostTask {
    /// Compares every host with its record. If another store deployed there, updates this one.
    package func verify(
        storePath: String, _ contents: Contents,
        report: @escaping @Sendable (Hostname, Result<Verification, HostError>) -> Void = { _, _ in }
    ) async -> [(host: Hostname, result: Result<Verification, HostError>)] {
        await run(report) { (host, session) throws(HostError) in try Self.verify(host, &session, storePath: storePath, contents: contents) }
    }

    private static func verify(
        _ host: Hostname, _ session: inout HostSession, storePath: String, contents: Contents
    ) throws(HostError) -> Verification {
        let (store, known) = try whatIsKnown(of: host, storePath)
        let deployed =
            session.hello.commit == known ? known : try session.takeOver(try session.record(), into: store)
        guard let commit = deployed else { return Verification(commit: nil, known: known) }
        let tree = try tree(of: host, in: commit, store)
        try session.verify(hostname: tree.options.hostname ?? host.text)
        let drift = try session.drift(tree.privateApps)
        let places = DriftPlaces(tree)
        guard drift.allSatisfy(places.has) else { throw .unexpected }
        let files = Dictionary(tree.apps.map { ($0.name, $0.files) }) { first, _ in first }
        return Verification(
            commit: commit, known: known, drift: drift, unanswered: try session.probe(tree.apps.probes).filter { $0.answer != .passed },
            files: files,
            contents: contents == .left ? [:] : try fetch(drift, &session))
    }

    /// The deployed tree of a host, which has to be known as a whole.
    static func tree(of host: Hostname, in commit: ObjectID, _ store: Store) throws(HostError) -> HostTree {
        let reader = ClusterReader(store)
        let tree: HostTree
        do throws(ClusterError) {
            guard let id = try reader.hostTreeID(of: host, in: commit) else { return HostTree(host: host, id: commit, apps: []) }
            tree = try reader.deployedTree(host, id)
        } catch {
            if case .store(let error) = error { throw .store(error) }
            throw .inconsistentRecord
        }
        if let gap = tree.gap { throw .unreadable(gap) }
        return tree
    }

    /// Maximum bytes of a host's files to hold in memory.
    private static let maximumShown: UInt64 = 64 << 20

    private static func fetch(
        _ drift: [Drift], _ session: inout HostSession
    ) throws(HostError) -> [ObjectID: HostContent] {
        var contents: [ObjectID: HostContent] = [:]
        var wanted: [(path: AbsolutePath, id: ObjectID)] = []
        var rest = maximumShown
        for drift in drift {
            guard let (path, id, size) = drift.file, contents[id] == nil else { continue }
            contents[id] = .unseen(size: size)
            guard size <= min(rest, Drift.maximumShown) else { continue }
            rest -= size
            wanted.append((path, id))
        }
        guard !wanted.isEmpty else { return contents }
        for (file, bytes) in zip(wanted, try session.read(wanted.map(\.path))) {
            // It may have changed again.
            if let bytes, ObjectID.of(.blob, bytes) == file.id { contents[file.id] = .bytes(bytes) }
        }
        return contents
    }
}

extension Drift {
    /// A file that differs from its record: its path, ID and size.
    fileprivate var file: (path: AbsolutePath, id: ObjectID, size: UInt64)? {
        switch (finding, app) {
        case (.file(let path, .file(let id, let size)), let app?): (app.current.appending(path), id, size)
        case (.link(let path, _, .file(let id, let size)), _), (.placed(let path, _, .file(let id, let size)), _): (path, id, size)
        default: nil
        }
    }
}

extension HostTree {
    var privateApps: [PrivateApp] {
        apps.compactMap { app in
            switch app.manifest.readers {
            case .everybody: nil
            case .root: PrivateApp(app.name, group: nil)
            case .group(let group): PrivateApp(app.name, group: group)
            }
        }
    }
}

/// All places on a host that can drift: a host that reports any other has made it up.
struct DriftPlaces {
    private var apps: [AppName: (files: Set<RelativePath>, links: Set<Link>, placed: Set<AbsolutePath>, units: Set<UnitName>)] = [:]

    init(_ tree: HostTree) {
        for app in tree.apps {
            apps[app.name] = (
                Set(app.files.map(\.path)), Set(app.links + app.placed.map { Link(path: $0.path, app: $0.app, source: $0.source) }),
                Set(app.placed.map(\.path)), Set(app.manifest.units)
            )
        }
    }

    func has(_ drift: Drift) -> Bool {
        guard let name = drift.app else {
            switch drift.finding {
            case .leftover(let path): return (try? AbsolutePath(path))?.isInside(Layout.root) ?? false
            case .attributes(let path, _, _): return Layout.directories.contains { $0.path.text == path }
            default: return false
            }
        }
        guard let app = apps[name] else { return false }
        switch drift.finding {
        case .file(let path, _), .secret(let path, _): return app.files.contains(path)
        case .placed(let path, _, _): return app.placed.contains(path)
        // A host deployed to by an earlier version has links where files are placed now.
        case .link(let path, let source, _): return app.links.contains(Link(path: path, app: name, source: source))
        case .disabled(let unit), .enabledBy(let unit, _), .unwell(let unit, _): return app.units.contains(unit)
        case .extra, .attributes, .current: return true
        case .leftover: return false
        }
    }
}
