import Age
import CSystem

/// A directory in memory that only this user can read, for a program that needs a secret as a file. Its files are
/// overwritten and removed with it, whatever they are; after a SIGKILL, the next one of this user's does that.
package final class PrivateDirectory {
    package let path: String
    /// Holds the lock that says that the directory is in use.
    private let descriptor: Int32

    private static let parent = "/dev/shm", prefix = "deptool-secret-"

    package enum Problem: Error {
        /// An errno.
        case system(Int32)
        /// It would be on a disk.
        case notMemory

        package var phrase: String {
            switch self {
            case .system(let code): unsafe String(cString: csys_strerror(code))
            case .notMemory: "it is not in memory"
            }
        }
    }

    package init() throws(Problem) {
        Self.sweep()
        let random = Libcrypto.random(8)
        var name = "\(Self.prefix)\(csys_getuid())-\(csys_getpid())-"
        for index in 0..<random.count { name += String(random[index], radix: 36) }
        path = "\(Self.parent)/\(name)"
        let result = unsafe csys_mkdir(path, 0o700)
        descriptor = unsafe result == 0 ? csys_open_directory(path) : result
        guard descriptor >= 0 else { throw .system(-descriptor) }
        guard csys_is_memory(descriptor) == 1 else {
            _ = unsafe csys_rmdir(path)
            throw .notMemory
        }
        let locked = csys_try_lock(descriptor)
        guard locked == 0 else { throw .system(-locked) }
    }

    deinit {
        _ = unsafe csys_wipe_directory(path)
        _ = csys_close(descriptor)
    }

    /// Creates a file of mode 0600 and returns its path.
    package func write(_ content: borrowing SecretBytes, as name: String) throws(Problem) -> String {
        let file = "\(path)/\(name)"
        let descriptor = unsafe csys_create_new(file, 0o600)
        guard descriptor >= 0 else { throw .system(-descriptor) }
        defer { _ = csys_close(descriptor) }
        let result = unsafe content.withBytes { unsafe Sealing.write(all: $0, to: descriptor) }
        guard result == 0 else { throw .system(result) }
        return file
    }

    /// Removes the directories of processes that are gone.
    private static func sweep() {
        var directory: OpaquePointer?
        guard unsafe csys_opendir(parent, &directory) == 0, let directory = unsafe directory else { return }
        var names: [String] = []
        var name: UnsafePointer<CChar>?
        var kind = csys_kind_other
        while unsafe csys_readdir(directory, &name, &kind) == 1 {
            if kind == csys_kind_directory, let name = unsafe name { names.append(unsafe String(cString: name)) }
        }
        unsafe csys_closedir(directory)
        for name in names where name.hasPrefix("\(prefix)\(csys_getuid())-") {
            // A process may be one of another PID namespace; a lock is seen from everywhere.
            guard let pid = name.split(separator: "-").dropFirst(3).first.flatMap({ Int32($0) }), pid > 0,
                csys_kill(pid, 0) == -Int32(csys_esrch)
            else { continue }
            let descriptor = unsafe csys_open_directory("\(parent)/\(name)")
            guard descriptor >= 0 else { continue }
            if csys_try_lock(descriptor) == 0 { _ = unsafe csys_wipe_directory("\(parent)/\(name)") }
            _ = csys_close(descriptor)
        }
    }
}

/// Writes everything (write(2)). Returns 0, or an errno.
package func write(all bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
    var rest = unsafe bytes[...]
    while unsafe !rest.isEmpty {
        let count = unsafe csys_write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        guard count > 0 else { return Int32(truncatingIfNeeded: -count) }
        unsafe rest = rest.dropFirst(Int(count))
    }
    return 0
}

/// A file of the operator's, or what is left on a descriptor. Nil if it has more than `limit` bytes.
package func readSecret(from descriptor: Int32, limit: Int) throws(PrivateDirectory.Problem) -> SecretBytes? {
    var problem: Int32 = 0
    let bytes = unsafe SecretBytes(upTo: limit + 1) { memory in
        var filled = 0
        while filled < memory.count {
            let count = unsafe csys_read(descriptor, memory.baseAddress.map { unsafe $0 + filled }, memory.count - filled)
            if count < 0 { problem = Int32(truncatingIfNeeded: -count) }
            guard count > 0 else { break }
            filled += Int(count)
        }
        return filled
    }
    guard problem == 0 else { throw .system(problem) }
    guard let bytes, bytes.count <= limit else { return nil }
    return bytes
}
