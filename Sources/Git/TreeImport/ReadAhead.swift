import Model
import Platform

/// Reads small files of hosts that were never imported, on threads of its own, in the order in which the import asks for them.
///
/// The import reads by itself what is missing here: secrets, large files, and those that cannot be read.
final class ReadAhead {
    /// A file of the import: the numbers of its host, and of its record in the host's scan.
    struct Key: Comparable {
        var host: Int
        var record: Int

        static func < (one: Key, other: Key) -> Bool { (one.host, one.record) < (other.host, other.record) }
    }

    /// A part of the files, which one thread reads.
    fileprivate typealias Batch = [(key: Key, content: FileContent)]

    fileprivate struct State {
        /// Hosts whose files are yet to be read.
        var walks: [ScanWalk] = []
        /// Batches in the order of their files, each nil while a thread reads it, and the number of the first.
        var batches: [Batch?] = []
        var first = 0
        var isEnded = false
    }

    private let state = Monitor(State())
    private var threads: [Platform.Thread] = []
    private var current: ArraySlice<(key: Key, content: FileContent)> = []

    fileprivate static let maximumFiles = 64
    fileprivate static let maximumBytes = 1 << 18
    fileprivate static let maximumBatches = 16
    fileprivate static let maximumWalks = 16

    init(threads count: Int) {
        let state = state
        threads = (0..<count).compactMap { _ in Thread { Self.readBatches(state) } }
    }

    /// Waits for the threads to end.
    deinit {
        state.update { $0.isEnded = true }
        for thread in threads { thread.join() }
    }

    /// Whether hosts may be added.
    var hasRoom: Bool { !threads.isEmpty && state.update { $0.walks.count < Self.maximumWalks } }

    /// Adds the next host. Only while there is room.
    func add(_ walk: ScanWalk) { state.update { $0.walks.append(walk) } }

    /// The content of a file; nil if it is not read here. Forgets the files before it.
    func take(_ key: Key) -> FileContent? {
        while true {
            while let next = current.first, next.key <= key {
                current.removeFirst()
                if next.key == key { return next.content }
            }
            guard current.isEmpty, let batch = nextBatch() else { return nil }
            current = batch[...]
        }
    }

    /// Nil if nothing is left to read.
    private func nextBatch() -> Batch? {
        let batch = state.wait { state -> Batch?? in
            guard let first = state.batches.first else { return state.walks.isEmpty ? .some(nil) : nil }
            return first.map(Optional.some)
        }
        if batch != nil {
            state.update { state in
                state.batches.removeFirst()
                state.first += 1
            }
        }
        return batch
    }

    private static func readBatches(_ state: Monitor<State>) {
        // No files: the import has ended.
        while let (number, files) = state.wait(for: { state in state.isEnded ? .some(nil) : state.startBatch().map(Optional.some) }) {
            let batch = read(files)
            state.update { $0.batches[number - $0.first] = batch }
        }
    }

    private static func read(_ files: [ScanWalk.File]) -> Batch {
        var batch: Batch = []
        var path = ""
        var directory: FileDescriptor?
        for file in files {
            if path != file.directory {
                path = file.directory
                directory = try? FileDescriptor(directory: path)
            }
            switch directory {
            case nil: break
            case .some(let directory):
                if let content = FileContent(reading: file.name, in: directory) { batch.append((file.key, content)) }
            }
        }
        return batch
    }
}

extension ReadAhead.State {
    /// The number of another batch, and its files; nil if there is no room, or nothing to read.
    fileprivate mutating func startBatch() -> (number: Int, files: [ScanWalk.File])? {
        guard batches.count < ReadAhead.maximumBatches, !walks.isEmpty else { return nil }
        var files: [ScanWalk.File] = []
        var size: UInt64 = 0
        while files.count < ReadAhead.maximumFiles, size < ReadAhead.maximumBytes, !walks.isEmpty {
            guard let file = walks[0].next() else {
                walks.removeFirst()
                continue
            }
            files.append(file)
            size += file.size
        }
        batches.append(nil)
        return (first + batches.count - 1, files)
    }
}

/// The small files of a host's scan, but secrets, in its order.
struct ScanWalk {
    struct File {
        var key: ReadAhead.Key
        var directory: String
        var name: String
        /// In bytes.
        var size: UInt64
    }

    private let host: Int
    private let scan: [UInt8]
    /// The directories that lead to the next file: their paths, and what is left in them.
    private var directories: [(path: String, records: ArraySlice<ScanRecord>)]

    /// `path` is the host's directory.
    init(host: Int, path: String, scan: [UInt8]) {
        self.host = host
        self.scan = scan
        directories = [(path, (scanRecords(scan, in: 0..<scan.count) ?? []).filter { $0.kind == .directory }[...])]
    }

    mutating func next() -> File? {
        while let last = directories.indices.last {
            guard let record = directories[last].records.popFirst() else {
                directories.removeLast()
                continue
            }
            guard let name = String(validating: scan[record.name], as: UTF8.self) else { continue }
            let path = directories[last].path
            switch record.kind {
            case .directory where name != RelativePath.secrets:
                directories.append(("\(path)/\(name)", (scanRecords(scan, in: record.below, from: record.index + 1) ?? [])[...]))
            case .file, .executable:
                let size: UInt64 = scan.native(at: record.stamp.lowerBound)
                if size < UInt64(maximumInMemory) {
                    return File(key: ReadAhead.Key(host: host, record: record.index), directory: path, name: name, size: size)
                }
            default: break
            }
        }
        return nil
    }
}
