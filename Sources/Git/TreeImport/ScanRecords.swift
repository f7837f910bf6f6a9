import CSystem
import Model
import Platform

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
    var error: Errno

    /// The length of a file's stamp.
    static let stampSize = 32
}

/// The records of one directory: those in `range` of `bytes`, starting at the scan's record number `index`. Nil if
/// the bytes are not a scan.
func scanRecords(_ bytes: [UInt8], in range: Range<Int>, from index: Int = 0) -> [ScanRecord]? {
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
        return bytes.native(at: place.lowerBound)
    }
    while at < range.upperBound {
        guard let start = take(2), let kind = ScanRecord.Kind(rawValue: bytes[start.lowerBound]),
            let name = take(Int(bytes[start.lowerBound + 1])), !name.isEmpty
        else { return nil }
        var record = ScanRecord(
            kind: kind, name: name, stamp: 0..<0, below: 0..<0, target: 0..<0, end: 0, index: index, count: 0, error: Errno(0))
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
            record.error = Errno(Int32(bitPattern: errno))
        case .symlink:
            guard let length = take(2), let target = take(Int(bytes.native(at: length.lowerBound, as: UInt16.self))) else { return nil }
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
    _ a: ScanRecord, in one: [UInt8], _ b: ScanRecord, in other: [UInt8]
) -> Int {
    let common = min(a.name.count, b.name.count)
    for offset in 0..<common {
        let (x, y) = (one[a.name.lowerBound + offset], other[b.name.lowerBound + offset])
        if x != y { return Int(x) - Int(y) }
    }
    func next(_ record: ScanRecord, _ bytes: [UInt8]) -> Int {
        if common < record.name.count { return Int(bytes[record.name.lowerBound + common]) }
        return record.kind == .directory ? 0x2f : 0
    }
    return next(a, one) - next(b, other)
}

// Here and not in Platform, since generic code of another module would be slow.
extension [UInt8] {
    /// An integer in this machine's byte order, at any place.
    func native<Integer: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Integer.Type = Integer.self) -> Integer {
        precondition(offset >= 0 && offset <= count - MemoryLayout<Integer>.size)
        return unsafe withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }

    mutating func append(native value: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: value) { unsafe append(contentsOf: $0) }
    }

    /// The ID whose bytes are at this place.
    func id(at offset: Int) -> ObjectID {
        precondition(offset >= 0 && offset <= count - 20)
        return unsafe withUnsafeBytes { unsafe ObjectID(raw: UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + 20)])) }
    }

    /// Whether bytes of this array and of another are the same (memcmp(3)).
    func isSame(_ range: Range<Int>, as other: [UInt8], _ otherRange: Range<Int>) -> Bool {
        precondition(range.upperBound <= count && otherRange.upperBound <= other.count)
        guard range.count == otherRange.count else { return false }
        return unsafe withUnsafeBytes { one in
            unsafe other.withUnsafeBytes { other in
                let (one, other) = unsafe (one[range], other[otherRange])
                return unsafe range.isEmpty
                    || csys_same(
                        UnsafeRawBufferPointer(rebasing: one).baseAddress, UnsafeRawBufferPointer(rebasing: other).baseAddress, range.count)
            }
        }
    }
}
