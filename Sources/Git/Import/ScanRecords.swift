import CSystem

/// One entry of a scanned directory, as ranges of the scan's bytes (csystem.h, "Scanning").
struct ScanRecord {
    enum Kind: UInt8 {
        case file = 1
        case executable, directory, symlink, fifo, socket, device, failed
    }

    var kind: Kind
    var name: Range<Int>
    /// For files: size, times and inode.
    var stamp: Range<Int>
    /// For directories: the records inside.
    var below: Range<Int>
    /// For symlinks: the text.
    var target: Range<Int>
    /// Where the record ends, with those inside.
    var end: Int
    /// The number of records before this one in the scan, and below it.
    var index: Int
    var count: Int
    /// For failures.
    var errno: Int32

    /// The length of a file's stamp.
    static let stampSize = 32
}

/// The records of one directory: those in `range` of `bytes`, starting at the scan's record number `index`. Nil if
/// the bytes are not a scan.
func scanRecords(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>, from index: Int = 0) -> [ScanRecord]? {
    guard range.lowerBound >= 0, range.upperBound <= bytes.count else { return nil }
    var records: [ScanRecord] = []
    var at = range.lowerBound
    var index = index
    func take(_ count: Int) -> Range<Int>? {
        guard range.upperBound - at >= count else { return nil }
        defer { at += count }
        return at..<(at + count)
    }
    func number() -> UInt32? {
        guard let place = take(4) else { return nil }
        return unsafe bytes.loadUnaligned(fromByteOffset: place.lowerBound, as: UInt32.self)
    }
    while at < range.upperBound {
        guard let start = take(2), let kind = ScanRecord.Kind(rawValue: unsafe bytes[start.lowerBound]),
            let name = take(Int(unsafe bytes[start.lowerBound + 1])), !name.isEmpty
        else { return nil }
        var record = ScanRecord(kind: kind, name: name, stamp: 0..<0, below: 0..<0, target: 0..<0, end: 0, index: index, count: 0, errno: 0)
        switch kind {
        case .file, .executable:
            guard let stamp = take(ScanRecord.stampSize) else { return nil }
            record.stamp = stamp
        case .directory:
            guard let count = number(), let size = number(), let below = take(Int(size)) else { return nil }
            record.count = Int(count)
            record.below = below
        case .failed:
            guard let errno = number() else { return nil }
            record.errno = Int32(bitPattern: errno)
        case .symlink:
            guard let length = take(2),
                let target = take(Int(unsafe bytes.loadUnaligned(fromByteOffset: length.lowerBound, as: UInt16.self)))
            else { return nil }
            record.target = target
        case .fifo, .socket, .device:
            break
        }
        record.end = at
        index += 1 + record.count
        records.append(record)
    }
    return records
}

/// The order of `a` and `b` in a Git tree (negative, zero, positive): by bytes, as if a directory's name ended in
/// '/'.
func gitOrder(
    _ a: ScanRecord, in one: UnsafeRawBufferPointer, _ b: ScanRecord, in other: UnsafeRawBufferPointer
) -> Int {
    let common = min(a.name.count, b.name.count)
    for offset in 0..<common {
        let (x, y) = unsafe (one[a.name.lowerBound + offset], other[b.name.lowerBound + offset])
        if x != y { return Int(x) - Int(y) }
    }
    func next(_ record: ScanRecord, _ bytes: UnsafeRawBufferPointer) -> Int {
        if common < record.name.count { return Int(unsafe bytes[record.name.lowerBound + common]) }
        return record.kind == .directory ? 0x2f : 0
    }
    return unsafe next(a, one) - next(b, other)
}

extension UnsafeRawBufferPointer {
    /// Whether a range of these bytes equals a range of others.
    func isSame(_ range: Range<Int>, as other: UnsafeRawBufferPointer, _ otherRange: Range<Int>) -> Bool {
        guard range.count == otherRange.count else { return false }
        if range.isEmpty { return true }
        return unsafe csys_same(
            baseAddress.map { unsafe $0 + range.lowerBound }, other.baseAddress.map { unsafe $0 + otherRange.lowerBound },
            range.count)
    }
}
