import Model
import Platform

/// Size, times and inode of a file, as a scan records them.
struct FileStamp: Hashable {
    /// In nanoseconds since the epoch.
    let changeTime: Int64
    private let size: UInt64
    private let modificationTime: Int64
    private let inode: UInt64

    /// The stamp at this place in a scan.
    init(_ scan: [UInt8], at place: Int) {
        size = scan.native(at: place)
        modificationTime = scan.native(at: place + 8)
        changeTime = scan.native(at: place + 16)
        inode = scan.native(at: place + 24)
    }

    init(_ status: FileStatus) {
        size = status.size
        modificationTime = status.mtime_ns
        changeTime = status.ctime_ns
        inode = status.inode
    }
}

/// A file of less than `maximumInMemory`, ready for a pack, and its stamp from before.
struct FileContent {
    let object: NewObject
    let stamp: FileStamp

    /// Nil if it cannot be read, is not such a file, or changes meanwhile.
    init?(reading name: String, in directory: borrowing FileDescriptor) {
        do throws(Errno) {
            let file = try directory.open(beneath: name, isDirectory: false)
            let status = try file.status()
            guard status.kind == .regular, status.size < UInt64(maximumInMemory),
                let bytes = try file.readWhole(Int(status.size))
            else { return nil }
            object = NewObject(.blob, bytes, isForPack: true)
            stamp = FileStamp(status)
        } catch {
            return nil
        }
    }
}

extension FileDescriptor {
    /// The content of a file of this size; nil if it has another.
    fileprivate func readWhole(_ size: Int) throws(Errno) -> [UInt8]? {
        // One byte more detects a file that grew. A regular file returns all it has: another read would only report the end.
        var bytes = try read(upTo: size + 1)
        while bytes.count < size, case let rest = try read(upTo: size + 1 - bytes.count), !rest.isEmpty { bytes += rest }
        return bytes.count == size ? bytes : nil
    }
}

/// Reads the files of an import into the store.
final class FileReader {
    let writer: ObjectWriter
    private let startTime: Int64
    private let ahead: ReadAhead?

    /// `startTime`, in nanoseconds since the epoch, precedes the first look at any file.
    init(_ writer: ObjectWriter, ahead: ReadAhead?, startTime: Int64) {
        self.writer = writer
        self.ahead = ahead
        self.startTime = startTime
    }

    /// Whether the file may change after `time` and still have the same stamp. The kernel sets ctime when a change of
    /// content or mode begins, from a clock that ticks every few milliseconds and that some file systems round to
    /// seconds; mtime can be set to any value, so it proves nothing.
    private func mayChange(_ stamp: FileStamp, after time: Int64) -> Bool {
        let isWholeSecond = stamp.changeTime % 1_000_000_000 == 0
        return stamp.changeTime >= time - (isWholeSecond ? 2_000_000_000 : Self.tick)
    }

    /// In nanoseconds.
    private static let tick: Int64 = 20_000_000

    /// Waits until the clock of stamps has ticked since the last change, if that was a moment ago.
    private func waitForTick(after change: Int64) {
        let rest = change + Self.tick - WallClock.nanoseconds
        if (0...Self.tick).contains(rest) { pause(milliseconds: rest / 1_000_000 + 2) }
    }

    /// Adds the file's content to the store. The stamp is taken before reading, and is nil if the file may still change without getting
    /// another. `path` is below the repository if the file is shared. A file that should be sealed, but is not, is never added.
    func read(
        _ path: String, _ key: ReadAhead.Key, of shared: SharedFiles?, isSealed: Bool, _ place: () -> ImportError.Place
    ) throws(ImportError) -> (id: ObjectID, stamp: FileStamp?) {
        if !isSealed, shared == nil, let content = ahead?.take(key) {
            let stamp = mayChange(content.stamp, after: startTime) ? nil : content.stamp
            do throws(StoreError) { return (try writer.add(content.object), stamp) } catch { throw .store(error) }
        }
        let file: FileDescriptor
        do throws(Errno) {
            if let shared { file = try shared.open(path) } else { file = try FileDescriptor(reading: path) }
        } catch {
            switch error {
            case .tooManySymbolicLinkLevels: throw .special(place(), .symlink)
            case .noSuchFileOrDirectory: throw .changing(place())
            default: throw .unreadable(path: path, error)
            }
        }
        var status: FileStatus
        var time = startTime
        var isBeingWritten = false
        do throws(Errno) {
            status = try file.status()
            // The next command must not read a large file again only because it was copied right before this one.
            if status.size >= UInt64(maximumInMemory) {
                waitForTick(after: status.ctime_ns)
                // One write of a GB has the time at which it began.
                isBeingWritten = file.isOpenForWriting
                time = WallClock.nanoseconds
                status = try file.status()
            }
        } catch {
            throw .unreadable(path: path, error)
        }
        guard status.kind == .regular else { throw .changing(place()) }
        if isSealed {
            guard status.size <= UInt64(SecretsDirectory.limit) else { throw .secretTooLarge(place()) }
            let mark = Array(SecretsDirectory.mark.utf8)
            guard (try? file.read(upTo: mark.count)) == mark else { throw .notSealed(place()) }
            do throws(Errno) { try file.seek(to: 0) } catch { throw .unreadable(path: path, error) }
        }
        let id = status.size < UInt64(maximumInMemory) ? try small(file, Int(status.size), path) : try large(file, status.size, path)
        guard let id else { throw .changing(place()) }
        let stamp = FileStamp(status)
        return (id, isBeingWritten || mayChange(stamp, after: time) ? nil : stamp)
    }

    /// Nil if the size is not as expected.
    private func small(_ file: borrowing FileDescriptor, _ size: Int, _ path: String) throws(ImportError) -> ObjectID? {
        let bytes: [UInt8]?
        do throws(Errno) { bytes = try file.readWhole(size) } catch { throw .unreadable(path: path, error) }
        guard let bytes else { return nil }
        do throws(StoreError) { return try writer.add(.blob, bytes) } catch { throw .store(error) }
    }

    private func large(_ file: borrowing FileDescriptor, _ size: UInt64, _ path: String) throws(ImportError) -> ObjectID? {
        let blob: LargeBlobWriter
        do throws(StoreError) { blob = try LargeBlobWriter(writer, size: size) } catch { throw .store(error) }
        while true {
            let piece: [UInt8]
            do throws(Errno) { piece = try file.read(upTo: maximumInMemory) } catch { throw .unreadable(path: path, error) }
            do throws(StoreError) {
                if piece.isEmpty { return try blob.finish() }
                guard try blob.add(piece) else { return nil }
            } catch {
                throw .store(error)
            }
        }
    }
}
