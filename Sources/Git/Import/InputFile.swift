import CSystem

/// Reads a whole regular file of less than 4 GiB.
func readFile(_ path: String) throws(StoreError) -> [UInt8] {
    let descriptor = unsafe csys_open_read(path)
    guard descriptor >= 0 else { throw .file("open", path: path, errno: -descriptor) }
    defer { csys_close(descriptor) }
    var status = csys_stat()
    let result = unsafe csys_fstat(descriptor, &status)
    guard result == 0 else { throw .file("look at", path: path, errno: -result) }
    guard status.size < 1 << 32 else { throw .file("read", path: path, errno: csys_efbig()) }
    return try readBytes(descriptor, of: path, from: 0, count: Int(status.size))
}

/// Reads exactly `count` bytes of a file; `path` is for messages.
func readBytes(_ descriptor: Int32, of path: String, from offset: UInt64, count: Int) throws(StoreError) -> [UInt8] {
    let result = csys_seek(descriptor, offset)
    guard result == 0 else { throw .file("read", path: path, errno: -result) }
    var failure: Int32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        while filled < count {
            let length = unsafe csys_read(descriptor, buffer.baseAddress.map { unsafe $0 + filled }, count - filled)
            guard length > 0 else { return failure = length < 0 ? Int32(-length) : Int32(csys_eio) }
            filled += Int(length)
        }
    }
    guard failure == 0 else { throw .file("read", path: path, errno: failure) }
    return bytes
}

/// The names of the entries in a directory.
func namesOfEntries(in directory: String) throws(StoreError) -> [String] {
    var opened: OpaquePointer?
    let result = unsafe csys_opendir(directory, &opened)
    guard result == 0, let opened = unsafe opened else { throw .file("open", path: directory, errno: -result) }
    defer { unsafe csys_closedir(opened) }
    var names: [String] = []
    var name: UnsafePointer<CChar>?
    var kind = csys_kind_other
    while true {
        let found = unsafe csys_readdir(opened, &name, &kind)
        guard found >= 0 else { throw .file("read", path: directory, errno: -found) }
        guard found == 1 else { return names }
        names.append(unsafe string(name))
    }
}
