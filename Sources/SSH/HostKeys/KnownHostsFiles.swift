import Platform

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
        if let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash != path.startIndex {
            // The directory exists, or opening the file reports the problem.
            try? makeDirectory(String(path[..<slash]), mode: 0o700)
        }
        do throws(Errno) {
            let file = try FileDescriptor(appendingFollowing: path, mode: 0o600)
            var bytes = Array(line.utf8)
            let size = try file.status().size
            if size > 0 {
                try file.seek(to: size - 1)
                if try file.readByte() != UInt8(ascii: "\n") { bytes.insert(UInt8(ascii: "\n"), at: 0) }
            }
            _ = try file.write(bytes.span)
        } catch {
            throw .knownHostsUnusable(path: path, error)
        }
    }
}

/// The bytes of one of the operator's files, following symlinks; nil if it does not exist. Fails with EFBIG beyond
/// `limit` bytes.
func readOwnFile(_ path: String, limit: Int) throws(SSHError) -> [UInt8]? {
    let file: FileDescriptor
    do throws(Errno) {
        file = try FileDescriptor(following: path)
    } catch {
        if error == .noSuchFileOrDirectory || error == .notDirectory { return nil }
        throw .system(operation: "open", error)
    }
    // In one piece: the file may be a private key, of which no copy may stay in memory.
    do throws(Errno) { return try file.readAll(limit: limit) } catch { throw .system(operation: "read", error) }
}
