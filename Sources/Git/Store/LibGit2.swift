import CGit2
import Model

/// git_libgit2_init(3), once per process on any thread. By default, libgit2 would map whole packs into memory, and a
/// large cluster's first import is a single pack. It would also refuse to open a repository if it cannot read the
/// configuration files of the user or the system, from which Deptool only needs a name.
private let libraryIsReady: Bool =
    git_libgit2_init() > 0 && cgit2_set_mapped_window(4 << 20, 32 << 20) == 0
    && [GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL]
        .allSatisfy { unsafe cgit2_set_search_path($0.rawValue, "") == 0 }

/// Starts the library before its first use.
func startLibrary() throws(StoreError) {
    guard libraryIsReady else { throw .git("start libgit2", message: lastMessage()) }
}

/// The calling thread's last error (git_error_last). Call it before the thread uses the library again.
func lastMessage() -> String {
    guard let error = unsafe git_error_last(), let text = unsafe error.pointee.message else { return "no reason given" }
    return unsafe String(cString: text)
}

/// Turns libgit2's result code into an error. `operation` completes "cannot …".
@discardableResult
func check(_ operation: @autoclosure () -> String, _ call: () -> Int32) throws(StoreError) -> Int32 {
    let code = call()
    if code >= 0 { return code }
    let message = lastMessage()
    switch code {
    case GIT_ELOCKED.rawValue: throw .busy(message)
    default: throw .git(operation(), message: message)
    }
}

/// Checks a call that concerns one object, which may be missing.
@discardableResult
func check(_ id: ObjectID, _ call: () -> Int32) throws(StoreError) -> Int32 {
    let code = call()
    if code >= 0 { return code }
    throw code == GIT_ENOTFOUND.rawValue ? .missingObject(id) : .damagedObject(id)
}

/// An object made by libgit2, freed on deinit.
@safe struct Handle: ~Copyable {
    let pointer: OpaquePointer
    private let free: (OpaquePointer?) -> Void

    init(_ made: OpaquePointer, _ free: @escaping (OpaquePointer?) -> Void) {
        unsafe pointer = unsafe made
        unsafe self.free = unsafe free
    }

    /// `call` makes it. `operation` completes "cannot …".
    init(
        _ operation: @autoclosure () -> String, _ free: @escaping (OpaquePointer?) -> Void, _ call: (inout OpaquePointer?) -> Int32
    ) throws(StoreError) {
        var made: OpaquePointer?
        try check(operation()) { unsafe call(&made) }
        guard let made = unsafe made else { throw .git(operation(), message: "no reason given") }
        unsafe self.init(made, free)
    }

    /// `call` finds the object.
    init(_ id: ObjectID, _ free: @escaping (OpaquePointer?) -> Void, _ call: (inout OpaquePointer?) -> Int32) throws(StoreError) {
        var made: OpaquePointer?
        try check(id) { unsafe call(&made) }
        guard let made = unsafe made else { throw .damagedObject(id) }
        unsafe self.init(made, free)
    }

    deinit { unsafe free(pointer) }
}

extension ObjectID {
    init(_ oid: git_oid) {
        self = unsafe withUnsafeBytes(of: oid.id) { unsafe ObjectID(raw: $0) }
    }

    /// `bytes` are the 20 bytes of an ID.
    init(raw bytes: some Collection<UInt8>) {
        guard let id = ObjectID(bytes) else { preconditionFailure("an id has 20 bytes") }
        self = id
    }

    var oid: git_oid {
        var oid = git_oid()
        unsafe withUnsafeMutableBytes(of: &oid.id) { unsafe $0.copyBytes(from: bytes) }
        return oid
    }
}

extension ObjectKind {
    var gitType: git_object_t {
        switch self {
        case .blob: GIT_OBJECT_BLOB
        case .tree: GIT_OBJECT_TREE
        case .commit: GIT_OBJECT_COMMIT
        }
    }

    init?(_ type: git_object_t) {
        switch type {
        case GIT_OBJECT_BLOB: self = .blob
        case GIT_OBJECT_TREE: self = .tree
        case GIT_OBJECT_COMMIT: self = .commit
        default: return nil
        }
    }
}

/// The version of libgit2 that runs, and the one whose headers this was compiled with (git_libgit2_version).
package var libgit2Versions: (running: String, compiled: String) {
    var (major, minor, revision): (Int32, Int32, Int32) = (0, 0, 0)
    unsafe _ = git_libgit2_version(&major, &minor, &revision)
    return ("\(major).\(minor).\(revision)", LIBGIT2_VERSION)
}
