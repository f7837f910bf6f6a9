import CGit2
import Model
import Platform

extension Store {
    /// Moves the packs and loose objects that many deploys leave into few packs, so that a store does not get slower
    /// over time. Does nothing while there are few. Every object stays available at every moment.
    ///
    /// Another process that has the store open finds objects in the new pack when it looks for them again. A process
    /// that is about to read a file just then fails, and changes nothing.
    package func repack() throws(StoreError) {
        let objects = path + "/objects", packs = try smallPacks(in: objects + "/pack"), loose = try looseObjects(in: objects)
        guard packs.count > Self.maximumPacks || loose.count > Self.maximumLoose else { return }
        // Another process is repacking.
        guard let lock = try StoreLock(path + "/tidying", timeout: .zero) else { return }
        defer { lock.release() }
        var ids = Set(loose.map(\.id)), made: [String] = []
        for pack in packs { ids.formUnion(try objectIDs(inPack: pack)) }
        do throws(StoreError) {
            try pack(ids, objects, &made)
            try synchronize()
        } catch {
            made.forEach(removePack)
            throw error
        }
        packs.filter { !made.contains($0) }.forEach(removePack)
        for object in loose { try? unlink(object.path) }
        try check("find the new objects") { unsafe git_odb_refresh(database) }
    }

    /// Copies these objects into new packs, and adds their paths to `made`.
    private func pack(_ ids: Set<ObjectID>, _ objects: String, _ made: inout [String]) throws(StoreError) {
        var writer: PackWriter?
        for id in ids {
            let (kind, _) = try unsafe objectHeader(id, in: database)
            let pack = if let writer { writer } else { try PackWriter(objects: objects) }
            try pack.add(PackedObject(kind, id, try object(id, kind, limit: Self.maximumPack)))
            writer = pack.size < Self.maximumPack ? pack : nil
            if writer == nil { made.append(try pack.finish()) }
        }
        if let writer { made.append(try writer.finish()) }
    }

    /// Git finds a pack by its index, so that goes first.
    private func removePack(_ path: String) {
        for suffix in [".idx", ".pack"] { try? unlink(path + suffix) }
    }

    private static var maximumPacks: Int { 50 }
    private static var maximumLoose: Int { 5000 }
    /// In bytes. Larger packs are not worth rewriting.
    private static var maximumPack: Int { 64 << 20 }

    /// Small packs, without `.pack`. Skips packs with files other than an index beside them, which are marked as kept
    /// or are special to Git (gitrepository-layout(5)).
    private func smallPacks(in directory: String) throws(StoreError) -> [String] {
        let names = try namesOfEntries(in: directory).filter { $0.hasPrefix("pack-") }
        let packs = Dictionary(grouping: names) { String($0.prefix { $0 != "." }) }
        return packs.compactMap { name, files -> String? in
            guard Set(files) == [name + ".idx", name + ".pack"] else { return nil }
            let pack = "\(directory)/\(name)"
            guard let size = (try? status(of: pack + ".pack"))?.size, size < Self.maximumPack else { return nil }
            return pack
        }
    }

    /// Large files stay loose: only loose objects can be streamed.
    private func looseObjects(in objects: String) throws(StoreError) -> [(id: ObjectID, path: String)] {
        let directories = try namesOfEntries(in: objects).filter { $0.utf8.count == 2 }
        // IDs are evenly distributed, so one directory gives a good estimate.
        guard let first = directories.first, try namesOfEntries(in: "\(objects)/\(first)").count * 256 > Self.maximumLoose else {
            return []
        }
        var result: [(id: ObjectID, path: String)] = []
        for directory in directories {
            for name in try namesOfEntries(in: "\(objects)/\(directory)") {
                let path = "\(objects)/\(directory)/\(name)"
                guard let id = ObjectID(hex: directory + name), let size = (try? status(of: path))?.size, size < maximumInMemory else {
                    continue
                }
                result.append((id, path))
            }
        }
        return result
    }

    /// Reads the pack's index (gitformat-pack(5), version 2): 256 counts, the last of which is the total, then the
    /// IDs.
    private func objectIDs(inPack pack: String) throws(StoreError) -> [ObjectID] {
        let path = pack + ".idx", idsStart = 8 + 256 * 4
        let bytes = try readFile(path)
        guard bytes.count > idsStart, bytes.prefix(8) == [0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2] else {
            throw .file("read", path: path, .ioError)
        }
        let count = bytes[(idsStart - 4)..<idsStart].reduce(0) { $0 << 8 | Int($1) }
        guard (bytes.count - idsStart) / 20 >= count else { throw .file("read", path: path, .ioError) }
        return (0..<count).compactMap { ObjectID(Array(bytes[(idsStart + $0 * 20)..<(idsStart + $0 * 20 + 20)])) }
    }
}
