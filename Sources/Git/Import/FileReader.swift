import CSystem
import Model

/// Size, times and inode of a file, as a scan records them.
struct FileStamp: Hashable {
    /// In nanoseconds since the epoch.
    let changeTime: Int64
    private let size: UInt64
    private let modificationTime: Int64
    private let inode: UInt64

    /// The bytes of a scan's stamp.
    init(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == ScanRecord.stampSize else { preconditionFailure("a stamp has four numbers") }
        size = unsafe bytes.loadUnaligned(as: UInt64.self)
        modificationTime = unsafe bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self)
        changeTime = unsafe bytes.loadUnaligned(fromByteOffset: 16, as: Int64.self)
        inode = unsafe bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
    }

    init(_ status: csys_stat) {
        size = status.size
        modificationTime = status.mtime_ns
        changeTime = status.ctime_ns
        inode = status.inode
    }
}

/// Reads the files of an import into the store.
@safe final class FileReader {
    let writer: ObjectWriter
    private let startTime: Int64
    // One byte more than fits into memory detects a file that grew.
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: maximumInMemory + 1, alignment: 16)

    /// `startTime`, in nanoseconds since the epoch, precedes the first look at any file.
    init(_ writer: ObjectWriter, startTime: Int64) {
        self.writer = writer
        self.startTime = startTime
    }

    deinit { unsafe buffer.deallocate() }

    /// Whether the file may change after being read and still have the same stamp. The kernel sets ctime whenever
    /// content or mode changes, from a clock that ticks every few milliseconds and that some file systems round to
    /// seconds; mtime can be set to any value, so it proves nothing.
    func mayStillChange(_ stamp: FileStamp) -> Bool {
        let isWholeSecond = stamp.changeTime % 1_000_000_000 == 0
        return stamp.changeTime >= startTime - (isWholeSecond ? 2_000_000_000 : 20_000_000)
    }

    /// Adds the file's content to the store. The stamp is taken before reading. `path` is below the repository if the
    /// file is shared. What should be sealed, but is not, never gets there.
    func read(
        _ path: String, of shared: SharedFiles?, isSealed: Bool, _ place: () -> ImportError.Place
    ) throws(ImportError) -> (id: ObjectID, stamp: FileStamp) {
        let descriptor = if let shared { shared.open(path) } else { unsafe csys_open_read(path) }
        if descriptor == -csys_eloop() { throw .special(place(), .symlink) }
        if descriptor == -Int32(csys_enoent) { throw .changing(place()) }
        guard descriptor >= 0 else { throw .unreadable(path: path, errno: -descriptor) }
        defer { csys_close(descriptor) }
        var status = csys_stat()
        let result = unsafe csys_fstat(descriptor, &status)
        guard result == 0 else { throw .unreadable(path: path, errno: -result) }
        guard status.kind == csys_kind_regular else { throw .changing(place()) }
        if isSealed {
            guard status.size <= UInt64(SecretsDirectory.limit) else { throw .secretTooLarge(place()) }
            var start = [UInt8](repeating: 0, count: SecretsDirectory.mark.utf8.count)
            let count = unsafe csys_read(descriptor, &start, start.count)
            guard count == Int64(start.count), start.elementsEqual(SecretsDirectory.mark.utf8) else { throw .notSealed(place()) }
            let result = csys_seek(descriptor, 0)
            guard result == 0 else { throw .unreadable(path: path, errno: -result) }
        }
        let id =
            status.size < UInt64(maximumInMemory)
            ? try small(descriptor, Int(status.size), path) : try large(descriptor, status.size, path)
        guard let id else { throw .changing(place()) }
        return (id, FileStamp(status))
    }

    /// Nil if the size is not as expected.
    private func small(_ descriptor: Int32, _ size: Int, _ path: String) throws(ImportError) -> ObjectID? {
        var read = 0
        while read <= size {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[read...size])
            let count = unsafe csys_read(descriptor, rest.baseAddress, rest.count)
            guard count >= 0 else { throw .unreadable(path: path, errno: Int32(-count)) }
            read += Int(count)
            // A regular file returns all it has: another read would only report the end.
            if count == 0 || read == size { break }
        }
        guard read == size else { return nil }
        do throws(StoreError) {
            return try unsafe writer.add(.blob, UnsafeRawBufferPointer(rebasing: buffer[..<size]))
        } catch {
            throw .store(error)
        }
    }

    private func large(_ descriptor: Int32, _ size: UInt64, _ path: String) throws(ImportError) -> ObjectID? {
        var failure: Int32 = 0
        do throws(StoreError) {
            let blob = try LargeBlobWriter(writer, size: size)
            while true {
                let count = unsafe csys_read(descriptor, buffer.baseAddress, buffer.count)
                if count == 0 { return try blob.finish() }
                if count < 0 {
                    failure = Int32(-count)
                    break
                }
                let piece = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)])
                guard try unsafe blob.add(piece) else { return nil }
            }
        } catch {
            throw .store(error)
        }
        throw .unreadable(path: path, errno: failure)
    }
}
