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

    /// An older version, without this kind of directory, could deploy two apps with a file at the same path, and placed neither.
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
}
