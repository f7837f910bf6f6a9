/// A regular file on a host with the content of a file of an app. It is used where a symlink into `/var` does not work:
/// where the file is read before `/var` is mounted, or by a program that checks its mode and owner.
package struct PlacedFile: Hashable, Sendable {
    package var path: AbsolutePath
    package var app: AppName
    /// The file that holds its content, relative to the app's directory.
    package var source: RelativePath
    package var access: FileAccess

    package init(path: AbsolutePath, app: AppName, source: RelativePath, access: FileAccess = .ordinary) {
        self.path = path
        self.app = app
        self.source = source
        self.access = access
    }
}

/// Mode, owner and group of a file.
package struct FileAccess: Hashable, Sendable {
    /// Permission bits including set-user-id, set-group-id and sticky; at most 0o7777.
    package var mode: UInt32
    /// Nil for root.
    package var owner: UserName?
    /// Nil for root's group.
    package var group: GroupName?

    package init(mode: UInt32, owner: UserName? = nil, group: GroupName? = nil) {
        self.mode = mode
        self.owner = owner
        self.group = group
    }

    /// The mode of unit files and most of `/etc`.
    package static var ordinary: FileAccess { FileAccess(mode: 0o644) }
}
