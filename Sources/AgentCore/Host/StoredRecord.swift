import CSystem
import Model
import Wire

/// The record on disk, with additional data for the host itself.
final class StoredRecord: WireCodable {
    /// The agent that wrote it.
    let writer: String
    /// The machine id of the host that wrote it.
    let machineID: String
    let record: Record
    /// Directories that were made for links, outermost first. They are removed with the last link.
    let madeDirectories: [AbsolutePath]
    /// The symlinks created by enabling the record's units, each with the enabled unit.
    let enablement: [EnabledLink]
    /// Whether `enablement` is known: an agent that wrote version 1 did not record it.
    let knowsEnablement: Bool

    init(
        writer: String = "", machineID: String, record: Record, madeDirectories: [AbsolutePath], enablement: [EnabledLink] = [],
        knowsEnablement: Bool = true
    ) {
        self.writer = writer
        self.machineID = machineID
        self.record = record
        self.madeDirectories = madeDirectories
        self.enablement = enablement
        self.knowsEnablement = knowsEnablement
    }

    func encode(to bytes: inout ByteWriter) {
        FormatHeader.write(.record, by: writer, to: &bytes)
        bytes.text(machineID)
        record.encode(to: &bytes)
        bytes.list(madeDirectories)
        bytes.list(enablement)
        bytes.byte(knowsEnablement ? 1 : 0)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        let header = try FormatHeader(.record, from: &reader)
        guard header.version <= FormatHeader.Kind.record.current else { throw .unknownCase }
        writer = header.writer
        machineID = try reader.text()
        record = header.version == 1 ? try Record(withoutPlaced: &reader) : try Record(from: &reader)
        madeDirectories = try reader.list(of: AbsolutePath.self)
        enablement = header.version == 1 ? [] : try reader.list(of: EnabledLink.self)
        knowsEnablement = header.version == 1 ? false : try reader.bool()
    }

    /// The record of the deploy on this host; nil if there is none, or if another host wrote it, such as the host whose
    /// disk this is or was copied from.
    static func load(_ system: System) throws(AgentError) -> StoredRecord? {
        guard let stored = try read(system) else { return nil }
        // The id of this boot may become the permanent one.
        let ids = ["", system.machineID, system.firstLine(of: Layout.machineID) ?? ""]
        return ids.contains { isSameText($0, stored.machineID) } ? stored : nil
    }

    /// The record on disk, whichever host wrote it; nil if there is none.
    static func read(_ system: System) throws(AgentError) -> StoredRecord? {
        let bytes: [UInt8]?
        bytes = try system.contents(of: Layout.record, limit: Frame.limit)
        guard let bytes else { return nil }
        do {
            return try StoredRecord(decoding: bytes)
        } catch {
            throw AgentError(FormatHeader.problem(at: Layout.record, .record, bytes, after: error))
        }
    }
}

extension Record {
    /// The record of the deploy on this host; nil if there is none.
    static func load(_ system: System) throws(AgentError) -> Record? { try StoredRecord.load(system)?.record }
}

extension System {
    /// The content of `/etc/machine-id`; empty if no permanent id exists: before the end of the first boot, or where
    /// systemd has mounted one for this boot over it (machine-id(5)).
    var machineID: String {
        guard let id = firstLine(of: Layout.machineID), !isSameText(id, "uninitialized") else { return "" }
        if let now = try? status(of: Layout.machineID), let ofBoot = try? status(of: Layout.transientMachineID),
            now.inode == ofBoot.inode, now.device == ofBoot.device
        {
            return ""
        }
        return id
    }

    /// The first line that is no comment (hostname(5) allows them), without invisible characters.
    func firstLine(of path: AbsolutePath) -> String? {
        guard let contents = try? contents(of: path, limit: 4096) else { return nil }
        let lines = pieces(contents[...], at: 10)
        guard let line = lines.first(where: { $0.first != UInt8(ascii: "#") }) else { return nil }
        return String(decoding: line.filter { $0 > 0x20 && $0 != 0x7f }, as: UTF8.self)
    }
}
