import CSystem
import Model

extension Store {
    /// The tree of a host's directory in a commit; nil when the commit does not have it.
    ///
    /// For the commit that the host runs, `remember` has kept it: a root tree has an entry for every host, and reading as
    /// many of them as there are hosts would make planning quadratic.
    package func tree(of host: Hostname, in commit: ObjectID) throws(StoreError) -> ObjectID? {
        if let tree = remembered(host, commit) { return tree }
        let root = try commitInfo(commit).tree
        let found = try tree(root).first { $0.kind == .directory && $0.name == host.text }?.id
        if let found { remember(found, of: host, in: commit) }
        return found
    }

    /// Keeps what no commit can ever say otherwise. If that fails, the next plan is slower, not wrong.
    package func remember(_ tree: ObjectID, of host: Hostname, in commit: ObjectID) {
        guard Self.canHold(host) else { return }
        let made = unsafe csys_mkdir(treesPath, 0o700)
        guard made == 0 || made == -Int32(csys_eexist) else { return }
        do throws(StoreError) {
            let file = try OutputFile(in: treesPath, mode: 0o600)
            try file.write(Array("\(commit.hex) \(tree.hex)\n".utf8))
            try file.finish(as: "\(treesPath)/\(host.text)", .later)
        } catch {
            return
        }
    }

    private func remembered(_ host: Hostname, _ commit: ObjectID) -> ObjectID? {
        let descriptor = unsafe csys_open_read("\(treesPath)/\(host.text)")
        guard descriptor >= 0 else { return nil }
        defer { csys_close(descriptor) }
        // Two ids of 40 digits, a space and a newline; one byte more tells whether there is more.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 83) { buffer, count in
            count = max(0, Int(unsafe csys_read(descriptor, buffer.baseAddress, 83)))
        }
        guard bytes.count == 82, bytes[40] == 0x20, bytes[81] == 0x0a,
            ObjectID(hex: String(decoding: bytes[..<40], as: UTF8.self)) == commit
        else { return nil }
        return ObjectID(hex: String(decoding: bytes[41..<81], as: UTF8.self)).flatMap { has($0) ? $0 : nil }
    }

    private var treesPath: String { "\(path)/deptool-trees" }
}
