import CGit2
import CSystem
import Model

/// The store: a bare Git repository that holds every deployed config tree and what each host runs.
///
/// A store is used by one thread at a time. Threads that only read blobs open a `BlobReader` each.
@safe public final class Store {
    /// The directory that `find` looks for.
    public static let directoryName = ".deptool"

    /// Absolute, without symlinks.
    public let path: String
    let repository: OpaquePointer
    let database: OpaquePointer
    /// The work that reading has been, for tests of how it grows.
    var treeEntriesRead = 0

    private init(path: String, repository: OpaquePointer, database: OpaquePointer) {
        self.path = path
        unsafe self.repository = unsafe repository
        unsafe self.database = unsafe database
    }

    deinit {
        unsafe git_odb_free(database)
        unsafe git_repository_free(repository)
    }

    /// Makes a bare repository at `path` (git_repository_init_ext), readable by its owner alone: mode 0700. Its parent
    /// must exist. If there is a store at `path` already, opens it.
    public static func create(at path: String) throws(StoreError) -> Store {
        try startLibrary()
        let made = unsafe csys_mkdir(path, 0o700)
        if made == -Int32(csys_eexist), !isEmptyDirectory(path) { return try open(at: path) }
        guard made == 0 || made == -Int32(csys_eexist) else { throw .file("create", path: path, errno: -made) }
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
        // A bare repository keeps no log of its references by itself.
        try store.setConfiguration("core.logAllRefUpdates", "true")
        return store
    }

    /// Opens the store at `path` (git_repository_open_bare).
    public static func open(at path: String) throws(StoreError) -> Store {
        try startLibrary()
        let absolute: String
        do throws(StoreError) {
            absolute = try resolved(path)
        } catch .file(_, _, let errno) where errno == Int32(csys_enoent) {
            throw .absent(path: path)
        }
        let repository = try unsafe openRepository(absolute)
        do throws(StoreError) {
            let database = try unsafe handle("open the objects of \(path)") {
                unsafe git_repository_odb(&$0, repository)
            }
            return unsafe Store(path: absolute, repository: repository, database: database)
        } catch {
            unsafe git_repository_free(repository)
            throw error
        }
    }

    /// Opens the store in `directory` or the nearest parent that has one.
    public static func find(from directory: String) throws(StoreError) -> Store {
        let start = try resolved(directory)
        var place = Substring(start)
        while true {
            let candidate = (place == "/" ? "" : place) + "/" + directoryName
            var found = csys_stat()
            if unsafe csys_lstat(String(candidate), &found) == 0 { return try open(at: String(candidate)) }
            guard place != "/", let slash = place.lastIndex(of: "/") else { throw .notFound(from: start) }
            place = slash == place.startIndex ? "/" : place[..<slash]
        }
    }

    private static func openRepository(_ path: String) throws(StoreError) -> OpaquePointer {
        do throws(StoreError) {
            return try unsafe handle("open the store \(path)") { unsafe git_repository_open_bare(&$0, path) }
        } catch {
            switch error {
            case .ownedByAnother: throw .ownedByAnother(path: path)
            case .git: throw .notAStore(path: path)
            default: throw error
            }
        }
    }

    private static func isEmptyDirectory(_ path: String) -> Bool {
        var scan = unsafe csys_scan()
        defer { unsafe csys_scan_free(&scan) }
        return unsafe csys_scan_names(path, &scan) == 0 && scan.count == 0
    }
}

/// The absolute path without symlinks, realpath(3).
func resolved(_ path: String) throws(StoreError) -> String {
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

