/// A file of an app, as it appears in a tree of the store.
package struct FileEntry: Hashable, Sendable {
    /// Relative to the app's directory.
    package var path: RelativePath
    package var isExecutable: Bool
    /// The blob that holds its content.
    package var id: ObjectID

    package init(path: RelativePath, isExecutable: Bool, id: ObjectID) {
        self.path = path
        self.isExecutable = isExecutable
        self.id = id
    }

    /// Permission bits of the file in a checkout. Files are read-only because every change arrives as a new version.
    package var mode: UInt32 { isExecutable ? 0o555 : 0o444 }
}

/// A symlink on a host. It points through the app's `current`, so it stays the same when the app changes.
package struct Link: Hashable, Sendable {
    package var path: AbsolutePath
    package var app: AppName
    /// Its target, relative to the app's directory.
    package var source: RelativePath

    package init(path: AbsolutePath, app: AppName, source: RelativePath) {
        self.path = path
        self.app = app
        self.source = source
    }

    /// The target as readlink(2) returns it.
    package var target: AbsolutePath { app.current.appending(source) }
}
