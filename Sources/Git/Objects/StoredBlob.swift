import Model
import Platform

/// A large file in the store, as written by ``LargeBlobWriter``: a loose object of stored (uncompressed) blocks, the
/// first of which is Git's header. Read straight from the file, since libgit2 would map all of it into memory.
final class StoredBlob {
    private let file: FileDescriptor
    private let id: ObjectID
    private var buffer: ArraySlice<UInt8> = []
    /// Bytes left of the current block.
    private var left = 0

    private static let bufferSize = 256 << 10

    /// Nil if the store has it in another form, or not at all.
    init?(_ id: ObjectID, size: UInt64, objects: String) {
        self.id = id
        do throws(Errno) {
            file = try FileDescriptor(reading: "\(objects)/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))")
        } catch {
            return nil
        }
        let header = Array("blob \(size)".utf8) + [0]
        guard (try? take(2)) == [0x78, 0x01], (try? startBlock()) != nil, left == header.count, (try? take(left)) == header else {
            return nil
        }
        left = 0
    }

    /// The next `count` bytes, which must exist.
    func next(_ count: Int) throws(StoreError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            while left == 0 { try startBlock() }
            if buffer.isEmpty { try fill() }
            let piece = buffer.prefix(min(count - bytes.count, left))
            bytes += piece
            buffer = buffer.dropFirst(piece.count)
            left -= piece.count
        }
        return bytes
    }

    private func startBlock() throws(StoreError) {
        let header = try take(5)
        left = Int(header[1]) | Int(header[2]) << 8
        guard header[0] & 6 == 0, left ^ 0xffff == Int(header[3]) | Int(header[4]) << 8 else { throw .damagedObject(id) }
    }

    private func take(_ count: Int) throws(StoreError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            if buffer.isEmpty { try fill() }
            let piece = buffer.prefix(count - bytes.count)
            bytes += piece
            buffer = buffer.dropFirst(piece.count)
        }
        return bytes
    }

    private func fill() throws(StoreError) {
        buffer = ((try? file.read(upTo: Self.bufferSize)) ?? [])[...]
        if buffer.isEmpty { throw .damagedObject(id) }
    }
}
