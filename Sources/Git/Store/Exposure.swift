import CSystem
import Platform

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
        let status = try attempt("look at", path, try status(of: path))
        if let exposure = Exposure(of: path, status, isOnTheWay: isOnTheWay, ignoresMode: ignoresMode) {
            throw .exposed(path: path, exposure)
        }
    }

    init?(of path: String, _ status: FileStatus, isOnTheWay: Bool, ignoresMode: Bool) {
        if status.kind == .symlink {
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
    static func isTrusted(_ uid: UInt32) -> Bool { uid == 0 || uid == userID }

    /// Whether the mode lets others write. A private group, which many systems create for every user, counts as the
    /// user.
    private static func isWritable(_ path: String, _ status: FileStatus) -> Bool {
        if status.mode & 0o002 != 0 { return true }
        guard status.mode & 0o020 != 0 else { return false }
        // With an access control list, the group bits are the upper limit for all its entries.
        let hasList = unsafe csys_getxattr(path, "system.posix_acl_access", nil, 0) > 0
        return hasList || !csys_is_private_group(status.gid)
    }
}

/// A user's name, or the UID if there is none.
func shownUser(_ uid: UInt32) -> String { userName(uid) ?? "with the number \(uid)" }
