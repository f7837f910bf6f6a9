import Platform

/// Reads a whole regular file of less than 4 GiB.
func readFile(_ path: String) throws(StoreError) -> [UInt8] {
    let file = try attempt("open", path, try FileDescriptor(reading: path))
    let size = try attempt("look at", path, try file.status()).size
    guard size < 1 << 32 else { throw .file("read", path: path, .fileTooLarge) }
    return try attempt("read", path, try file.read(Int(size), at: 0))
}

/// The names of the entries in a directory.
func namesOfEntries(in directory: String) throws(StoreError) -> [String] {
    try attempt("open", directory, try entries(of: directory)).map(\.name)
}

/// Creates a directory for this user alone, unless there is one.
func ensureDirectory(_ path: String) throws(StoreError) { try attempt("create", path, try Platform.ensureDirectory(path, mode: 0o700)) }

/// Appends a text to a file in a single call, so that readers see whole lines.
func append(_ text: String, to file: borrowing FileDescriptor, at path: String) throws(StoreError) {
    let bytes = Array(text.utf8)
    guard try attempt("write", path, try file.write(bytes.span)) == bytes.count else { throw .file("write", path: path, .noSpace) }
}
