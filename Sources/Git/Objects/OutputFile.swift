import CSystem
import Model

/// A file written under a temporary name, which appears as a whole or not at all.
final class OutputFile {
    private let temporary: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var isOpen = true
    /// Bytes so far.
    private(set) var size: UInt64 = 0

    private static let bufferSize = 1 << 18

    /// Creates a file in `directory`, which must exist, with exactly this mode.
    init(in directory: String, mode: UInt32) throws(StoreError) {
        temporary = "\(directory)/tmp_deptool_\(csys_getpid())_\(UInt64.random(in: 0 ... .max))"
        descriptor = unsafe csys_create_new(temporary, mode)
        guard descriptor >= 0 else { throw .file("create", path: temporary, errno: -descriptor) }
    }

    deinit {
        guard isOpen else { return }
        csys_close(descriptor)
        _ = unsafe csys_unlink(temporary)
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
    func reread(_ body: (UnsafeRawBufferPointer) -> Void) throws(StoreError) {
        try flush()
        let reading = unsafe csys_open_read(temporary)
        guard reading >= 0 else { throw .file("open", path: temporary, errno: -reading) }
        defer { csys_close(reading) }
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferSize, alignment: 16)
        defer { unsafe piece.deallocate() }
        while true {
            let count = unsafe csys_read(reading, piece.baseAddress, piece.count)
            guard count >= 0 else { throw .file("read", path: temporary, errno: Int32(-count)) }
            if count == 0 { return }
            unsafe body(UnsafeRawBufferPointer(rebasing: piece[..<Int(count)]))
        }
    }

    enum Durability {
        case now, later
    }

    /// Renames the file to its final name, replacing any other. With `.now`, its bytes are on disk before that.
    func finish(as path: String, _ durability: Durability) throws(StoreError) {
        try flush()
        if durability == .now {
            let synced = csys_fsync(descriptor)
            guard synced == 0 else { throw .file("write", path: path, errno: -synced) }
        }
        let renamed = unsafe csys_rename(temporary, path)
        guard renamed == 0 else { throw .file("create", path: path, errno: -renamed) }
        isOpen = false
        csys_close(descriptor)
    }

    private func flush() throws(StoreError) {
        guard !buffer.isEmpty else { return }
        try put(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: [UInt8]) throws(StoreError) {
        var failure: Int32 = 0
        unsafe bytes.withUnsafeBytes { bytes in
            var at = 0
            while at < bytes.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[at...])
                let count = unsafe csys_write(descriptor, rest.baseAddress, rest.count)
                if count <= 0 {
                    failure = count == 0 ? Int32(csys_eio) : Int32(-count)
                    return
                }
                at += Int(count)
            }
        }
        guard failure == 0 else { throw .file("write", path: temporary, errno: failure) }
    }

    private func seek(_ offset: UInt64) throws(StoreError) {
        let result = csys_seek(descriptor, offset)
        guard result == 0 else { throw .file("write", path: temporary, errno: -result) }
    }
}
