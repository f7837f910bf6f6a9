/// A host's record of its deploy.
///
/// It holds the raw bytes of the Git objects. An operator whose store lacks the commit can complete the store from the
/// host and verify every object by its id.
package struct Record: Hashable, Sendable {
    /// The deployed commit.
    package var commit: ObjectID
    /// The commit's author, and its time in seconds since the epoch.
    package var author: String
    package var time: Int64
    /// The commit itself, the cluster's root tree, the trees of this host but of no other, and its manifests and `host.json`.
    package var objects: [RecordedObject]
    package var apps: [DeployedApp]
    /// Every symlink outside Deptool's directory that belongs to the deployed apps.
    package var links: [Link]
    /// Every regular file outside Deptool's directory that belongs to the deployed apps.
    package var placed: [PlacedFile]
    /// The enabled units, each with the app that enables it.
    package var units: [DeployedUnit]

    package init(
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

/// A commit, tree or small file in Git's raw form, without the header.
package struct RecordedObject: Hashable, Sendable {
    package var kind: ObjectKind
    package var bytes: [UInt8]

    package init(kind: ObjectKind, bytes: [UInt8]) {
        self.kind = kind
        self.bytes = bytes
    }

    package var id: ObjectID { .of(kind, bytes) }
}

/// An app on a host and its files.
package struct DeployedApp: Hashable, Sendable {
    package var name: AppName
    /// Ordered by path.
    package var files: [FileEntry]

    package init(name: AppName, files: [FileEntry]) {
        self.name = name
        self.files = files
    }
}

extension Record {
    /// The content of a file of an app; nil if there is no such file.
    package func content(of source: RelativePath, in app: AppName) -> ObjectID? {
        apps.first { $0.name == app }?.files.first { $0.path == source }?.id
    }
}

package struct DeployedUnit: Hashable, Sendable {
    package var app: AppName
    package var name: UnitName

    package init(app: AppName, name: UnitName) {
        self.app = app
        self.name = name
    }
}
