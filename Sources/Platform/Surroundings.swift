import CSystem

/// An environment variable; nil if it is not set (getenv(3)).
package func variable(_ name: String) -> String? { unsafe csys_getenv(name).map { unsafe String(cString: $0) } }

/// An environment variable; nil if it is not set, or empty.
package func environment(_ name: String) -> String? { variable(name).flatMap { $0.isEmpty ? nil : $0 } }

/// This machine's name, from uname(2).
package func nodeName() -> String? { try? unsafe text(upTo: 256) { unsafe csys_nodename($0, $1) } }

/// Random bytes, at most 256.
package func randomBytes(_ count: Int) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: count) { bytes, filled in
        unsafe csys_random(bytes.baseAddress, count)
        filled = count
    }
}

/// Overwrites a secret with zeros, which no optimizer leaves out.
package func zero(_ memory: UnsafeMutableRawBufferPointer) { unsafe csys_zero(memory.baseAddress, memory.count) }
package func zero(_ bytes: inout [UInt8]) { unsafe bytes.withUnsafeMutableBytes { unsafe zero($0) } }

/// The absolute path of the running program.
package func ownPath() throws(Errno) -> String { try unsafe text(upTo: 4096) { unsafe csys_own_path($0, $1) } }

/// The path of the working directory, or `.` if it is gone (getcwd(3)).
package func workingDirectory() -> String { (try? unsafe text(upTo: 4096) { unsafe csys_working_directory($0, $1) }) ?? "." }

/// A file or an empty directory that is removed if the program ends before this object, by `csys_exit` or by a signal. The newest goes
/// first.
@safe private final class Leftover: Sendable {
    // Sendable because it is never freed.
    private nonisolated(unsafe) let entry: OpaquePointer?

    init(_ path: String, isDirectory: Bool) { unsafe entry = unsafe csys_remove_at_end(path, isDirectory) }

    deinit { unsafe csys_forget(entry) }
}

/// A directory that only this user can enter, in `TMPDIR` (mkdtemp(3)). It is removed with this object, or with the program.
package final class TemporaryDirectory: Sendable {
    package let path: String
    /// The paths in it.
    private let files: [String]
    private let leftovers: [Leftover]

    /// - Parameter names: the files that can be in it.
    package init(for names: [String]) throws(Errno) {
        let path = try unsafe text(upTo: 1024) { unsafe csys_make_temporary_directory($0, $1) }
        self.path = path
        files = names.map { "\(path)/\($0)" }
        leftovers = [Leftover(path, isDirectory: true)] + files.map { Leftover($0, isDirectory: false) }
    }

    deinit {
        for file in files { try? unlink(file) }
        try? removeDirectory(path)
    }
}

/// Local time, as `2026-11-21 07:47`.
package func localTime(_ seconds: Int64) -> String { (try? unsafe text(upTo: 64) { unsafe csys_local_time(seconds, $0, $1) }) ?? "" }

/// Name and home directory of this process's user, from the account database (getpwuid_r(3)).
package func account() -> (name: String, home: String)? {
    var name = [CChar](repeating: 0, count: 1024), home = [CChar](repeating: 0, count: 4096)
    guard unsafe csys_account(&name, name.count, &home, home.count) >= 0 else { return nil }
    func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
    return (text(name), text(home))
}

/// The name of a user (getpwuid_r(3)).
package func userName(_ id: UInt32) -> String? { try? unsafe text(upTo: 256) { unsafe csys_user_name(id, $0, $1) } }
