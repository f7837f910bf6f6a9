import Git
import Model
import Planning
import Wire

extension Store {
    /// What a host's record will be when it runs `commit`: its own trees, and of the others only their names in the root.
    func record(for wanted: HostTree, commit: ObjectID) throws(StoreError) -> Record {
        let info = try commitInfo(commit)
        var objects = [try object(commit), try object(info.tree)]
        func add(_ tree: ObjectID) throws(StoreError) {
            objects.append(try object(tree))
            for entry in try self.tree(tree) where entry.kind == .directory { try add(entry.id) }
        }
        try add(wanted.id)
        return Record(
            commit: commit, author: info.author.text, time: info.time, objects: objects,
            apps: wanted.apps.map { DeployedApp(name: $0.name, files: $0.files) },
            links: wanted.apps.flatMap(\.links),
            units: wanted.apps.flatMap { app in app.manifest.units.map { DeployedUnit(app: app.name, name: $0) } })
    }

    /// What a host is asked to do, with the contents that it is not known to have.
    func preparation(
        for plan: HostPlan, commit: ObjectID, holder: String
    ) throws(StoreError) -> Preparation {
        var contents: [Content] = []
        var seen = plan.present
        for change in plan.changes {
            for file in change.files {
                guard let new = file.new, seen.insert(new.id).inserted else { continue }
                contents.append(Content(id: new.id, size: try blobSize(new.id)))
            }
        }
        return Preparation(
            expected: plan.base, holder: holder, record: try record(for: plan.wanted, commit: commit),
            contents: contents, steps: plan.steps)
    }

    /// Takes over what a host says is deployed there: verified by its ids, so a host can only speak of what really hangs
    /// together. Returns the contents that the store lacks.
    func adopt(_ record: Record, of host: Hostname) throws(AdoptionError) -> [ObjectID] {
        let known = Dictionary(record.objects.map { ($0.id, $0) }) { first, _ in first }
        guard let commit = known[record.commit], commit.kind == .commit else { throw .inconsistent }
        do {
            for object in record.objects { _ = try write(object) }
            let root = try commitInfo(record.commit).tree
            guard known[root] != nil else { throw AdoptionError.inconsistent }
            // All trees of the host must have come; other hosts' trees are nobody's business. A host that was emptied is
            // not in the tree.
            let entries = try tree(root)
            guard let tree = entries.first(where: { $0.kind == .directory && $0.name == host.text }) else { return [] }
            var missing: Set<ObjectID> = []
            func look(_ id: ObjectID) throws(AdoptionError) {
                guard known[id] != nil else { throw .inconsistent }
                do {
                    for entry in try self.tree(id) {
                        switch entry.kind {
                        case .directory: try look(entry.id)
                        case .file: if !contains(entry.id) { missing.insert(entry.id) }
                        case .other: throw AdoptionError.inconsistent
                        }
                    }
                } catch let error as StoreError {
                    throw .store(error)
                } catch {
                    throw .inconsistent
                }
            }
            try look(tree.id)
            return Array(missing)
        } catch let error as StoreError {
            throw .store(error)
        } catch {
            throw .inconsistent
        }
    }
}

/// Why a host's record was not taken over.
enum AdoptionError: Error {
    case store(StoreError)
    /// Its objects do not hang together.
    case inconsistent
}
