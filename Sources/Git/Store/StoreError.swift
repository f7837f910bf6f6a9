import Model
import Platform

/// Why a store operation failed.
package enum StoreError: Error, Hashable, Sendable {
    /// There is no store in this directory or a parent, as far as the search goes.
    case notFound(from: String, before: End?)
    /// The path does not exist.
    case absent(path: String)
    /// The path is something else.
    case notAStore(path: String)
    /// Other users could change or redirect the path.
    case exposed(path: String, Exposure)
    /// This user has neither made nor adopted the store.
    case unknownStore(path: String)
    /// There is no place for the user's list of known stores.
    case noHome
    /// Deptool would damage the repository; the setting that shows it.
    case unusableFormat(path: String, String)
    case missingObject(ObjectID)
    /// No commit of the store begins with these digits, or several do.
    case unknownCommit(String)
    case ambiguousCommit(String)
    /// The object does not match its ID or its place.
    case damagedObject(ObjectID)
    /// Sizes in bytes.
    case objectTooLarge(ObjectID, size: UInt64, limit: Int)
    /// Git accepts no reference with this name.
    case unusableHostname(Hostname)
    /// Another process is writing the same reference or setting; Git's message.
    case busy(String)
    /// A file operation on the store failed.
    case file(String, path: String, Errno)
    /// Any other libgit2 error.
    case git(String, message: String)

    /// Why the search for a store ended before the root.
    package enum End: Hashable, Sendable {
        case othersDirectory(String, uid: UInt32)
        case otherFileSystem(String)
    }

    /// The problem, for a status line.
    package var phrase: String {
        switch self {
        case .notFound(let directory, nil): "no store in \(directory) or a parent directory"
        case .notFound(let directory, .otherFileSystem(let end)):
            "no store in \(directory) or a parent directory below \(end), where another file system begins"
        case .notFound(let directory, .othersDirectory(let end, let uid)):
            directory == end
                ? "\(visible(directory)) belongs to user \(shownUser(uid)), so Deptool does not look for a store there"
                : "no store in \(visible(directory)) or a parent directory below \(visible(end)), which belongs to user \(shownUser(uid))"
        case .absent(let path): "there is no store at \(path)"
        case .notAStore(let path): "\(path) is not a store"
        case .exposed(let path, .owner(let uid)): "\(visible(path)) belongs to user \(shownUser(uid))"
        case .exposed(let path, .writable): "\(visible(path)) can be changed by other users"
        case .exposed(let path, .symlink): "\(visible(path)) is a symlink"
        case .unknownStore(let path): "the store \(visible(path)) is neither made nor adopted by you"
        case .noHome: "you have no home directory"
        case .unusableFormat(let path, let setting): "the repository \(visible(path)) cannot be a store: \(visible(setting))"
        case .missingObject(let id): "the store does not have object \(id.short)"
        case .unknownCommit(let digits): "the store has no commit '\(digits)'"
        case .ambiguousCommit(let digits): "several commits of the store begin with '\(digits)'"
        case .damagedObject(let id): "object \(id.short) of the store is damaged"
        case .objectTooLarge(let id, let size, let limit):
            "object \(id.short) has \(size) bytes, more than the limit of \(limit)"
        case .unusableHostname(let host): "Git cannot hold a reference for host \(host.text)"
        case .busy: "another process is using the store"
        case .file(let operation, let path, let error): "cannot \(operation) \(path): \(error.text)"
        case .git(let operation, let message): "cannot \(operation): \(message)"
        }
    }

    /// The meaning and the remedy.
    package var explanation: String {
        switch self {
        case .notFound(_, .othersDirectory):
            "Run deptool in a directory of yours, or name a store of yours with DEPTOOL_STORE."
        case .notFound, .absent:
            "Run `deptool init` in the directory that should hold the store, or name one with DEPTOOL_STORE."
        case .notAStore(let path):
            "A store is a bare Git repository. Move \(path) away, then run `deptool init`."
        case .exposed(_, .owner(let uid)):
            "Deptool uses no store that another user can change, since a store determines what Deptool deploys and runs. Run deptool as that user\(userID == 0 && uid != 0 ? ", without sudo" : ""), or keep a store of your own elsewhere and name it with DEPTOOL_STORE."
        case .exposed(let path, .writable):
            "Deptool uses no store that other users can change, since a store determines what Deptool deploys and runs. Take that right away with `chmod go-w \(visible(path))`, or move the store elsewhere and name it with DEPTOOL_STORE."
        case .exposed(_, .symlink): "It could lead anywhere. Name the store itself with DEPTOOL_STORE."
        case .unknownStore(let path):
            "It may have come with somebody else's files. If you trust it, \(Self.adoption(of: path))."
        case .noHome:
            "Neither HOME nor the home of your account is a directory of yours. Name one with XDG_STATE_HOME: Deptool keeps the list of your stores there."
        case .unusableFormat(let path, _):
            "A store is a bare Git repository with SHA-1 ids and without extensions. Move \(visible(path)) away, then run `deptool init`."
        case .missingObject, .damagedObject:
            "The store is damaged, or was cleaned up with `git gc --prune=now`. Move it away and run `deptool init`, then `deptool sync` to fetch the hosts' records."
        case .unknownCommit: "`deptool log` lists the commits; four digits or more of one will do."
        case .ambiguousCommit: "Give more digits; `deptool log` shows ten."
        case .objectTooLarge:
            "Move the content elsewhere, or make it smaller."
        case .unusableHostname(let host):
            "\(hostnameRule) Rename the directory \(host.text), and give the real name as HostName in ~/.ssh/config."
        case .busy(let message):
            "Wait until it is done and try again: \(message). If neither deptool nor git is running, git left that file behind."
        case .file, .git:
            "Check that the disk is not full and that the store belongs to you."
        }
    }
}

extension StoreError {
    /// The command that adopts a store.
    private static func adoption(of path: String) -> String {
        let suffix = "/" + Store.directoryName
        return path.hasSuffix(suffix)
            ? "run `deptool init --adopt` in \(visible(String(path.dropLast(suffix.utf8.count))))"
            : "run `DEPTOOL_STORE=\(visible(path)) deptool init --adopt`"
    }
}

let hostnameRule = "A host's name may not hold '..' or end in '.' or '.lock', because Git references may not."

/// The result of system calls, whose error becomes one of the operation on a path.
@discardableResult
func attempt<Result: ~Copyable>(
    _ operation: String, _ path: String, _ body: @autoclosure () throws(Errno) -> Result
) throws(StoreError) -> Result {
    do throws(Errno) { return try body() } catch { throw .file(operation, path: path, error) }
}
