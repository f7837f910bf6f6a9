import Model
import Platform

extension Store {
    /// The tree of a host's directory in a commit; nil if the commit has none.
    ///
    /// For the host's deployed commit, `remember` has cached it: a root tree has an entry for every host, and reading
    /// one root tree per host would make planning quadratic.
    package func tree(of host: Hostname, in commit: ObjectID) throws(StoreError) -> ObjectID? {
        if let tree = remembered(host, commit) { return tree }
        let root = try commitInfo(commit).tree
        let found = try tree(root).first { $0.kind == .directory && $0.name == host.text }?.id
        if let found { remember(found, of: host, in: commit) }
        return found
    }

    /// Caches a property of an immutable commit. If that fails, the next plan is slower but still correct.
    package func remember(_ tree: ObjectID, of host: Hostname, in commit: ObjectID) {
        guard Self.canHold(host) else { return }
        do throws(StoreError) {
            try ensureDirectory(treesPath)
            let file = try OutputFile(in: treesPath, mode: 0o600)
            try file.write(Array("\(commit.hex) \(tree.hex)\n".utf8))
            try file.finish(as: "\(treesPath)/\(host.text)", .later)
        } catch {
            return
        }
    }

    private func remembered(_ host: Hostname, _ commit: ObjectID) -> ObjectID? {
        // Two IDs of 40 digits, a space and a newline; one byte more detects a longer file.
        guard let bytes = try? FileDescriptor(reading: "\(treesPath)/\(host.text)").read(upTo: 83), bytes.count == 82,
            bytes[40] == 0x20, bytes[81] == 0x0a, ObjectID(hex: bytes[..<40]) == commit
        else { return nil }
        return ObjectID(hex: bytes[41..<81]).flatMap { has($0) ? $0 : nil }
    }

    private var treesPath: String { "\(path)/deptool-trees" }
}
