import CSystem

/// The contents of directory trees, as records (csystem.h, "Scanning").
package enum DirectoryScan {
    /// Records of one level. Omits names that start with '.'.
    package static func names(in path: String) throws(Errno) -> [UInt8] { try unsafe scanned { unsafe csys_scan_names(path, $0) } }

    /// The records of an open directory, at most 64 levels.
    package static func tree(_ directory: borrowing FileDescriptor) throws(Errno) -> [UInt8] {
        let number = directory.number
        return try unsafe scanned { unsafe csys_scan_directory_at(number, $0) }
    }

    private static func scanned(_ call: (UnsafeMutablePointer<csys_scan>) -> Int32) throws(Errno) -> [UInt8] {
        var scan = unsafe csys_scan()
        defer { unsafe csys_scan_free(&scan) }
        try check(unsafe call(&scan))
        return unsafe bytes(scan)
    }

    fileprivate static func bytes(_ scan: csys_scan) -> [UInt8] { unsafe Array(UnsafeBufferPointer(start: scan.bytes, count: scan.size)) }
}

/// The scans of several directories, each of which is held until it is taken.
@safe package final class DirectoryScans {
    private let scans: UnsafeMutableBufferPointer<csys_scan>

    /// Scans these directories of `path`, at most 64 levels each, with this many threads. Omits names that start with '.' on the
    /// first level.
    package init(of names: [String], in path: String, threads: Int) throws(Errno) {
        unsafe scans = UnsafeMutableBufferPointer.allocate(capacity: names.count)
        unsafe scans.initialize(repeating: csys_scan())
        // The names in sequence, each followed by a zero byte.
        var text: [UInt8] = []
        var starts: [Int] = []
        for name in names {
            starts.append(text.count)
            text += Array(name.utf8) + [0]
        }
        try check(
            unsafe text.withUnsafeBufferPointer { text in
                unsafe text.withMemoryRebound(to: CChar.self) { text in
                    let names = unsafe starts.map { start in unsafe text.baseAddress.map { unsafe $0 + start } }
                    return unsafe csys_scan_trees(path, names, names.count, Int32(threads), scans.baseAddress)
                }
            })
    }

    deinit {
        for index in unsafe scans.indices { unsafe csys_scan_free(&scans[index]) }
        unsafe scans.deallocate()
    }

    package var haveLinks: Bool { unsafe scans.contains { unsafe $0.links > 0 } }

    /// Why the directory itself could not be read.
    package func error(_ index: Int) -> Errno? { unsafe scans[index].error == 0 ? nil : Errno(-scans[index].error) }

    package func hasLinks(_ index: Int) -> Bool { unsafe scans[index].links > 0 }

    /// The number of records, at all levels.
    package func count(_ index: Int) -> Int { unsafe Int(scans[index].count) }

    /// The records of a directory; none once they are taken.
    package func bytes(_ index: Int) -> [UInt8] { unsafe DirectoryScan.bytes(scans[index]) }

    /// The records of a directory, once: none afterwards.
    package func take(_ index: Int) -> [UInt8] {
        defer { unsafe csys_scan_free(&scans[index]) }
        return bytes(index)
    }
}
