/// What a host says is deployed on it.
///
/// The objects are Git's own bytes, so that an operator whose store never saw the commit can make it whole from the
/// host and verify all of it by its ids.
public struct Record: Hashable, Sendable {
    /// The commit that was deployed.
    public var commit: ObjectID
    /// Who deployed, as the commit says, and when, in seconds since the epoch.
    public var author: String
    public var time: Int64
    /// The commit itself, the cluster's root tree, the trees of this host, none of another, and its manifests and `host.json`.
    public var objects: [RecordedObject]
    public var apps: [DeployedApp]
    /// Every symlink outside Deptool's directory that belongs to the deployed apps.
    public var links: [Link]
    /// Every regular file outside Deptool's directory that belongs to the deployed apps.
    public var placed: [PlacedFile]
    /// The units that are enabled, with the app that enables them.
    public var units: [DeployedUnit]

    public init(
        commit: ObjectID, author: String, time: Int64, objects: [RecordedObject], apps: [DeployedApp], links: [Link],
        placed: [PlacedFile] = [], units: [DeployedUnit]
    ) {
        self.commit = commit
        self.author = author
        self.time = time
        self.objects = objects
        self.apps = apps
        self.links = links
        self.placed = placed
        self.units = units
    }
}

/// A commit, tree or small file, in Git's raw form without the header.
public struct RecordedObject: Hashable, Sendable {
    public var kind: ObjectKind
    public var bytes: [UInt8]

    public init(kind: ObjectKind, bytes: [UInt8]) {
        self.kind = kind
        self.bytes = bytes
    }

    public var id: ObjectID { .of(kind, bytes) }
}

/// An app on a host, and its files.
public struct DeployedApp: Hashable, Sendable {
    public var name: AppName
    /// Ordered by path.
    public var files: [FileEntry]

    public init(name: AppName, files: [FileEntry]) {
        self.name = name
        self.files = files
    }
}

extension Record {
    /// The content of the file of an app; nil where there is no such file.
    public func content(of source: RelativePath, in app: AppName) -> ObjectID? {
        apps.first { $0.name == app }?.files.first { $0.path == source }?.id
    }
}

public struct DeployedUnit: Hashable, Sendable {
    public var app: AppName
    public var name: UnitName

    public init(app: AppName, name: UnitName) {
        self.app = app
        self.name = name
    }
}
