import CSystem

/// Why other users could change a path.
package enum Exposure: Hashable, Sendable {
    case owner(uid: UInt32)
    case writable
    case symlink
}

extension Exposure {
    /// Checks that only this user and root can replace `path`, which must be absolute and without symlinks: no
    /// directory above it belongs to another user or is writable by one. OpenSSH checks its files the same way
    /// (StrictModes in sshd_config(5)).
    ///
    /// In a directory with the sticky bit, such as `/tmp`, only the owner of an entry can replace it.
    static func checkWay(to path: String) throws(StoreError) {
        var way = ""
        for part in path.split(separator: "/") {
            try check(way.isEmpty ? "/" : way, isOnTheWay: true)
            way += "/" + part
        }
    }

    /// Checks that only this user and root can change `path` itself.
    static func check(_ path: String, isOnTheWay: Bool = false, ignoresMode: Bool = false) throws(StoreError) {
        var status = csys_stat()
        let result = unsafe csys_lstat(path, &status)
        guard result == 0 else { throw .file("look at", path: path, errno: -result) }
        if let exposure = Exposure(of: path, status, isOnTheWay: isOnTheWay, ignoresMode: ignoresMode) {
            throw .exposed(path: path, exposure)
        }
    }

    init?(of path: String, _ status: csys_stat, isOnTheWay: Bool, ignoresMode: Bool) {
        if status.kind == csys_kind_symlink {
            self = .symlink
        } else if !Self.isTrusted(status.uid) {
            self = .owner(uid: status.uid)
        } else if !ignoresMode, !(isOnTheWay && status.mode & 0o1000 != 0), Self.isWritable(path, status) {
            self = .writable
        } else {
            return nil
        }
    }

    /// Whether this user's files may depend on the user `uid`.
    static func isTrusted(_ uid: UInt32) -> Bool { uid == 0 || uid == UInt32(csys_getuid()) }

    /// Whether the mode lets others write. A private group, which many systems create for every user, counts as the
    /// user.
    private static func isWritable(_ path: String, _ status: csys_stat) -> Bool {
        if status.mode & 0o002 != 0 { return true }
        guard status.mode & 0o020 != 0 else { return false }
        // With an access control list, the group bits are the upper limit for all its entries.
        let hasList = unsafe csys_getxattr(path, "system.posix_acl_access", nil, 0) > 0
        return hasList || !csys_is_private_group(status.gid)
    }
}

/// A user's name, or the UID if there is none.
func userName(_ uid: UInt32) -> String {
    var length: Int64 = 0
    let text = unsafe String(unsafeUninitializedCapacity: 256) { buffer in
        length = unsafe buffer.withMemoryRebound(to: CChar.self) { buffer in
            unsafe csys_user_name(uid, buffer.baseAddress, buffer.count)
        }
        return Int(max(0, length))
    }
    return length > 0 ? text : "with the number \(uid)"
}
