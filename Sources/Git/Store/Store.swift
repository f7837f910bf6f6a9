import CGit2
import CSystem
import Model

/// The store: a bare Git repository that holds every deployed config tree and each host's deployed commit.
///
/// Used by one thread at a time. Threads that only read blobs open a `BlobReader` each.
@safe package final class Store {
    /// The directory name that `find` searches for.
    package static let directoryName = ".deptool"

    package let place: StorePath
    let repository: OpaquePointer
    let database: OpaquePointer
    /// Whether this handle has locked the store.
    var isLocked = false
    /// Tree entries read so far, for tests of complexity.
    var treeEntriesRead = 0

    /// Absolute, without symlinks.
    package var path: String { place.path }

    private init(_ place: StorePath, repository: OpaquePointer, database: OpaquePointer) {
        self.place = place
        unsafe self.repository = unsafe repository
        unsafe self.database = unsafe database
    }

    deinit {
        unsafe git_odb_free(database)
        unsafe git_repository_free(repository)
    }

    /// Creates a bare repository at `path` (git_repository_init_ext), readable only by its owner: mode 0700. Its
    /// parent must exist. If there is already a store at `path`, opens it.
    package static func create(at path: String) throws(StoreError) -> Store {
        try startLibrary()
        let made = unsafe csys_mkdir(path, 0o700)
        if made == -Int32(csys_eexist) {
            guard isEmptyDirectory(path) else { return try open(at: path) }
            let place = try resolved(path)
            try Exposure.checkWay(to: place)
            try Exposure.check(place)
            let directory = unsafe csys_open_directory(place)
            defer { if directory >= 0 { _ = csys_close(directory) } }
            let changed = directory < 0 ? directory : csys_fchmod(directory, 0o700)
            guard changed == 0 else { throw .file("change the mode of", path: place, errno: -changed) }
        } else {
            guard made == 0 else { throw .file("create", path: path, errno: -made) }
            do throws(StoreError) {
                try Exposure.checkWay(to: try resolved(path))
            } catch {
                _ = unsafe csys_rmdir(path)
                throw error
            }
        }
        var options = unsafe git_repository_init_options()
        try check("prepare a repository") {
            unsafe git_repository_init_options_init(&options, UInt32(GIT_REPOSITORY_INIT_OPTIONS_VERSION))
        }
        unsafe options.flags = GIT_REPOSITORY_INIT_BARE.rawValue | GIT_REPOSITORY_INIT_NO_REINIT.rawValue
        let repository = try unsafe handle("create a repository at \(path)") { repository in
            unsafe "main".withCString { head in
                unsafe options.initial_head = unsafe head
                return unsafe git_repository_init_ext(&repository, path, &options)
            }
        }
        unsafe git_repository_free(repository)
        let store = try open(at: path)
        // By default, a bare repository keeps no reflogs.
        try store.setConfiguration("core.logAllRefUpdates", "true")
        return store
    }

    /// Opens the store at `path` (git_repository_open_bare), if only this user can change it.
    package static func open(at path: String) throws(StoreError) -> Store { try open(try StorePath(path)) }

    package static func open(_ place: StorePath) throws(StoreError) -> Store {
        try startLibrary()
        try place.checkFormat()
        let repository = try unsafe handle("open the store \(place.path)") { unsafe git_repository_open_bare(&$0, place.path) }
        do throws(StoreError) {
            let database = try unsafe handle("open the objects of \(place.path)") {
                unsafe git_repository_odb(&$0, repository)
            }
            return unsafe Store(place, repository: repository, database: database)
        } catch {
            unsafe git_repository_free(repository)
            throw error
        }
    }

    /// The store at `path`; nil if the path does not exist or is an empty directory.
    package static func present(at path: String) throws(StoreError) -> StorePath? {
        var found = csys_stat()
        if unsafe csys_lstat(path, &found) == -Int32(csys_enoent) || isEmptyDirectory(path) { return nil }
        guard found.kind != csys_kind_symlink else { throw .exposed(path: path, .symlink) }
        return try StorePath(path)
    }

    /// The store in `directory` or the nearest parent that has one. The search ends at directories of another user
    /// and at file system boundaries.
    package static func find(from directory: String) throws(StoreError) -> StorePath {
        let start = try resolved(directory)
        var place = Substring(start)
        var device: UInt64?
        while true {
            var status = csys_stat()
            let result = unsafe csys_lstat(String(place), &status)
            guard result == 0 else { throw .file("look at", path: String(place), errno: -result) }
            guard Exposure.isTrusted(status.uid) else {
                throw .notFound(from: start, before: .othersDirectory(String(place), uid: status.uid))
            }
            guard device == nil || device == status.device else { throw .notFound(from: start, before: .otherFileSystem(String(place))) }
            device = status.device
            let candidate = (place == "/" ? "" : place) + "/" + directoryName
            if unsafe csys_lstat(String(candidate), &status) == 0 {
                // A checkout may have created the symlink, pointing to another store of this user.
                guard status.kind != csys_kind_symlink else { throw .exposed(path: String(candidate), .symlink) }
                return try StorePath(String(candidate))
            }
            guard place != "/", let slash = place.lastIndex(of: "/") else { throw .notFound(from: start, before: nil) }
            place = slash == place.startIndex ? "/" : place[..<slash]
        }
    }

    private static func isEmptyDirectory(_ path: String) -> Bool {
        var scan = unsafe csys_scan()
        defer { unsafe csys_scan_free(&scan) }
        return unsafe csys_scan_names(path, &scan) == 0 && scan.count == 0
    }
}

/// The absolute path without symlinks (realpath(3)).
package func resolved(_ path: String) throws(StoreError) -> String {
    let capacity = 4096
    var length: Int64 = 0
    let text = unsafe String(unsafeUninitializedCapacity: capacity) { buffer in
        length = unsafe buffer.withMemoryRebound(to: CChar.self) { buffer in
            unsafe csys_realpath(path, buffer.baseAddress, buffer.count)
        }
        return Int(max(length, 0))
    }
    guard length >= 0 else { throw .file("find", path: path, errno: Int32(-length)) }
    return text
}
