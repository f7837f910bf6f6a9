import Wire

extension AgentError {
    /// A system call failed with the positive errno `code`.
    @inline(never) init(_ operation: Operation, _ path: String, code: Int32) {
        self.init(.system(operation: operation.name, path: path, code: Int(code)))
    }
}

/// What the agent can do to a host, and what it can look at.
package enum Operation: Hashable, Sendable {
    case create, write, clone, sync, syncFileSystem, rename, symlink, remove, makeDirectory, removeDirectory, setAttributes, lock, run
    case look, read

    /// As it stands in a message: "cannot NAME PATH".
    var name: String {
        switch self {
        case .create: "create"
        case .write: "write"
        case .clone: "clone"
        case .sync, .syncFileSystem: "sync"
        case .rename: "rename"
        case .symlink: "link"
        case .remove: "remove"
        case .makeDirectory: "create directory"
        case .removeDirectory: "remove directory"
        case .setAttributes: "set attributes of"
        case .lock: "lock"
        case .run: "run"
        case .look: "look at"
        case .read: "read"
        }
    }
}

/// Stands before every change that the agent makes, so that tests can let any of them fail.
package protocol OperationGate: AnyObject {
    /// Zero to go ahead, else the errno to fail with.
    func pass(_ operation: Operation, _ path: String) -> Int32
    /// How many of `count` bytes the next write may take; at least one.
    func allowance(_ count: Int) -> Int
}
