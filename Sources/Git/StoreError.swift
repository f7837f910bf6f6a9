import CSystem
import Model

/// Why the store cannot do what it was asked.
public enum StoreError: Error, Hashable, Sendable {
    /// There is no store in this directory or a parent.
    case notFound(from: String)
    /// There is nothing at the path.
    case absent(path: String)
    /// There is something else at the path.
    case notAStore(path: String)
    /// The store belongs to another user, and Git refuses it.
    case ownedByAnother(path: String)
    case missingObject(ObjectID)
    /// No commit of the store begins with these digits, or several do.
    case unknownCommit(String)
    case ambiguousCommit(String)
    /// The object is not what its id or its place says.
    case damagedObject(ObjectID)
    /// Sizes in bytes.
    case objectTooLarge(ObjectID, size: UInt64, limit: Int)
    /// Git takes no reference of this name.
    case unusableHostname(Hostname)
    /// Another process is writing the same reference or setting; what Git says.
    case busy(String)
    /// A file operation on the store failed, with its errno.
    case file(String, path: String, errno: Int32)
    /// Anything else that libgit2 says.
    case git(String, message: String)

    /// What is wrong, for a status line.
    public var phrase: String {
        switch self {
        case .notFound(let directory): "no store in \(directory) or a parent directory"
        case .absent(let path): "there is no store at \(path)"
        case .notAStore(let path): "\(path) is not a store"
        case .ownedByAnother(let path): "the store \(path) belongs to another user"
        case .missingObject(let id): "the store lacks object \(id.short)"
        case .unknownCommit(let digits): "the store has no commit '\(digits)'"
        case .ambiguousCommit(let digits): "several commits of the store begin with '\(digits)'"
        case .damagedObject(let id): "object \(id.short) of the store is damaged"
        case .objectTooLarge(let id, let size, let limit):
            "object \(id.short) has \(size) bytes, more than the limit of \(limit)"
        case .unusableHostname(let host): "Git cannot hold a reference for host \(host.text)"
        case .busy: "another process is using the store"
        case .file(let operation, let path, let errno): "cannot \(operation) \(path): \(systemMessage(errno))"
        case .git(let operation, let message): "cannot \(operation): \(message)"
        }
    }

    /// What it means and what to do.
    public var explanation: String {
        switch self {
        case .notFound, .absent:
            "Run `deptool init` in the directory that should hold the store, or name one with DEPTOOL_STORE."
        case .notAStore(let path):
            "A store is a bare Git repository. Move \(path) away, then run `deptool init`."
        case .ownedByAnother(let path):
            "Git does not trust repositories of other users. Run as the owner, or trust it with `git config --global --add safe.directory \(path)`."
        case .missingObject, .damagedObject:
            "The store is damaged, or was cleaned up with `git gc --prune=now`. Move it away and run `deptool init`, then `deptool sync` to fetch what the hosts know."
        case .unknownCommit: "`deptool log` lists the commits; four digits or more of one will do."
        case .ambiguousCommit: "Give more digits; `deptool log` shows ten."
        case .objectTooLarge:
            "Move the content elsewhere, or make it smaller."
        case .unusableHostname(let host):
            "\(hostnameRule) Rename the directory \(host.text), and give the real name as HostName in ~/.ssh/config."
        case .busy(let message):
            "Wait for it and try again. If none is running, a lock file was left behind: \(message)."
        case .file, .git:
            "Check that the disk is not full and that the store belongs to you."
        }
    }
}

let hostnameRule = "A host's name may not hold '..' or end in '.' or '.lock', because Git references may not."

/// What strerror(3) says.
func systemMessage(_ errno: Int32) -> String {
    guard let text = unsafe csys_strerror(errno) else { return "error \(errno)" }
    return unsafe String(cString: text)
}
