import CGit2
import Model

/// An object as it is in a pack.
struct PackedObject: Sendable {
    let id: ObjectID
    fileprivate let data: [UInt8]
    fileprivate let crc: UInt32

    /// `bytes` are at most 1 GiB.
    init(_ kind: ObjectKind, _ id: ObjectID, _ bytes: [UInt8]) {
        let type: UInt8 =
            switch kind {
            case .commit: 1
            case .tree: 2
            case .blob: 3
            }
        var data: [UInt8] = []
        data.reserveCapacity(bytes.count + 32)
        var rest = bytes.count >> 4
        data.append(type << 4 | UInt8(bytes.count & 15) | (rest > 0 ? 0x80 : 0))
        while rest > 0 {
            data.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
            rest >>= 7
        }
        var zlib = StoredZlib(into: &data)
        zlib.add(bytes, into: &data)
        zlib.finish(into: &data)
        self.id = id
        self.data = data
        crc = unsafe data.withUnsafeBufferPointer { UInt32(truncatingIfNeeded: unsafe crc32_z(0, $0.baseAddress, $0.count)) }
    }
}

/// Writes one pack (gitformat-pack(5)) and its index: many small objects in two files instead of one file each. No
/// deltas, no compression.
final class PackWriter {
    private let directory: String
    private let file: OutputFile
    private var entries: [Entry] = []

    private struct Entry {
        var id: ObjectID
        var crc: UInt32
        var offset: UInt32
    }

    /// Bytes so far.
    var size: Int { Int(file.size) }
    /// Offsets in the index have 31 bits.
    var isFull: Bool { file.size > 1 << 30 || entries.count > 1 << 24 }

    init(objects: String) throws(StoreError) {
        directory = objects + "/pack"
        file = try OutputFile(in: directory, mode: 0o444)
        // The number of objects is patched in once known.
        try file.write(Array("PACK".utf8) + [0, 0, 0, 2] + [0, 0, 0, 0])
    }

    /// Adds an object that is not in the pack yet.
    func add(_ object: PackedObject) throws(StoreError) {
        entries.append(Entry(id: object.id, crc: object.crc, offset: UInt32(file.size)))
        try file.write(object.data)
    }

    /// Puts the pack into the store, with its bytes on disk. Returns its path without `.pack`.
    @discardableResult
    func finish() throws(StoreError) -> String {
        var count: [UInt8] = []
        count.append(bigEndian: UInt32(entries.count))
        try file.patch(count, at: 8)
        var hash = SHA1()
        try file.reread { hash.update($0) }
        let checksum = hash.finish().bytes
        try file.write(checksum)
        let name = "\(directory)/pack-\(hex(checksum))"
        let index = try OutputFile(in: directory, mode: 0o444)
        try index.write(indexBytes(pack: checksum))
        // Readers find a pack by its index.
        try file.finish(as: name + ".pack", .now)
        try index.finish(as: name + ".idx", .now)
        return name
    }

    /// Version 2 of the index.
    private func indexBytes(pack checksum: [UInt8]) -> [UInt8] {
        entries.sort { $0.id < $1.id }
        var result: [UInt8] = [0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2]
        result.reserveCapacity(1100 + entries.count * 28)
        var counts = [UInt32](repeating: 0, count: 256)
        for entry in entries { counts[Int(entry.id.bytes[0])] += 1 }
        var total: UInt32 = 0
        for count in counts {
            total += count
            result.append(bigEndian: total)
        }
        for entry in entries { result += entry.id.bytes }
        for entry in entries { result.append(bigEndian: entry.crc) }
        for entry in entries { result.append(bigEndian: entry.offset) }
        result += checksum
        var hash = SHA1()
        hash.update(result)
        return result + hash.finish().bytes
    }
}
