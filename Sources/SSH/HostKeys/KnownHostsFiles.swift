import CSystem

extension KnownHosts {
    /// Reads every file that exists, each up to 16 MiB.
    init(reading paths: [String]) throws(SSHError) {
        self.init()
        for path in paths {
            do throws(SSHError) {
                if let bytes = try readOwnFile(path, limit: 16 << 20) { parse(bytes, path: path) }
            } catch {
                guard case .system(_, let code) = error else { throw error }
                throw .knownHostsUnusable(path: path, code)
            }
        }
    }

    /// Adds a line to a file in one write(2). Creates a missing file and directory (modes 0600 and 0700).
    static func append(_ line: String, to path: String) throws(SSHError) {
        func attempt(_ result: Int64) throws(SSHError) {
            guard result < 0 else { return }
            throw .knownHostsUnusable(path: path, SystemErrorCode(number: Int32(truncatingIfNeeded: -result)))
        }
        if let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash != path.startIndex {
            // The directory exists, or opening the file reports the problem.
            _ = unsafe csys_mkdir(String(path[..<slash]), 0o700)
        }
        let opened = unsafe csys_open_append_followed(path, 0o600)
        try attempt(Int64(opened))
        let file = Descriptor(opened)
        var status = csys_stat()
        try attempt(Int64(unsafe csys_fstat(file.number, &status)))
        var bytes = Array(line.utf8)
        if status.size > 0 {
            var last: UInt8 = 0
            try attempt(Int64(csys_seek(file.number, status.size - 1)))
            try attempt(unsafe csys_read(file.number, &last, 1))
            if last != UInt8(ascii: "\n") { bytes.insert(UInt8(ascii: "\n"), at: 0) }
        }
        try attempt(unsafe csys_write(file.number, bytes, bytes.count))
    }
}

/// The bytes of one of the operator's files, following symlinks; nil if it does not exist. Fails with EFBIG beyond
/// `limit` bytes.
func readOwnFile(_ path: String, limit: Int) throws(SSHError) -> [UInt8]? {
    let opened = unsafe csys_open_followed(path)
    if opened == -Int32(csys_enoent) || opened == -Int32(csys_enotdir) { return nil }
    let file = Descriptor(try check("open", opened))
    // In one piece: the file may be a private key, of which no copy may stay in memory.
    var result = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit + 1) { buffer, filled in
        repeat {
            result = Int(unsafe csys_read(file.number, buffer.baseAddress.map { unsafe $0 + filled }, limit + 1 - filled))
            filled += max(result, 0)
        } while result > 0 && filled <= limit
    }
    try check("read", Int32(truncatingIfNeeded: min(result, 0)))
    guard bytes.count <= limit else { throw .system(operation: "read", SystemErrorCode(number: csys_efbig())) }
    return bytes
}
