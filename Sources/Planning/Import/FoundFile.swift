import Model

/// A file of a host that can become a file of an app.
package struct FoundFile: Hashable, Sendable {
    package enum Origin: Hashable, Sendable {
        /// A configuration file of this package, with other content than the package's.
        case changed(package: String)
        case unchanged(package: String)
        /// No package has it.
        case own
    }

    package var path: AbsolutePath
    /// The target of a symlink; nil for a file.
    package var target: AbsolutePath?
    /// Of the file itself, or of the symlink's target.
    package var status: HostSurvey.Status
    package var origin: Origin

    package init(path: AbsolutePath, target: AbsolutePath? = nil, status: HostSurvey.Status, origin: Origin) {
        (self.path, self.target, self.status, self.origin) = (path, target, status, origin)
    }

    package var isExecutable: Bool { status.mode & 0o111 != 0 }

    /// Its directory with a meaning, if it is in one. If a manifest can list files of the host's directory, files that are not
    /// read or have another mode do not belong to it.
    var directory: PlacedDirectory? {
        PlacedDirectory.all.first { directory in
            guard let rest = path.below(directory.target) else { return false }
            return directory.isExclusive || target == nil && directory.reads(rest) && status.isLike(directory.mode)
        }
    }

    /// Its path in the app: that in the directory with a meaning, or its whole path, so that no two can be the same.
    package var source: RelativePath {
        guard let directory, let rest = path.below(directory.target),
            let inside = try? RelativePath("\(directory.name)/\(rest.text)")
        else { return unchecked(path) }
        return inside
    }
}

/// The path without its first slash.
private func unchecked(_ path: AbsolutePath) -> RelativePath {
    guard let inside = try? RelativePath(String(decoding: path.text.utf8.dropFirst(), as: UTF8.self)) else {
        preconditionFailure("an absolute path is a slash and a relative path")
    }
    return inside
}

/// A file of a host that does not become part of an app, and why.
package struct LeftOut: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        /// Not everybody may read it, so it may be a secret, of this name in the app.
        case secret(HostSurvey.Status, name: String)
        case tooLarge(UInt64)
        case badName(PathError?)
        /// Git, or a Mac, cannot have such a name beside the others.
        case sameName(as: String)
        case gitName
        /// A socket, a device, a FIFO.
        case notAFile
        /// A symlink to a directory, to nothing, or to something else.
        case symlink
        case masked
        /// A symlink of Deptool's, from an app that the config tree lacks.
        case deployed
        /// The operator named it, and the config tree has it already.
        case known
        case mountPoint
        case accessControlList
        /// Mode or owner of a file in a directory with a meaning, which Deptool places with 0644 for root.
        case placedOtherwise(HostSurvey.Status, PlacedDirectory)
        /// The owner or the group has no name that a manifest can have.
        case namelessOwner
        /// It cannot be read, or changed meanwhile.
        case unreadable, changedMeanwhile
        /// The import as a whole would be too large.
        case tooMuch
        /// A mistake that it would be in the config tree.
        case mistake(String)
        /// The config tree has an app of this name.
        case appExists(AppName)
    }

    /// As the host has it, unchecked.
    package var path: String
    package var reason: Reason

    package init(_ path: String, _ reason: Reason) { (self.path, self.reason) = (path, reason) }
}

/// The limits on the size of an import.
package enum ImportLimits {
    package static let file: UInt64 = 4 << 20
    package static let all = 64 << 20
}
