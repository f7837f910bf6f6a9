import Git
import Model
import Planning
import Wire

extension Store {
    /// The record of a host that runs `commit`: its own trees, and only the names of the other hosts' trees in the
    /// root.
    func record(for wanted: HostTree, commit: ObjectID) throws(StoreError) -> Record {
        let info = try commitInfo(commit)
        var objects = [try object(commit), try object(info.tree)]
        func add(_ tree: ObjectID) throws(StoreError) {
            objects.append(try object(tree))
            for entry in try self.tree(tree) where entry.kind == .directory { try add(entry.id) }
        }
        try add(wanted.id)
        objects += try settings(of: wanted)
        return Record(
            commit: commit, author: info.author.text, time: info.time, objects: objects,
            apps: wanted.apps.map { DeployedApp(name: $0.name, files: $0.files) },
            links: wanted.apps.flatMap(\.links), placed: placed(wanted),
            units: wanted.apps.flatMap { app in app.manifest.units.map { DeployedUnit(app: app.name, name: $0) } })
    }

    /// An older version deployed two apps with a file at the same path if it did not know the directory, and placed neither.
    private func placed(_ wanted: HostTree) -> [PlacedFile] {
        var paths: Set<AbsolutePath> = Set(wanted.apps.flatMap { $0.links.map(\.path) })
        return wanted.apps.flatMap(\.placed).filter { paths.insert($0.path).inserted }
    }

    /// The files that another store needs for planning if they are edited on the host: manifests and `host.json`.
    private func settings(of wanted: HostTree) throws(StoreError) -> [RecordedObject] {
        var ids = try tree(wanted.id).filter { $0.kind != .directory && $0.name == HostOptions.fileName }.map(\.id)
        ids += wanted.apps.compactMap { app in app.files.first { $0.path.text == Manifest.fileName }?.id }
        var objects: [RecordedObject] = []
        var rest = Self.maximumSettings
        var seen: Set<ObjectID> = []
        for id in ids where seen.insert(id).inserted {
            let size = try blobSize(id)
            guard size <= rest else { continue }
            rest -= size
            objects.append(RecordedObject(kind: .blob, bytes: try blob(id, limit: .max)))
        }
        return objects
    }

    /// In bytes: the record has to fit into a message.
    private static var maximumSettings: UInt64 { 1 << 20 }

    /// The request to a host, with the contents that it may lack.
    func preparation(
        for plan: HostPlan, commit: ObjectID, holder: String, login: String = "", leavesNothing: Bool = false
    ) throws(StoreError) -> Preparation {
        var contents: [Content] = []
        var seen = plan.present
        for change in plan.changes {
            for file in change.files {
                guard let new = file.new, seen.insert(new.id).inserted else { continue }
                contents.append(Content(id: new.id, size: try blobSize(new.id)))
            }
        }
        // The client sends large ones only after the host's reply, so the others go first.
        contents = contents.filter { !$0.isLarge } + contents.filter(\.isLarge)
        return Preparation(
            expected: plan.base, holder: holder, login: login, record: try record(for: plan.wanted, commit: commit),
            contents: contents, steps: plan.steps, leavesNothing: leavesNothing)
    }

    /// Imports the deployed state that a host reports. Verifies it by its IDs, so a host can only offer consistent
    /// objects, and writes nothing else of the record. Returns the contents that the store lacks.
    func adopt(_ record: Record, of host: Hostname) throws(AdoptionError) -> [ObjectID] {
        let known = Dictionary(record.objects.map { ($0.id, $0) }) { first, _ in first }
        guard let commit = known[record.commit], commit.kind == .commit else { throw .inconsistent }
        _ = try reading(write(commit))
        let root = try reading(commitInfo(record.commit).tree)
        let missing = try take(root, of: [host], from: known)
        let hosts = try reading(tree(root))
        if let tree = hosts.first(where: { $0.name == host.text })?.id { remember(tree, of: host, in: record.commit) }
        return missing
    }

    /// Imports a root tree and all trees of these hosts, and ignores anything else offered. Returns the contents that
    /// the store lacks.
    func take(
        _ root: ObjectID, of hosts: Set<Hostname>, from offered: [ObjectID: RecordedObject]
    ) throws(AdoptionError) -> [ObjectID] {
        func take(_ kind: ObjectKind, _ id: ObjectID) throws(AdoptionError) {
            guard let object = offered[id], object.kind == kind else { throw .inconsistent }
            _ = try reading(write(object))
        }
        var taken: [ObjectID: [TreeEntry]] = [:]
        func entries(_ id: ObjectID) throws(AdoptionError) -> [TreeEntry] {
            if let entries = taken[id] { return entries }
            try take(.tree, id)
            let entries = try reading(tree(id))
            taken[id] = entries
            return entries
        }
        // Require all trees of these hosts, and ignore those of other hosts. A host that was emptied is not in the
        // tree.
        var pending = try entries(root).filter { entry in
            entry.kind == .directory && Hostname(entry.name).map(hosts.contains) == true
        }.map(\.id)
        var missing: Set<ObjectID> = []
        var seen = 1
        while let id = pending.popLast() {
            let entries = try entries(id)
            // A few trees that contain each other many times can expand without limit.
            seen += entries.count
            guard seen <= Self.maximumEntries else { throw .inconsistent }
            for entry in entries {
                switch entry.kind {
                case .directory: pending.append(entry.id)
                case .file:
                    if contains(entry.id) { continue }
                    if offered[entry.id]?.kind == .blob { try take(.blob, entry.id) } else { missing.insert(entry.id) }
                case .other: throw .inconsistent
                }
            }
        }
        return Array(missing)
    }

    /// Maximum files and directories of a host.
    private static var maximumEntries: Int { 1_000_000 }

    private func reading<Result>(_ body: @autoclosure () throws(StoreError) -> Result) throws(AdoptionError) -> Result {
        do {
            return try body()
        } catch .damagedObject, .missingObject {
            throw .inconsistent
        } catch {
            throw .store(error)
        }
    }
}

/// Why a host's record was rejected.
enum AdoptionError: Error {
    case store(StoreError)
    /// Its objects do not match their IDs.
    case inconsistent
}
