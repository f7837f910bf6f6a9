import CSystem
import Model
import Wire

/// The lock of a host: a flock(2) on a file. It ends with the processes that hold it, so no one ever has to break it.
/// The file's content names the holder and remains if the holder exits without cleaning up.
struct HostLock: ~Copyable {
    private let file: File

    private init(file: consuming File) { self.file = file }

    // Without it, an optimized build may skip that of the file (see Platform's `FileDescriptor`).
    deinit {}

    enum Attempt: ~Copyable {
        case acquired(HostLock)
        case held(LockHolder)
    }

    /// Without a holder, keeps the existing name: the process that has to clean up after it may be killed as well.
    static func acquire(_ system: System, for holder: LockHolder?) throws(AgentError) -> Attempt {
        let file = try system.openAppending(Layout.lock, mode: 0o600)
        guard try file.tryLock() else {
            try file.rewind()
            let bytes = try file.read(upTo: 4096)
            // The name is empty or partial in the moment between the lock and its name, and on a full disk.
            let current = try? LockHolder(decoding: bytes)
            return .held(current ?? LockHolder(name: "another deploy", since: 0))
        }
        // A lock without a name is still a lock: a rollback must be possible on a full disk, too.
        if let holder, (try? file.truncate()) != nil { try? file.write(holder.encoded) }
        return .acquired(HostLock(file: file))
    }

    /// Whether a process holds the lock, or held it and exited without cleaning up.
    static func isNamed(_ system: System) throws(AgentError) -> Bool {
        guard let status = try system.status(of: Layout.lock) else { return false }
        return status.size > 0
    }

    /// The time when the lock was last taken or cleared, in nanoseconds since the epoch; zero if never.
    static func lastUse(_ system: System) throws(AgentError) -> Int64 { try system.status(of: Layout.lock)?.mtime_ns ?? 0 }

    /// The holder of the lock; nil if it is free.
    static func holder(_ system: System) throws(AgentError) -> LockHolder? {
        guard try isNamed(system) else { return nil }
        switch try acquire(system, for: nil) {
        case .held(let holder): return holder
        case .acquired: return nil
        }
    }

    /// Removes the name after a cleanup.
    func clear() { try? file.truncate() }
}
