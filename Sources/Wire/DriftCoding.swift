import Model

extension Drift: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        writer.optional(app)
        switch finding {
        case .file(let path, let found):
            writer.byte(0)
            path.encode(to: &writer)
            found.encode(to: &writer)
        case .extra(let path):
            writer.byte(1)
            writer.text(path)
        case .attributes(let path, let found, let recorded):
            writer.byte(2)
            writer.text(path)
            found.encode(to: &writer)
            recorded.encode(to: &writer)
        case .link(let path, let source, let found):
            writer.byte(3)
            path.encode(to: &writer)
            source.encode(to: &writer)
            found.encode(to: &writer)
        case .current(let found):
            writer.byte(4)
            found.encode(to: &writer)
        case .disabled(let unit):
            writer.byte(5)
            unit.encode(to: &writer)
        case .unwell(let unit, let problem):
            writer.byte(6)
            unit.encode(to: &writer)
            problem.encode(to: &writer)
        case .leftover(let path):
            writer.byte(7)
            writer.text(path)
        case .enabledBy(let unit, let path):
            writer.byte(9)
            unit.encode(to: &writer)
            path.encode(to: &writer)
        case .secret(let path, let isThere):
            writer.byte(10)
            path.encode(to: &writer)
            writer.byte(isThere ? 1 : 0)
        case .placed(let path, let source, let found):
            writer.byte(8)
            path.encode(to: &writer)
            source.encode(to: &writer)
            found.encode(to: &writer)
        }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let app = try reader.optional(AppName.self)
        let finding: Finding
        switch try reader.byte() {
        case 0:
            let path = try RelativePath(from: &reader)
            finding = .file(path, try Found(from: &reader))
        case 1: finding = .extra(try reader.text())
        case 2:
            let path = try reader.text()
            let found = try Attributes(from: &reader)
            finding = .attributes(path, found: found, recorded: try Attributes(from: &reader))
        case 3:
            let path = try AbsolutePath(from: &reader)
            let source = try RelativePath(from: &reader)
            finding = .link(path, source, try Found(from: &reader))
        case 4: finding = .current(try Found(from: &reader))
        case 5: finding = .disabled(try UnitName(from: &reader))
        case 6:
            let unit = try UnitName(from: &reader)
            finding = .unwell(unit, try UnitProblem(from: &reader))
        case 7: finding = .leftover(try reader.text())
        case 8:
            let path = try AbsolutePath(from: &reader)
            let source = try RelativePath(from: &reader)
            finding = .placed(path, source, try Found(from: &reader))
        case 9:
            let unit = try UnitName(from: &reader)
            finding = .enabledBy(unit, try AbsolutePath(from: &reader))
        case 10:
            let path = try RelativePath(from: &reader)
            finding = .secret(path, isThere: try reader.bool())
        default: throw .unknownCase
        }
        self.init(app, finding)
    }
}

extension Drift.Found: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        switch self {
        case .nothing: writer.byte(0)
        case .file(let id, let size):
            writer.byte(1)
            writer.id(id)
            writer.number(size)
        case .symlink(let target):
            writer.byte(2)
            writer.text(target)
        case .directory: writer.byte(3)
        case .other: writer.byte(4)
        }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        switch try reader.byte() {
        case 0: self = .nothing
        case 1:
            let id = try reader.id()
            self = .file(id, size: try reader.fileSize())
        case 2: self = .symlink(to: try reader.text())
        case 3: self = .directory
        case 4: self = .other
        default: throw .unknownCase
        }
    }
}

extension Drift.Attributes: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        for number in [mode, uid, gid] { writer.number(UInt64(number)) }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let mode = try reader.word()
        let uid = try reader.word()
        self.init(mode: mode, uid: uid, gid: try reader.word())
    }
}

extension PrivateApp: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        app.encode(to: &writer)
        writer.optional(group)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let app = try AppName(from: &reader)
        self.init(app, group: try reader.optional(GroupName.self))
    }
}

extension ByteReader {
    /// A mode, or the number of a user or group.
    package mutating func word() throws(WireError) -> UInt32 {
        guard let word = UInt32(exactly: try number()) else { throw .tooLong }
        return word
    }
}
