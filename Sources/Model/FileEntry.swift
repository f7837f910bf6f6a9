/// A file of an app, as a tree of the store names it.
package struct FileEntry: Hashable, Sendable {
    /// Relative to the app's directory.
    package var path: RelativePath
    package var isExecutable: Bool
    /// The blob with its content.
    package var id: ObjectID

    package init(path: RelativePath, isExecutable: Bool, id: ObjectID) {
        self.path = path
        self.isExecutable = isExecutable
        self.id = id
    }

    /// Permission bits of the file in a checkout: read-only, since every change comes as a new version.
    package var mode: UInt32 { isExecutable ? 0o555 : 0o444 }
}

/// A symlink on a host, through an app's `current`, so that it need not change when the app does.
package struct Link: Hashable, Sendable {
    package var path: AbsolutePath
    package var app: AppName
    /// What it points to, in the app's directory.
    package var source: RelativePath

    package init(path: AbsolutePath, app: AppName, source: RelativePath) {
        self.path = path
        self.app = app
        self.source = source
    }

    /// What readlink(2) gives.
    package var target: AbsolutePath { app.current.appending(source) }
}
