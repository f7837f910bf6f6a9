import CSystem
import Model
import Wire

/// The host's file system. The agent makes all changes to it through this class.
package final class System {
    /// The prefix of every path: empty on a host, a temporary directory in tests.
    package let root: String
    let gate: (any OperationGate)?
    var pulse: (any Heartbeat)?
    /// Directories opened a moment ago.
    var recent: [(path: AbsolutePath?, at: Int64, directory: Directory)] = []

    package init(root: String = "", gate: (any OperationGate)? = nil) {
        self.root = root
        self.gate = gate
    }

    /// The path in the real file system; `/` for nil.
    func real(_ path: AbsolutePath?) -> String { root.isEmpty ? path?.text ?? "/" : root + (path?.text ?? "") }

    // MARK: Looking

    /// The status of `path` itself, not of a symlink's target; nil if there is nothing.
    @inline(never) func status(of path: AbsolutePath) throws(AgentError) -> csys_stat? {
        guard let directory = try reach(path.parent) else { return nil }
        var status = csys_stat()
        let result = directory.status(path.name, &status)
        if result == -Int32(csys_enoent) || result == -Int32(csys_enotdir) { return nil }
        try check(.look, path, result)
        return status
    }

    /// The target of a symlink; nil if there is no symlink at `path`.
    @inline(never) func target(of path: AbsolutePath) throws(AgentError) -> String? {
        guard let status = try status(of: path), status.kind == csys_kind_symlink else { return nil }
        guard let target = try holder(of: path, .read).target(path.name) else {
            throw AgentError(.read, path.text, code: Int32(csys_enoent))
        }
        return target
    }

    /// The object at `path`; nil if there is none.
    @inline(never) func occupant(of path: AbsolutePath) throws(AgentError) -> Occupant? {
        switch try status(of: path)?.kind {
        case nil: nil
        case csys_kind_regular: .file
        case csys_kind_directory: .directory
        case csys_kind_symlink: .symlink(to: try target(of: path) ?? "")
        default: .other
        }
    }

    /// The content of a regular file of at most `limit` bytes; nil if there is none.
    @inline(never) func contents(of path: AbsolutePath, limit: Int) throws(AgentError) -> [UInt8]? {
        guard try status(of: path) != nil else { return nil }
        let file = try open(path)
        var bytes: [UInt8] = []
        while true {
            let piece = try file.read(upTo: 64 << 10)
            if piece.isEmpty { return bytes }
            bytes += piece
            guard bytes.count <= limit else {
                throw AgentError(.read, path.text, code: 27)  // EFBIG
            }
        }
    }

    /// The names in a directory, unordered, without `.` and `..`; empty if there is no such directory. A name that is
    /// not UTF-8 has `\xff` for each byte that is not ASCII, and cannot be opened.
    @inline(never) func list(_ path: AbsolutePath) throws(AgentError) -> [String] {
        guard let directory = try reach(path) else { return [] }
        let descriptor = csys_reopen_directory(directory.descriptor)
        try check(.read, path, descriptor)
        var stream: OpaquePointer?
        try unsafe check(.read, path, csys_opendir_fd(descriptor, &stream))
        defer { unsafe csys_closedir(stream) }
        var names: [String] = []
        while true {
            var name: UnsafePointer<CChar>?
            var kind = csys_kind_other
            let result = unsafe csys_readdir(stream, &name, &kind)
            try check(.read, path, result)
            guard result > 0, let name = unsafe name else { return names }
            unsafe names.append(String(validatingCString: name) ?? escaped(name))
        }
    }

    private func escaped(_ name: UnsafePointer<CChar>) -> String {
        var (bytes, next): ([UInt8], _) = unsafe ([], name)
        while unsafe next.pointee != 0 {
            let byte = unsafe UInt8(bitPattern: next.pointee)
            if byte < 0x80 { bytes.append(byte) } else { bytes += ("\\x" + hex([byte])).bytes }
            unsafe next += 1
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @inline(never) func open(_ path: AbsolutePath) throws(AgentError) -> File {
        let directory = try holder(of: path, .read)
        let descriptor = directory.openToRead(path.name)
        try check(.read, path, descriptor)
        return File(descriptor: descriptor, path: path, gate: gate)
    }

    // MARK: Changing

    /// Creates a file that only this process uses; fails if anything exists at `path`.
    @inline(never) func create(_ path: AbsolutePath, mode: UInt32) throws(AgentError) -> File {
        try pass(.create, path)
        let directory = try holder(of: path, .create)
        let descriptor = unsafe csys_create_new_at(directory.descriptor, path.name, mode)
        try check(.create, path, descriptor)
        return File(descriptor: descriptor, path: path, gate: gate)
    }

    /// Opens a file to append to, and creates it if it is missing. Used for the lock and the log.
    func openAppending(_ path: AbsolutePath, mode: UInt32) throws(AgentError) -> File {
        try pass(.create, path)
        let directory = try holder(of: path, .create)
        let descriptor = unsafe csys_open_append_at(directory.descriptor, path.name, mode)
        try check(.create, path, descriptor)
        return File(descriptor: descriptor, path: path, gate: gate)
    }

    /// Replaces the content at `path` atomically: it holds the old content or all of `bytes`. The last action is a
    /// rename; after a power loss, the new content is certain only if the directory was synced.
    @inline(never) func replace(_ path: AbsolutePath, with bytes: [UInt8], mode: UInt32) throws(AgentError) {
        let temporary = path.withSuffix(".new")
        try removeIfThere(temporary)
        let file = try create(temporary, mode: mode)
        try file.write(bytes)
        try file.sync()
        try rename(temporary, to: path)
    }

    @inline(never) func rename(_ from: AbsolutePath, to path: AbsolutePath) throws(AgentError) {
        try pass(.rename, path)
        let (old, new) = (try holder(of: from, .rename), try holder(of: path, .rename))
        try unsafe check(.rename, path, csys_rename_at(old.descriptor, from.name, new.descriptor, path.name, csys_rename_over))
        forget()
    }

    @inline(never) func remove(_ path: AbsolutePath) throws(AgentError) {
        try pass(.remove, path)
        let directory = try holder(of: path, .remove)
        try check(.remove, path, directory.unlink(path.name))
        forget()
    }

    @inline(never) func removeIfThere(_ path: AbsolutePath) throws(AgentError) {
        if try status(of: path) != nil { try remove(path) }
    }

    /// In a directory that others can change, the new one belongs to that directory's owner, who gets no more rights in it than there.
    @inline(never) func makeDirectory(_ path: AbsolutePath, mode: UInt32) throws(AgentError) {
        try pass(.makeDirectory, path)
        let directory = try holder(of: path, .makeDirectory)
        guard !directory.isOurs else {
            return try unsafe check(.makeDirectory, path, csys_mkdir_at(directory.descriptor, path.name, mode))
        }
        var above = csys_stat()
        try unsafe check(.look, path, csys_fstat(directory.descriptor, &above))
        let result = unsafe csys_mkdir_as(directory.descriptor, path.name, mode & (above.mode | 0o700), above.uid, above.gid)
        try check(.makeDirectory, path, result)
    }

    /// Creates `path` and its missing parents, and returns the directories created, outermost first.
    @discardableResult
    @inline(never) func makeDirectories(_ path: AbsolutePath, mode: UInt32) throws(AgentError) -> [AbsolutePath] {
        let missing = try missingDirectories(path)
        for directory in missing { try makeDirectory(directory, mode: mode) }
        return missing
    }

    /// The directories that `makeDirectories` would create.
    @inline(never) func missingDirectories(_ path: AbsolutePath) throws(AgentError) -> [AbsolutePath] {
        var missing: [AbsolutePath] = []
        var directory: AbsolutePath? = path
        while let here = directory, try status(of: here) == nil {
            missing = [here] + missing
            directory = here.parent
        }
        return missing
    }

    /// Removes an empty directory; false if it is not empty.
    @discardableResult
    @inline(never) func removeDirectory(_ path: AbsolutePath) throws(AgentError) -> Bool {
        try pass(.removeDirectory, path)
        let directory = try holder(of: path, .removeDirectory)
        let result = unsafe csys_rmdir_at(directory.descriptor, path.name)
        forget()
        if result == -csys_enotempty() || result == -Int32(csys_eexist) { return false }
        try check(.removeDirectory, path, result)
        return true
    }

    /// Removes the object at `path` with everything below it.
    @inline(never) func removeTree(_ path: AbsolutePath) throws(AgentError) {
        guard let status = try status(of: path) else { return }
        guard status.kind == csys_kind_directory else { return try remove(path) }
        for name in try list(path) {
            if let entry = try? RelativePath(name) { try removeTree(path.appending(entry)) }
        }
        // The remaining names are invalid in Deptool's paths.
        if try !removeDirectory(path) {
            let directory = try holder(of: path, .remove)
            try unsafe check(.remove, path, csys_remove_tree_at(directory.descriptor, path.name))
        }
    }

    /// Makes the entries of the parent directory of `path` durable.
    @inline(never) func syncParent(of path: AbsolutePath) throws(AgentError) {
        if let parent = path.parent { try sync(parent) }
    }

    /// Makes the entries of a directory durable.
    @inline(never) func sync(_ directory: AbsolutePath) throws(AgentError) {
        let file = try openDirectory(directory)
        try file.sync()
    }

    /// Whether there is a directory at `path`, possibly behind a symlink.
    @inline(never) func isDirectory(_ path: AbsolutePath) throws(AgentError) -> Bool { try reach(path) != nil }

    /// Makes everything durable that was written to the file system of the directory `path`.
    @inline(never) func syncFileSystem(of path: AbsolutePath) throws(AgentError) {
        let directory = try openDirectory(path)
        try pass(.syncFileSystem, path)
        try check(.syncFileSystem, path, csys_syncfs(directory.descriptor))
    }

    @inline(never) private func openDirectory(_ path: AbsolutePath) throws(AgentError) -> File {
        guard let directory = try reach(path) else { throw AgentError(.read, path.text, code: Int32(csys_enoent)) }
        let descriptor = csys_reopen_directory(directory.descriptor)
        try check(.read, path, descriptor)
        return File(descriptor: descriptor, path: path, gate: gate)
    }

    @inline(never) func pass(_ operation: Operation, _ path: AbsolutePath) throws(AgentError) {
        let code = obstacle(operation, path.text)
        if code != 0 { throw AgentError(operation, path.text, code: code) }
    }

    /// The errno with which the gate makes an operation on a path or program fail; zero to proceed.
    @inline(never) func obstacle(_ operation: Operation, _ name: String) -> Int32 { gate?.pass(operation, name) ?? 0 }

    @inline(never) func check(_ operation: Operation, _ path: AbsolutePath, _ result: Int32) throws(AgentError) {
        try check(operation, path, Int64(result))
    }

    @inline(never) func check(_ operation: Operation, _ path: AbsolutePath, _ result: Int64) throws(AgentError) {
        if result < 0 { throw AgentError(operation, path.text, code: Int32(-result)) }
    }
}
