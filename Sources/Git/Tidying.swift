import CGit2
import CSystem
import Model

extension Store {
    /// Puts what many deploys have left, a pack or some loose objects each, into one pack, so that a store does not get slower with
    /// its age. Does nothing while there is little. What is in the store stays in it, at every moment.
    ///
    /// Another process that has the store open finds objects in the new pack when it looks for them again; one that was about to
    /// read a file that goes in this moment fails, and changes nothing.
    public func tidy() throws(StoreError) {
        let objects = path + "/objects", packs = try smallPacks(in: objects + "/pack"), loose = try looseObjects(in: objects)
        guard packs.count > Self.mostPacks || loose.count > Self.mostLoose else { return }
        var files: [String] = [], ids: Set<ObjectID> = []
        for pack in packs {
            // By its index a pack is found: that goes first.
            files += [pack + ".idx", pack + ".pack"]
            ids.formUnion(try objectIDs(inPack: pack))
        }
        for object in loose {
            files.append(object.path)
            ids.insert(object.id)
        }
        let writer = try PackWriter(objects: objects)
        for id in ids {
            let (kind, _) = try unsafe objectHeader(id, in: database)
            try unsafe withObject(id, kind, limit: .max) { bytes throws(StoreError) in try unsafe writer.add(kind, id, bytes) }
        }
        let made = try writer.finish()
        try synchronize()
        for file in files where !file.hasPrefix(made) { _ = unsafe csys_unlink(file) }
        try check("find the new objects") { unsafe git_odb_refresh(database) }
    }

    private static var mostPacks: Int { 50 }
    private static var mostLoose: Int { 5000 }
    /// Bytes. What is larger is not worth writing again.
    private static var largestPack: UInt64 { 64 << 20 }

    /// Packs that are small and nobody wants to keep as they are (git-index-pack(1), `--keep`), without `.pack`.
    private func smallPacks(in directory: String) throws(StoreError) -> [String] {
        let names = Set(try namesOfEntries(in: directory))
        return names.compactMap { name -> String? in
            guard name.hasPrefix("pack-"), name.hasSuffix(".pack") else { return nil }
            let pack = String(name.dropLast(5))
            guard names.contains(pack + ".idx"), !names.contains(pack + ".keep") else { return nil }
            var status = csys_stat()
            guard unsafe csys_lstat("\(directory)/\(name)", &status) == 0, status.size <= Self.largestPack else { return nil }
            return "\(directory)/\(pack)"
        }
    }

    /// What is streamed stays loose: only from there it can be.
    private func looseObjects(in objects: String) throws(StoreError) -> [(id: ObjectID, path: String)] {
        let directories = try namesOfEntries(in: objects).filter { $0.utf8.count == 2 }
        // Ids are evenly spread: one directory tells how many there are, nearly.
        guard let first = directories.first, try namesOfEntries(in: "\(objects)/\(first)").count * 256 > Self.mostLoose else { return [] }
        var result: [(id: ObjectID, path: String)] = []
        for directory in directories {
            for name in try namesOfEntries(in: "\(objects)/\(directory)") {
                let path = "\(objects)/\(directory)/\(name)"
                var status = csys_stat()
                guard let id = ObjectID(hex: directory + name), unsafe csys_lstat(path, &status) == 0,
                    status.size < largestInMemory
                else { continue }
                result.append((id, path))
            }
        }
        return result
    }

    /// From the pack's index (gitformat-pack(5), version 2): 256 counts, the last of all objects, then the ids.
    private func objectIDs(inPack pack: String) throws(StoreError) -> [ObjectID] {
        let path = pack + ".idx", idsStart = 8 + 256 * 4
        let bytes = try readFile(path)
        guard bytes.count > idsStart, bytes.prefix(8) == [0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2] else {
            throw .file("read", path: path, errno: Int32(csys_eio))
        }
        let count = bytes[(idsStart - 4)..<idsStart].reduce(0) { $0 << 8 | Int($1) }
        guard (bytes.count - idsStart) / 20 >= count else { throw .file("read", path: path, errno: Int32(csys_eio)) }
        return (0..<count).compactMap { ObjectID(Array(bytes[(idsStart + $0 * 20)..<(idsStart + $0 * 20 + 20)])) }
    }

    private func namesOfEntries(in directory: String) throws(StoreError) -> [String] {
        var opened: OpaquePointer?
        let result = unsafe csys_opendir(directory, &opened)
        guard result == 0, let opened = unsafe opened else { throw .file("open", path: directory, errno: -result) }
        defer { unsafe csys_closedir(opened) }
        var names: [String] = []
        var name: UnsafePointer<CChar>?
        var kind = csys_kind_other
        while true {
            let found = unsafe csys_readdir(opened, &name, &kind)
            guard found >= 0 else { throw .file("read", path: directory, errno: -found) }
            guard found == 1 else { return names }
            names.append(unsafe string(name))
        }
    }
}
