import CGit2
import Model
import Platform

/// The store: a bare Git repository that holds every deployed config tree and each host's deployed commit.
///
/// Used by one thread at a time. Threads that only read blobs open a `BlobReader` each.
///
/// ```swift
/// let store = try Store.open(Store.find(from: directory))
/// for (host, commit) in try store.deployedCommits() {
///     print(host.text, commit.short)
/// }
/// ```
@safe package final class Store {
    /// The directory name that `find` searches for.
    package static let directoryName = ".deptool"

    package let place: StorePath
    private let repositoryHandle: Handle
    private let databaseHandle: Handle
    /// Whether this handle has locked the store.
    var isLocked = false
    /// Tree entries read so far, for tests of complexity.
    var treeEntriesRead = 0

    /// Absolute, without symlinks.
    package var path: String { place.path }

    var repository: OpaquePointer { unsafe repositoryHandle.pointer }
    var database: OpaquePointer { unsafe databaseHandle.pointer }

    private init(_ place: StorePath, _ repository: consuming Handle, _ database: consuming Handle) {
        self.place = place
        repositoryHandle = repository
        databaseHandle = database
    }

    /// Creates a bare repository at `path` (git_repository_init_ext), readable only by its owner: mode 0700. Its
    /// parent must exist. If there is already a store at `path`, opens it.
    package static func create(at path: String) throws(StoreError) -> Store {
        try startLibrary()
        var isNew = true
        do throws(Errno) { try makeDirectory(path, mode: 0o700) } catch {
            guard error == .fileExists else { throw .file("create", path: path, error) }
            isNew = false
        }
        if isNew {
            do throws(StoreError) {
                try Exposure.checkWay(to: try resolved(path))
            } catch {
                try? removeDirectory(path)
                throw error
            }
        } else {
            guard isEmptyDirectory(path) else { return try open(at: path) }
            let place = try resolved(path)
            try Exposure.checkWay(to: place)
            try Exposure.check(place)
            try attempt("change the mode of", place, try FileDescriptor(directory: place).setMode(0o700))
        }
        var options = unsafe git_repository_init_options()
        try check("prepare a repository") {
            unsafe git_repository_init_options_init(&options, UInt32(GIT_REPOSITORY_INIT_OPTIONS_VERSION))
        }
        unsafe options.flags = GIT_REPOSITORY_INIT_BARE.rawValue | GIT_REPOSITORY_INIT_NO_REINIT.rawValue
        _ = try unsafe Handle("create a repository at \(path)", git_repository_free) { repository in
            unsafe "main".withCString { head in
                unsafe options.initial_head = unsafe head
                return unsafe git_repository_init_ext(&repository, path, &options)
            }
        }
        let store = try open(at: path)
        // By default, a bare repository keeps no reflogs.
        try store.setConfiguration("core.logAllRefUpdates", "true")
        // The store has private files, and often lies in a repository of the operator.
        let ignored = "\(store.path)/.gitignore"
        do throws(Errno) {
            try FileDescriptor(creating: ignored, mode: 0o600).writeAll(Array("*\n".utf8).span)
        } catch {
            throw .file("create", path: ignored, error)
        }
        return store
    }

    /// Opens the store at `path` (git_repository_open_bare), if only this user can change it.
    package static func open(at path: String) throws(StoreError) -> Store { try open(try StorePath(path)) }

    package static func open(_ place: StorePath) throws(StoreError) -> Store {
        try startLibrary()
        try place.checkFormat()
        let repository = try unsafe Handle("open the store \(place.path)", git_repository_free) {
            unsafe git_repository_open_bare(&$0, place.path)
        }
        let database = try unsafe Handle("open the objects of \(place.path)", git_odb_free) {
            unsafe git_repository_odb(&$0, repository.pointer)
        }
        return Store(place, repository, database)
    }

    /// The store at `path`; nil if the path does not exist or is an empty directory.
    package static func present(at path: String) throws(StoreError) -> StorePath? {
        var found: FileStatus?
        do throws(Errno) { found = try status(of: path) } catch { if error == .noSuchFileOrDirectory { return nil } }
        if isEmptyDirectory(path) { return nil }
        guard found?.kind != .symlink else { throw .exposed(path: path, .symlink) }
        return try StorePath(path)
    }

    /// The store in `directory` or the nearest parent that has one. The search ends at directories of another user
    /// and at file system boundaries.
    package static func find(from directory: String) throws(StoreError) -> StorePath {
        let start = try resolved(directory)
        var place = Substring(start)
        var device: UInt64?
        while true {
            let here = try attempt("look at", String(place), try status(of: String(place)))
            guard Exposure.isTrusted(here.uid) else {
                throw .notFound(from: start, before: .othersDirectory(String(place), uid: here.uid))
            }
            guard device == nil || device == here.device else { throw .notFound(from: start, before: .otherFileSystem(String(place))) }
            device = here.device
            let candidate = (place == "/" ? "" : place) + "/" + directoryName
            if let found = try? status(of: String(candidate)) {
                // A checkout may have created the symlink, pointing to another store of this user.
                guard found.kind != .symlink else { throw .exposed(path: String(candidate), .symlink) }
                return try StorePath(String(candidate))
            }
            guard place != "/", let slash = place.lastIndex(of: "/") else { throw .notFound(from: start, before: nil) }
            place = slash == place.startIndex ? "/" : place[..<slash]
        }
    }

    /// But for hidden files.
    private static func isEmptyDirectory(_ path: String) -> Bool { (try? DirectoryScan.names(in: path))?.isEmpty ?? false }
}

/// The absolute path without symlinks (realpath(3)).
package func resolved(_ path: String) throws(StoreError) -> String { try attempt("find", path, try realPath(path)) }
