import CGit2
import Platform

/// The location of a store. Only this user and root can change anything there.
package struct StorePath: Hashable, Sendable {
    /// Absolute, without symlinks.
    package let path: String

    /// The files that Git reads first, and the directories that hold the rest (gitrepository-layout(5)).
    private static let needed = ["HEAD", "config", "objects", "refs"]
    private static let others = [
        "packed-refs", "objects/info", "objects/info/alternates", "objects/pack", "refs/heads", "refs/remotes", "logs", "history",
        "marks", "lock", "deptool-trees", "tree-cache",
    ]

    /// Checks the store without reading it.
    package init(_ path: String) throws(StoreError) {
        do throws(StoreError) {
            self.path = try resolved(path)
        } catch .file(_, _, .noSuchFileOrDirectory) {
            throw .absent(path: path)
        }
        try Exposure.checkWay(to: self.path)
        try Exposure.check(self.path)
        let directory = try attempt("look at", self.path, try status(of: self.path))
        guard directory.kind == .directory else { throw .notAStore(path: self.path) }
        for name in Self.needed + Self.others {
            do throws(StoreError) {
                // Other users cannot enter a directory that is closed to them.
                try Exposure.check("\(self.path)/\(name)", ignoresMode: directory.mode & 0o077 == 0)
            } catch .file(_, _, let error) where error == .noSuchFileOrDirectory || error == .notDirectory {
                guard Self.others.contains(name) else { throw .notAStore(path: self.path) }
            }
        }
    }

    /// Checks that Deptool can write to a repository of this format (gitformat-extensions: `git help repository-version`)
    /// without damaging it.
    func checkFormat() throws(StoreError) {
        let configuration = try unsafe Handle("read the configuration", git_config_free) { unsafe git_config_new(&$0) }
        try check("read \(path)/config") {
            unsafe git_config_add_file_ondisk(configuration.pointer, path + "/config", GIT_CONFIG_LEVEL_LOCAL, nil, 1)
        }
        let iterator = try unsafe Handle("read \(path)/config", git_config_iterator_free) {
            unsafe git_config_iterator_new(&$0, configuration.pointer)
        }
        var isBare = false
        var entry: UnsafeMutablePointer<git_config_entry>?
        while unsafe git_config_next(&entry, iterator.pointer) == 0, let entry = unsafe entry {
            let (name, value) = (unsafe string(entry.pointee.name), unsafe string(entry.pointee.value))
            switch (name, value) {
            case ("core.bare", _): isBare = value != "false"
            case ("core.repositoryformatversion", "0"), ("core.repositoryformatversion", "1"): break
            case ("extensions.noop", _), ("extensions.objectformat", "sha1"), ("extensions.refstorage", "files"): break
            case ("core.repositoryformatversion", _): throw .unusableFormat(path: path, "\(name) = \(value)")
            default:
                if name.hasPrefix("extensions.") { throw .unusableFormat(path: path, "\(name) = \(value)") }
            }
        }
        guard isBare else { throw .notAStore(path: path) }
    }
}
