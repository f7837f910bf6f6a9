import CSystem

/// The status of a file (stat(2)).
package typealias FileStatus = csys_stat
package typealias FileKind = csys_kind

extension FileKind {
    package static var regular: FileKind { csys_kind_regular }
    package static var directory: FileKind { csys_kind_directory }
    package static var symlink: FileKind { csys_kind_symlink }
}

extension FileDescriptor {
    /// Waits until everything that was written to the file system of this file is on disk (syncfs(2)).
    package func synchronizeFileSystem() throws(Errno) { try check(csys_syncfs(number)) }
}

/// lstat(2): of a symlink itself.
package func status(of path: String) throws(Errno) -> FileStatus {
    var status = FileStatus()
    try check(unsafe csys_lstat(path, &status))
    return status
}

/// Whether anything exists at the path, including a dangling symlink.
package func exists(_ path: String) -> Bool { (try? status(of: path)) != nil }

/// Creates a directory with exactly this mode, or with the one that the umask leaves (mkdir(2)).
package func makeDirectory(_ path: String, mode: UInt32? = nil) throws(Errno) {
    try check(unsafe mode.map { unsafe csys_mkdir(path, $0) } ?? csys_make_directory_plain(path))
}

/// Creates the directory unless there is anything at the path.
package func ensureDirectory(_ path: String, mode: UInt32? = nil) throws(Errno) {
    do throws(Errno) { try makeDirectory(path, mode: mode) } catch { if error != .fileExists { throw error } }
}

/// Whether there is a directory at the path, directly or through a symlink.
package func isDirectory(_ path: String) -> Bool { (try? FileDescriptor(directory: path)) != nil }

/// rename(2), replacing an existing file.
package func rename(_ path: String, to new: String) throws(Errno) { try check(unsafe csys_rename(path, new)) }

/// rename(2), but EEXIST if there is anything at the new path. Where the file system cannot do that in one step, it looks first:
/// then a directory still replaces only an empty one.
package func renameExclusively(_ path: String, to new: String) throws(Errno) {
    let root = try FileDescriptor(directory: "/")
    let result = unsafe csys_rename_at(root.number, path, root.number, new, csys_rename_exclusive)
    if result == 0 { return }
    guard result != -Int32(csys_eexist), !exists(new) else { throw .fileExists }
    try rename(path, to: new)
}

/// unlink(2).
package func unlink(_ path: String) throws(Errno) { try check(unsafe csys_unlink(path)) }

/// rmdir(2).
package func removeDirectory(_ path: String) throws(Errno) { try check(unsafe csys_rmdir(path)) }

/// Removes the object at the path, with everything below it.
package func removeTree(_ path: String) throws(Errno) { try check(unsafe csys_remove_tree(path)) }

extension FileDescriptor {
    /// Opens a path below this directory, through no symlink: ELOOP or ENOTDIR. Never waits. The empty path is the directory itself.
    package func open(beneath path: String, isDirectory: Bool) throws(Errno) -> FileDescriptor {
        try FileDescriptor(opened: unsafe csys_open_beneath(number, path, isDirectory))
    }

    /// Resolves a path below this directory, through symlinks that stay below it, and returns the real path without symlinks.
    /// Examines nothing elsewhere: EXDEV for a symlink that is absolute or leads above.
    package func follow(_ path: String) throws(Errno) -> (real: [UInt8], status: FileStatus) {
        var status = FileStatus()
        var real = [CChar](repeating: 0, count: 4096)
        try check(unsafe csys_follow(number, path, &real, real.count, &status))
        return (real.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), status)
    }
}

package struct DirectoryEntry: Hashable, Sendable {
    package var name: String
    /// Neither of the named kinds if the file system does not report it.
    package var kind: FileKind
}

/// The entries of a directory but `.` and `..`, in no order (readdir(3)).
package func entries(of directory: String) throws(Errno) -> [DirectoryEntry] {
    var opened: OpaquePointer?
    try check(unsafe csys_opendir(directory, &opened))
    guard let opened = unsafe opened else { return [] }
    defer { unsafe csys_closedir(opened) }
    var entries: [DirectoryEntry] = []
    var name: UnsafePointer<CChar>?
    var kind = csys_kind_other
    while try check(unsafe csys_readdir(opened, &name, &kind)) == 1, let name = unsafe name {
        entries.append(DirectoryEntry(name: unsafe String(cString: name), kind: kind))
    }
    return entries
}

/// The text that a C function writes into a buffer of this size; it returns the length, or a negated errno.
package func text(upTo size: Int, _ fill: (UnsafeMutablePointer<CChar>?, Int) -> Int64) throws(Errno) -> String {
    var length: Int64 = 0
    let text = unsafe String(unsafeUninitializedCapacity: size) { buffer in
        length = unsafe buffer.withMemoryRebound(to: CChar.self) { unsafe fill($0.baseAddress, size) }
        return Int(max(length, 0))
    }
    try check(length)
    return text
}

/// The absolute path without symlinks (realpath(3)).
package func realPath(_ path: String) throws(Errno) -> String {
    try unsafe text(upTo: 4096) { unsafe csys_realpath(path, $0, $1) }
}
