import Wire

extension AgentError {
    /// A system call failed with the positive errno `code`.
    @inline(never) init(_ operation: Operation, _ path: String, code: Int32) {
        self.init(.system(operation: operation.name, path: path, code: Int(code)))
    }
}

/// The changes that the agent can make to a host, and the ways in which it can examine it.
package enum Operation: Hashable, Sendable {
    case create, write, clone, sync, syncFileSystem, rename, symlink, remove, makeDirectory, removeDirectory, setAttributes, lock, run,
        mount
    case look, read

    /// The verb in a message: "cannot NAME PATH".
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
        case .mount: "mount"
        case .look: "look at"
        case .read: "read"
        }
    }
}

/// A gate before every change that the agent makes, so that tests can make any of them fail.
package protocol OperationGate: AnyObject {
    /// Zero to proceed, or the errno to fail with.
    func pass(_ operation: Operation, _ path: String) -> Int32
    /// The number of bytes, of `count`, that the next write may take; at least one.
    func allowance(_ count: Int) -> Int
}
