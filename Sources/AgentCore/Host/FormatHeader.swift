import Model
import Wire

/// The header of a record or journal on disk: its kind, its format version, and the agent that wrote it. Version 1 had no
/// header. Every later version begins with this one, so that an agent can name the writer of a file that it cannot read.
struct FormatHeader: Equatable {
    enum Kind: UInt8 {
        case record = 1
        case journal

        /// The newest version that this agent reads; also the version that it writes.
        var current: Int { self == .journal ? 5 : 2 }
    }

    var version: Int
    /// The file name of the agent in `Layout.agents`; empty if it is not there.
    var writer: String

    /// No file of version 1 begins with these bytes: a record began with the host's machine id, a journal with 0 or 1.
    private static var magic: [UInt8] { [0xff, 0x64, 0x65, 0x70] }

    static func write(_ kind: Kind, by writer: String, to bytes: inout ByteWriter) {
        for byte in magic { bytes.byte(byte) }
        bytes.byte(kind.rawValue)
        bytes.number(UInt64(kind.current))
        bytes.text(writer)
    }

    /// Reads the header. Without one, the version is 1 and nothing is consumed.
    init(_ kind: Kind, from reader: inout ByteReader) throws(WireError) {
        (version, writer) = (1, "")
        var ahead = reader
        for byte in Self.magic {
            guard let next = try? ahead.byte(), next == byte else { return }
        }
        guard try ahead.byte() == kind.rawValue else { throw .unknownCase }
        version = try ahead.count(limit: Int(Int32.max))
        writer = try ahead.text()
        guard version > 1 else { throw .badValue }
        reader = ahead
    }

    /// The reason why a file could not be read, such as a format that only a newer agent can read.
    static func problem(at path: AbsolutePath, _ kind: Kind, _ bytes: [UInt8], after problem: WireError) -> Problem {
        var reader = ByteReader(bytes)
        guard let header = try? FormatHeader(kind, from: &reader), header.version > kind.current else {
            return .unreadable(path: path.text, problem)
        }
        return .newerFormat(path: path.text, writer: header.writer)
    }
}
