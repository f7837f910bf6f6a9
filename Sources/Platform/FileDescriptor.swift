import CSystem

/// An open file, directory, pipe or socket, closed on deinit at the latest.
///
/// All descriptors returned here are close-on-exec.
///
/// A struct that has one needs a deinit too, even an empty one. In an optimized build, Swift 6.3 splits a local value of a struct
/// without a deinit into trivial fields, and loses the deinits of the structs inside (https://github.com/swiftlang/swift/pull/86840).
/// `DeinitTests` find such structs.
package struct FileDescriptor: ~Copyable, Sendable {
    /// -1 once it is closed.
    package private(set) var number: Int32

    /// Takes over an open descriptor.
    package init(_ number: Int32) { self.number = number }

    /// Takes over the result of a system call that opens one.
    init(opened result: Int32) throws(Errno) { number = try check(result) }

    deinit { if number >= 0 { csys_close(number) } }

    /// Closes it now (close(2)).
    package mutating func close() {
        if number >= 0 { csys_close(number) }
        number = -1
    }

    /// Never closed, as nothing ends a global value.
    package static let standardInput = FileDescriptor(0)

    /// Moves the descriptor into another value; this one has none from then on.
    package mutating func take() -> FileDescriptor {
        defer { number = -1 }
        return FileDescriptor(number)
    }

    // MARK: Opening

    /// A regular file. A symlink as the last component is ELOOP; never waits.
    package init(reading path: String) throws(Errno) { try self.init(opened: unsafe csys_open_read(path)) }

    /// One of the operator's own files, which may be a symlink.
    package init(following path: String) throws(Errno) { try self.init(opened: unsafe csys_open_followed(path)) }

    package init(directory path: String) throws(Errno) { try self.init(opened: unsafe csys_open_directory(path)) }

    /// A new file of exactly this mode, to write. EEXIST if there is anything at the path.
    package init(creating path: String, mode: UInt32) throws(Errno) { try self.init(opened: unsafe csys_create_new(path, mode)) }

    /// To read, and to write at the end; created with this mode, less the umask, if it is missing.
    package init(appendingTo path: String, mode: UInt32) throws(Errno) { try self.init(opened: unsafe csys_open_append(path, mode)) }

    /// As `init(appendingTo:mode:)`, for one of the operator's own files, which may be a symlink.
    package init(appendingFollowing path: String, mode: UInt32) throws(Errno) {
        try self.init(opened: unsafe csys_open_append_followed(path, mode))
    }

    /// A copy of another descriptor, above the standard ones (fcntl(2), F_DUPFD_CLOEXEC).
    package init(duplicating number: Int32) throws(Errno) { try self.init(opened: csys_duplicate(number)) }

    /// `/dev/null`, to read and write.
    package static func null() throws(Errno) -> FileDescriptor { try FileDescriptor(opened: csys_open_null()) }

    /// Whether somebody has the file open for writing, as far as the kernel tells (fcntl(2), F_SETLEASE).
    package var isOpenForWriting: Bool { csys_is_open_for_writing(number) }

    // MARK: Reading

    /// One read(2): at most `count` bytes, none at the end.
    package func read(upTo count: Int) throws(Errno) -> [UInt8] {
        try [UInt8](room: count) { bytes throws(Errno) in _ = try read(into: &bytes) }
    }

    /// One read(2) into the free space there. Returns the number of bytes, 0 at the end.
    package func read(into bytes: inout OutputSpan<UInt8>) throws(Errno) -> Int { try unsafe append(to: &bytes, csys_read) }

    func append(
        to bytes: inout OutputSpan<UInt8>, _ call: (Int32, UnsafeMutableRawPointer?, Int) -> Int64
    ) throws(Errno) -> Int {
        try unsafe bytes.withUnsafeMutableBufferPointer { buffer, count throws(Errno) in
            let added = try check(unsafe call(number, buffer.baseAddress.map { unsafe $0 + count }, buffer.count - count))
            count += added
            return added
        }
    }

    /// Nil at the end.
    package func readByte() throws(Errno) -> UInt8? {
        var byte: UInt8 = 0
        return try check(unsafe csys_read(number, &byte, 1)) == 1 ? byte : nil
    }

    /// Reads until there is no more room, or to the end. Returns the number of bytes.
    package func fill(_ bytes: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(Errno) in
            var filled = 0
            while filled < buffer.count {
                let count = try check(unsafe csys_read(number, buffer.baseAddress.map { unsafe $0 + filled }, buffer.count - filled))
                if count == 0 { break }
                filled += count
            }
            return filled
        }
    }

    /// Everything from here to the end.
    package func readAll() throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let piece = try read(upTo: 1 << 16)
            if piece.isEmpty { return bytes }
            bytes += piece
        }
    }

    /// Everything from here to the end. EFBIG if that is more than `limit` bytes. In one piece of memory: no other copy
    /// of a secret stays behind.
    package func readAll(limit: Int) throws(Errno) -> [UInt8] {
        let bytes = try [UInt8](room: limit + 1) { bytes throws(Errno) in
            while !bytes.isFull, try read(into: &bytes) > 0 {}
        }
        guard bytes.count <= limit else { throw .fileTooLarge }
        return bytes
    }

    /// Exactly these bytes of a file. EIO if it ends before.
    package func read(_ count: Int, at offset: UInt64) throws(Errno) -> [UInt8] {
        try seek(to: offset)
        return try [UInt8](room: count) { bytes throws(Errno) in
            while !bytes.isFull {
                guard try read(into: &bytes) > 0 else { throw .ioError }
            }
        }
    }

    // MARK: Writing

    /// One write(2), which may write only the first bytes. Returns their number.
    package func write(_ bytes: Span<UInt8>) throws(Errno) -> Int { try Platform.write(bytes, to: number) }

    package func writeAll(_ bytes: Span<UInt8>) throws(Errno) { try Platform.writeAll(bytes, to: number) }

    // MARK: The rest

    /// fstat(2).
    package func status() throws(Errno) -> FileStatus {
        var status = FileStatus()
        try check(unsafe csys_fstat(number, &status))
        return status
    }

    /// lseek(2), from the start.
    package func seek(to offset: UInt64) throws(Errno) { try check(csys_seek(number, offset)) }

    /// fsync(2).
    package func synchronize() throws(Errno) { try check(csys_fsync(number)) }

    /// fchmod(2).
    package func setMode(_ mode: UInt32) throws(Errno) { try check(csys_fchmod(number, mode)) }

    /// flock(2), exclusive. EAGAIN if somebody else holds the lock.
    package func tryLock() throws(Errno) { try check(csys_try_lock(number)) }

    package func setNonblocking() throws(Errno) { try check(csys_set_nonblocking(number)) }
}

