import CSystem
import Model
import Wire

/// The lock of a host: a flock(2) on a file, so that it ends with the processes that hold it and nobody ever has to
/// break it. The file's content says who holds it.
struct HostLock: ~Copyable {
    private let file: File

    private init(file: consuming File) { self.file = file }

    enum Attempt: ~Copyable {
        case acquired(HostLock)
        case held(Holder)
    }

    static func acquire(_ system: System, for holder: Holder) throws(Failure) -> Attempt {
        let file = try system.openAppending(Layout.lock, mode: 0o600)
        guard try file.tryLock() else {
            try file.rewind()
            let bytes = try file.read(upTo: 4096)
            // Empty, or half of it, for the moment between its lock and its name.
            let current = try? Holder(decoding: bytes)
            return .held(current ?? Holder(name: "another deploy", since: 0))
        }
        try file.truncate()
        try file.write(holder.encoded)
        return .acquired(HostLock(file: file))
    }
}
