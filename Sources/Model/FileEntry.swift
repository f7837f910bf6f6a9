/// A file of an app, as a tree of the store names it.
public struct FileEntry: Hashable, Sendable {
    /// Relative to the app's directory.
    public var path: RelativePath
    public var isExecutable: Bool
    /// The blob with its content.
    public var id: ObjectID

    public init(path: RelativePath, isExecutable: Bool, id: ObjectID) {
        self.path = path
        self.isExecutable = isExecutable
        self.id = id
    }

    /// Permission bits of the file in a checkout: read-only, since every change comes as a new version.
    public var mode: UInt32 { isExecutable ? 0o555 : 0o444 }
}

/// A symlink on a host, through an app's `current`, so that it need not change when the app does.
public struct Link: Hashable, Sendable {
    public var path: AbsolutePath
    public var app: AppName
    /// What it points to, in the app's directory.
    public var source: RelativePath

    public init(path: AbsolutePath, app: AppName, source: RelativePath) {
        self.path = path
        self.app = app
        self.source = source
    }

    /// What readlink(2) gives.
    public var target: AbsolutePath { app.current.appending(source) }
}