/// One write(2) to a descriptor of somebody else's, such as standard output.
package func write(_ bytes: Span<UInt8>, to descriptor: Int32) throws(Errno) -> Int {
    try check(unsafe bytes.withUnsafeBufferPointer { unsafe csys_write(descriptor, $0.baseAddress, $0.count) })
}

package func writeAll(_ bytes: Span<UInt8>, to descriptor: Int32) throws(Errno) {
    var written = 0
    while written < bytes.count {
        let count = try write(bytes.extracting(written...), to: descriptor)
        guard count > 0 else { throw .ioError }
        written += count
    }
}

extension [UInt8] {
    /// What `fill` appends, in one piece of memory with this much room. The standard library's own needs Swift 6.3's, and a release for
    /// another CPU can have an older one (Scripts/build-runtime).
    package init<E>(room: Int, _ fill: (inout OutputSpan<UInt8>) throws(E) -> Void) throws(E) {
        var failure: E?
        self = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            var bytes = unsafe OutputSpan(buffer: buffer, initializedCount: 0)
            do throws(E) { try fill(&bytes) } catch { failure = error }
            count = unsafe bytes.finalize(for: buffer)
        }
        if let failure { throw failure }
    }
}

/// The two ends of a pipe (pipe(2)).
package struct Pipe: ~Copyable, Sendable {
    package var reading: FileDescriptor
    package var writing: FileDescriptor

    package init() throws(Errno) {
        var (reading, writing): (Int32, Int32) = (-1, -1)
        try check(unsafe csys_pipe(&reading, &writing))
        self.reading = FileDescriptor(reading)
        self.writing = FileDescriptor(writing)
    }

    // See FileDescriptor.
    deinit {}
}
