import Age
import CSystem
import Platform

/// A directory in memory that only this user can read, for a program that needs a secret as a file. Its files are
/// overwritten and removed with it, whatever they are; after a SIGKILL, the next one of this user's does that.
package final class PrivateDirectory {
    package let path: String
    /// Holds the lock that marks the directory as in use.
    private let descriptor: FileDescriptor

    private static let parent = "/dev/shm", prefix = "deptool-secret-"

    package enum FileError: Error {
        case system(Errno)
        /// It would be on a disk.
        case notMemory

        package var phrase: String {
            switch self {
            case .system(let error): error.text
            case .notMemory: "it is not in memory"
            }
        }
    }

    package init() throws(FileError) {
        Self.sweep()
        let random = Libcrypto.random(8)
        var name = "\(Self.prefix)\(userID)-\(processID)-"
        for index in 0..<random.count { name += String(random[index], radix: 36) }
        path = "\(Self.parent)/\(name)"
        do throws(Errno) {
            try makeDirectory(path, mode: 0o700)
            descriptor = try FileDescriptor(directory: path)
            try descriptor.tryLock()
        } catch {
            throw .system(error)
        }
        guard csys_is_memory(descriptor.number) == 1 else {
            try? removeDirectory(path)
            throw .notMemory
        }
    }

    deinit { _ = unsafe csys_wipe_directory(path) }

    /// Creates a file of mode 0600 and returns its path.
    package func write(_ content: borrowing SecretBytes, as name: String) throws(FileError) -> String {
        let path = "\(path)/\(name)"
        do throws(Errno) {
            let file = try FileDescriptor(creating: path, mode: 0o600)
            try content.withSpan { bytes throws(Errno) in try file.writeAll(bytes) }
        } catch {
            throw .system(error)
        }
        return path
    }

    /// Removes the directories of processes that are gone.
    private static func sweep() {
        for entry in (try? entries(of: parent)) ?? [] where entry.kind == .directory && entry.name.hasPrefix("\(prefix)\(userID)-") {
            // A process may be one of another PID namespace; a lock is seen from everywhere.
            guard let pid = entry.name.split(separator: "-").dropFirst(3).first.flatMap({ Int32($0) }), pid > 0, !processExists(pid) else {
                continue
            }
            let path = "\(parent)/\(entry.name)"
            guard let directory = try? FileDescriptor(directory: path) else { continue }
            if (try? directory.tryLock()) != nil { _ = unsafe csys_wipe_directory(path) }
        }
    }
}

/// The rest of a file. Nil if it has more than `limit` bytes.
package func readSecret(from file: borrowing FileDescriptor, limit: Int) throws(Errno) -> SecretBytes? {
    var bytes = SecretBytes(count: limit + 1)
    let count = try bytes.withMutableSpan { bytes throws(Errno) in try file.fill(&bytes) }
    return count > limit ? nil : bytes[0..<count]
}
