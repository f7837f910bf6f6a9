import Model

/// The present or intended state of one host: a host's directory of a config tree.
package struct HostTree: Hashable, Sendable {
    package var host: Hostname
    /// The Git tree of the host's directory.
    package var id: ObjectID
    package var options: HostOptions
    /// Ordered by name.
    package var apps: [AppTree]
    /// Why part of it is unknown; for people. Only deployed trees can have gaps.
    package var gap: String?

    package init(host: Hostname, id: ObjectID, options: HostOptions = HostOptions(), apps: [AppTree]) {
        self.host = host
        self.id = id
        self.options = options
        self.apps = apps
    }
}

/// An app's directory of a config tree.
package struct AppTree: Hashable, Sendable {
    package var name: AppName
    /// The Git tree of the directory.
    package var id: ObjectID
    package var manifest: Manifest
    /// False if the manifest cannot be read; `manifest` is empty then.
    package var isManifestKnown = true
    /// Ordered by path.
    package var files: [FileEntry]

    package init(name: AppName, id: ObjectID, manifest: Manifest, files: [FileEntry]) {
        self.name = name
        self.id = id
        self.manifest = manifest
        self.files = files
    }

    /// All links that belong to the app, ordered by path.
    package var links: [Link] { manifest.symlinks.map { Link(path: $0.path, app: name, source: $0.source) } }

    /// All files that the app places on the host, ordered by path: those of directories with a meaning, and the manifest's
    /// copies.
    package var placed: [PlacedFile] {
        let copies = manifest.copies.map { PlacedFile(path: $0.path, app: name, source: $0.source, access: $0.access) }
        let others = directoryFiles.map { file in
            PlacedFile(path: file.path, app: name, source: file.source, access: file.directory.access(for: manifest.readers))
        }
        return (copies + others).sorted { $0.path < $1.path }
    }

    /// The files of directories with a meaning that their programs read, in the order of the app's files.
    var directoryFiles: [(directory: PlacedDirectory, source: RelativePath, path: AbsolutePath)] {
        files.compactMap { file in
            guard let directory = PlacedDirectory.holding(file.path), let rest = file.path.below(directory.name),
                directory.placesAll || directory.reads(rest) && !isListed(file.path, in: directory)
            else { return nil }
            return (directory, file.path, directory.target.appending(rest))
        }
    }

    /// Whether the manifest itself lists a file of a directory with a meaning, a directory around it, or the path of the file on the
    /// host.
    func isListed(_ file: RelativePath, in directory: PlacedDirectory) -> Bool {
        if directory.placesAll { return false }
        let listed = manifest.symlinks.map { ($0.path, $0.source) } + manifest.copies.map { ($0.path, $0.source) }
        let path = file.below(directory.name).map(directory.target.appending)
        return listed.contains { $0 == path || $1 == file || file.below($1.text) != nil }
    }

    /// The rules of the manifest, then those of directories with a meaning, which apply to files that no rule of the manifest matches.
    var rules: [OnChange] { manifest.onChange + Set(directoryFiles.map(\.directory)).compactMap { OnChange($0) } }

    var sealedFiles: [FileEntry] { files.filter { $0.path.secretName != nil } }

    package func file(_ source: RelativePath) -> FileEntry? { firstFile(from: source.text).flatMap { $0.path == source ? $0 : nil } }

    func has(_ source: RelativePath) -> Bool {
        file(source) != nil || firstFile(from: source.text + "/")?.path.below(source.text) != nil
    }

    /// The first file whose path does not come before a text. An app may have thousands.
    private func firstFile(from text: String) -> FileEntry? {
        var (low, high) = (0, files.count)
        while low < high {
            let middle = (low + high) / 2
            if files[middle].path.text.utf8.lexicographicallyPrecedes(text.utf8) { low = middle + 1 } else { high = middle }
        }
        return low < files.count ? files[low] : nil
    }
}
