import CSystem
import Model
import Wire

/// The lock of a host: a flock(2) on a file, so that it ends with the processes that hold it and nobody ever has to
/// break it. The file's content says who holds it, and stays when the holder left without tidying up.
struct HostLock: ~Copyable {
    private let file: File

    private init(file: consuming File) { self.file = file }

    enum Attempt: ~Copyable {
        case acquired(HostLock)
        case held(Holder)
    }

    /// Without a holder, the name that is there stays: whoever has to tidy up behind it may be killed as well.
    static func acquire(_ system: System, for holder: Holder?) throws(AgentError) -> Attempt {
        let file = try system.openAppending(Layout.lock, mode: 0o600)
        guard try file.tryLock() else {
            try file.rewind()
            let bytes = try file.read(upTo: 4096)
            // Empty, or half of it, for the moment between its lock and its name, and on a full disk.
            let current = try? Holder(decoding: bytes)
            return .held(current ?? Holder(name: "another deploy", since: 0))
        }
        // A lock without a name is a lock: on a full disk, too, it must be possible to undo something.
        if let holder, (try? file.truncate()) != nil { try? file.write(holder.encoded) }
        return .acquired(HostLock(file: file))
    }

    /// Whether somebody holds the lock, or held it and left without tidying up.
    static func isNamed(_ system: System) throws(AgentError) -> Bool {
        guard let status = try system.status(of: Layout.lock) else { return false }
        return status.size > 0
    }

    /// When the lock was taken or left last, in nanoseconds since the epoch; zero for never.
    static func lastUse(_ system: System) throws(AgentError) -> Int64 { try system.status(of: Layout.lock)?.mtime_ns ?? 0 }

    /// Who holds the lock; nil for nobody.
    static func holder(_ system: System) throws(AgentError) -> Holder? {
        guard try isNamed(system) else { return nil }
        switch try acquire(system, for: nil) {
        case .held(let holder): return holder
        case .acquired: return nil
        }
    }

    /// Takes the name away, when all is tidy.
    func clear() { try? file.truncate() }
}
