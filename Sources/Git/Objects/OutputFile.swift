import Model
import Platform

/// A file written under a temporary name, which appears as a whole or not at all.
final class OutputFile {
    private let temporary: String
    private var file: FileDescriptor
    private var buffer: [UInt8] = []
    private var isOpen = true
    /// Bytes so far.
    private(set) var size: UInt64 = 0

    private static let bufferSize = 1 << 18

    /// Creates a file in `directory`, which must exist, with exactly this mode.
    init(in directory: String, mode: UInt32) throws(StoreError) {
        temporary = "\(directory)/tmp_deptool_\(processID)_\(UInt64.random(in: 0 ... .max))"
        let path = temporary
        file = try attempt("create", path, try FileDescriptor(creating: path, mode: mode))
    }

    deinit {
        if isOpen { try? unlink(temporary) }
    }

    func write(_ bytes: [UInt8]) throws(StoreError) {
        size += UInt64(bytes.count)
        if buffer.count + bytes.count <= Self.bufferSize {
            if buffer.isEmpty { buffer.reserveCapacity(Self.bufferSize) }
            buffer += bytes
            return
        }
        try flush()
        try put(bytes)
    }

    /// Overwrites bytes at the start of the file.
    func patch(_ bytes: [UInt8], at offset: UInt64) throws(StoreError) {
        try flush()
        try seek(offset)
        try put(bytes)
        try seek(size)
    }

    /// Reads the written bytes from the start, in pieces.
    func reread(_ body: ([UInt8]) -> Void) throws(StoreError) {
        try flush()
        let file = try attempt("open", temporary, try FileDescriptor(reading: temporary))
        while case let piece = try attempt("read", temporary, try file.read(upTo: Self.bufferSize)), !piece.isEmpty { body(piece) }
    }

    enum Durability {
        case now, later
    }

    /// Renames the file to its final name, replacing any other. With `.now`, its bytes are on disk before that.
    func finish(as path: String, _ durability: Durability) throws(StoreError) {
        try flush()
        if durability == .now { try attempt("write", path, try file.synchronize()) }
        try attempt("create", path, try rename(temporary, to: path))
        isOpen = false
        file.close()
    }

    private func flush() throws(StoreError) {
        guard !buffer.isEmpty else { return }
        try put(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: [UInt8]) throws(StoreError) {
        try attempt("write", temporary, try file.writeAll(bytes.span))
    }

    private func seek(_ offset: UInt64) throws(StoreError) { try attempt("write", temporary, try file.seek(to: offset)) }
}
