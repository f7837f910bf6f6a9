import Model

/// Files that stay on a host where links and copies go.
///
/// Deptool places them through a temporary app. When that app is removed, they stay, and Deptool forgets them.
package struct LeftFiles {
    package struct File: Hashable, Sendable {
        package var path: AbsolutePath
        package var content: FileEntry
        package var access: FileAccess
    }

    /// The name of the app.
    package static let app = AppName.madeUp

    /// Ordered by path.
    package var files: [File] = []

    /// Compares the deployed tree with the new one.
    package init(old: [AppTree], new: [AppTree]) {
        let taken = new.flatMap { $0.links.map(\.path) + $0.placed.map(\.path) }
        func isFree(_ path: AbsolutePath) -> Bool {
            !taken.contains { $0 == path || $0.isInside(path) || path.isInside($0) }
        }
        for app in old where !app.isOfLeftFiles {
            for link in app.manifest.symlinks where isFree(link.path) {
                for file in app.files where file.path.secretName == nil {
                    let access = FileAccess(file, app.manifest.readers)
                    if file.path == link.source {
                        files.append(File(path: link.path, content: file, access: access))
                    } else if let inner = file.path.below(link.source.text) {
                        files.append(File(path: link.path.appending(inner), content: file, access: access))
                    }
                }
            }
            for copy in app.manifest.copies where isFree(copy.path) {
                if let file = app.file(copy.source) { files.append(File(path: copy.path, content: file, access: copy.access)) }
            }
        }
        files.sort { $0.path < $1.path }
    }
}

extension AppTree {
    package var isOfLeftFiles: Bool { name.text == LeftFiles.app }
}

extension FileAccess {
    /// The access that a link to the file gives.
    fileprivate init(_ file: FileEntry, _ readers: Manifest.Readers) {
        let mode: UInt32 = file.isExecutable ? 0o755 : 0o644
        switch readers {
        case .everybody: self.init(mode: mode)
        case .root: self.init(mode: mode & 0o700)
        case .group(let group): self.init(mode: mode & 0o750, group: group)
        }
    }
}
