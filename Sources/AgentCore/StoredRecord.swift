import Model
import Wire

/// The record as it is on disk, with what the host itself has to remember beside it.
struct StoredRecord: WireCodable {
    /// Of the host that wrote it.
    var machineID: String
    var record: Record
    /// Directories that were made for links, the outermost first: they go with the last link.
    var madeDirectories: [AbsolutePath]

    init(machineID: String, record: Record, madeDirectories: [AbsolutePath]) {
        self.machineID = machineID
        self.record = record
        self.madeDirectories = madeDirectories
    }

    func encode(to writer: inout ByteWriter) {
        writer.text(machineID)
        record.encode(to: &writer)
        writer.list(madeDirectories)
    }

    init(from reader: inout ByteReader) throws(DecodingProblem) {
        machineID = try reader.text()
        record = try Record(from: &reader)
        madeDirectories = try reader.list(of: AbsolutePath.self)
    }

    /// What is deployed on this host; nil for nothing, also when the record is that of another host, whose disk this one
    /// was copied from or is.
    static func load(_ system: System) throws(Failure) -> StoredRecord? {
        let bytes: [UInt8]?
        bytes = try system.contents(of: Layout.record, limit: Frame.limit)
        guard let bytes else { return nil }
        do {
            let stored = try StoredRecord(decoding: bytes)
            return stored.machineID.isEmpty || stored.machineID == system.machineID ? stored : nil
        } catch {
            throw Failure(.unreadable(path: Layout.record.text, error))
        }
    }
}

extension Record {
    /// What is deployed on this host; nil for nothing.
    static func load(_ system: System) throws(Failure) -> Record? { try StoredRecord.load(system)?.record }
}

extension System {
    /// The content of `/etc/machine-id`; empty where there is none.
    var machineID: String { firstLine(of: Layout.machineID) ?? "" }

    /// The first line that is no comment (hostname(5) has such), without what nobody could see.
    func firstLine(of path: AbsolutePath) -> String? {
        guard let contents = try? contents(of: path, limit: 4096) else { return nil }
        let lines = contents.split(separator: UInt8(ascii: "\n"))
        guard let line = lines.first(where: { $0.first != UInt8(ascii: "#") }) else { return nil }
        return String(decoding: line.filter { $0 > 0x20 && $0 != 0x7f }, as: UTF8.self)
    }
}
