import Git
import Model
import Planning

/// What a look at a host found.
package struct Verification: Hashable, Sendable {
    /// What the host runs; nil for nothing.
    package var commit: ObjectID?
    /// What the store took it to run until now.
    package var known: ObjectID?
    /// In the order of the apps, those that concern Deptool's own directories first.
    package var drift: [Drift]
    /// The files of the apps that the host runs: what edited ones should be.
    package var files: [AppName: [FileEntry]]
    /// What edited files and those in place of links are now, by their ids: as far as it was asked for.
    package var contents: [ObjectID: HostContent]

    package init(
        commit: ObjectID?, known: ObjectID?, drift: [Drift] = [], files: [AppName: [FileEntry]] = [:],
        contents: [ObjectID: HostContent] = [:]
    ) {
        self.commit = commit
        self.known = known
        self.drift = drift
        self.files = files
        self.contents = contents
    }

    /// Whether the host is as the store took it to be.
    package var isClean: Bool { commit == known && drift.isEmpty }
}

/// Whether the contents of edited files are asked for, to be shown.
package enum Contents: Sendable {
    case left, fetched
}

extension ClusterReader {
    /// The hosts of a cluster that something is known to be deployed on, ordered by name.
    package func deployedHosts(_ cluster: String) throws(ClusterError) -> [Hostname] { try deployed(cluster).keys.sorted() }
}

extension HostTask {
    /// Compares every host with its record. Where another store deployed, this one knows afterwards.
    package func verify(
        storePath: String, _ contents: Contents,
        report: @escaping @Sendable (Hostname, Result<Verification, HostError>) -> Void = { _, _ in }
    ) async -> [(host: Hostname, result: Result<Verification, HostError>)] {
        await run(report) { (host, session) throws(HostError) in try Self.verify(host, &session, storePath, contents) }
    }

    private static func verify(
        _ host: Hostname, _ session: inout HostSession, _ storePath: String, _ contents: Contents
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
            commit: commit, known: known, drift: drift, files: files,
            contents: contents == .left ? [:] : try fetch(drift, &session))
    }

    private static func tree(of host: Hostname, in commit: ObjectID, _ store: Store) throws(HostError) -> HostTree {
        let reader = ClusterReader(store)
        do {
            guard let id = try reader.hostTreeID(of: host, in: commit) else { return HostTree(host: host, id: commit, apps: []) }
            let tree = try reader.deployedTree(host, id)
            if let gap = tree.gap { throw HostError.unreadable(gap) }
            return tree
        } catch let error as HostError {
            throw error
        } catch ClusterError.store(let error) {
            throw .store(error)
        } catch {
            throw .inconsistentRecord
        }
    }

    /// How much is held of a host's files, in bytes.
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
    /// A file that is not what it should be: where it is, what it holds, and how large it is.
    fileprivate var file: (path: AbsolutePath, id: ObjectID, size: UInt64)? {
        switch (finding, app) {
        case (.file(let path, .file(let id, let size)), let app?): (app.current.appending(path), id, size)
        case (.link(let path, _, .file(let id, let size)), _): (path, id, size)
        default: nil
        }
    }
}

extension HostTree {
    fileprivate var privateApps: [PrivateApp] {
        apps.compactMap { app in
            switch app.manifest.readers {
            case .everybody: nil
            case .root: PrivateApp(app.name, group: nil)
            case .group(let group): PrivateApp(app.name, group: group)
            }
        }
    }
}

/// What there is of a host that can drift: a host that speaks of anything else has made it up.
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
        case .file(let path, _): return app.files.contains(path)
        case .placed(let path, _, _): return app.placed.contains(path)
        // A host that an earlier version deployed to has links where files are placed now.
        case .link(let path, let source, _): return app.links.contains(Link(path: path, app: name, source: source))
        case .disabled(let unit), .enabledBy(let unit, _), .unwell(let unit, _): return app.units.contains(unit)
        case .extra, .attributes, .current: return true
        case .leftover: return false
        }
    }
}
