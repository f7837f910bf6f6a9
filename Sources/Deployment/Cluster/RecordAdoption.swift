import Git
import Model

extension Store {
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
