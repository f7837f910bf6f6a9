import Model

/// A file that differs between two trees.
package struct ChangedFile: Hashable, Sendable {
    /// One side of a change.
    package struct Version: Hashable, Sendable {
        package var id: ObjectID
        package var isExecutable: Bool

        package init(id: ObjectID, isExecutable: Bool) {
            self.id = id
            self.isExecutable = isExecutable
        }
    }

    /// Relative to the compared trees, which begin with hosts and apps.
    package var path: String
    /// Nil if the file is new.
    package var old: Version?
    /// Nil if the file is removed. Otherwise the content, the mode or both differ.
    package var new: Version?

    /// Whether it is a secret: its content is of no use to anybody who reads a diff.
    package var isSealed: Bool {
        let parts = path.split(separator: "/", maxSplits: 2)
        return parts.count == 3 && (try? RelativePath(String(parts[2]))).flatMap(SecretsDirectory.secret) != nil
    }

    package init(path: String, old: Version?, new: Version?) {
        self.path = path
        self.old = old
        self.new = new
    }
}

extension Store {
    /// The files that differ between two trees, ordered by the bytes of their paths; nil is an empty tree. Does not
    /// read directories that are identical on both sides.
    package func compareTrees(old: ObjectID?, new: ObjectID?) throws(StoreError) -> [ChangedFile] {
        var result: [ChangedFile] = []
        try compare(old, new, at: "", depth: 0, into: &result)
        return result.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    /// Deeper than an import allows.
    private static let deepest = 80

    private func compare(
        _ old: ObjectID?, _ new: ObjectID?, at prefix: String, depth: Int, into result: inout [ChangedFile]
    ) throws(StoreError) {
        guard old != new, let some = new ?? old else { return }
        guard depth < Self.deepest else { throw .damagedObject(some) }
        var before: [String: TreeEntry] = [:]
        if let old { for entry in try tree(old) { before[entry.name] = entry } }
        let entries = if let new { try tree(new) } else { [TreeEntry]() }
        for entry in entries {
            let previous = before.removeValue(forKey: entry.name)
            if let previous, previous == entry { continue }
            try compare(previous, entry, at: prefix + entry.name, depth: depth, into: &result)
        }
        for (name, entry) in before { try compare(entry, nil, at: prefix + name, depth: depth, into: &result) }
    }

    private func compare(
        _ old: TreeEntry?, _ new: TreeEntry?, at path: String, depth: Int, into result: inout [ChangedFile]
    ) throws(StoreError) {
        if old?.version != nil || new?.version != nil {
            result.append(ChangedFile(path: path, old: old?.version, new: new?.version))
        }
        try compare(old?.directory, new?.directory, at: path + "/", depth: depth + 1, into: &result)
    }
}

extension TreeEntry {
    fileprivate var version: ChangedFile.Version? {
        if case .file(let isExecutable) = kind { .init(id: id, isExecutable: isExecutable) } else { nil }
    }

    fileprivate var directory: ObjectID? { kind == .directory ? id : nil }
}
