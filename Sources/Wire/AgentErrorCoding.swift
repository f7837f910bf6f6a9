import Model

extension AgentError: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        writer.number(step.map { UInt64($0) + 1 } ?? 0)
        problem.encode(to: &writer)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let step = try reader.count(limit: Int(Int32.max))
        self.init(step: step == 0 ? nil : step - 1, try Problem(from: &reader))
    }
}

extension Problem: WireCodable {
    /// The limit on the output of a program or unit, in bytes. The agent sends less.
    private static var maximumOutput: Int { 16 << 10 }

    package func encode(to writer: inout ByteWriter) {
        switch self {
        case .system(let operation, let path, let code):
            writer.byte(0)
            writer.text(operation)
            writer.text(path)
            writer.small(code)
        case .command(let arguments, let status, let output):
            writer.byte(1)
            writer.texts(arguments)
            writer.small(status)
            writer.text(output)
        case .timeout(let arguments, let seconds):
            writer.byte(2)
            writer.texts(arguments)
            writer.small(seconds)
        case .unit(let unit, let problem, let journal):
            writer.byte(3)
            unit.encode(to: &writer)
            problem.encode(to: &writer)
            writer.text(journal)
        case .occupied(let path, let occupant, let link):
            writer.byte(4)
            path.encode(to: &writer)
            occupant.encode(to: &writer)
            writer.optional(link)
        case .corrupt(let path):
            writer.byte(5)
            writer.text(path)
        case .cancelled: writer.byte(6)
        case .disconnected: writer.byte(7)
        case .agentDied: writer.byte(8)
        case .interrupted: writer.byte(9)
        case .protocolViolation: writer.byte(10)
        case .unreadable(let path, let problem):
            writer.byte(11)
            writer.text(path)
            problem.encode(to: &writer)
        case .newerFormat(let path, let writtenBy):
            writer.byte(32)
            writer.text(path)
            writer.text(writtenBy)
        case .noUser(let user):
            writer.byte(33)
            user.encode(to: &writer)
        case .unitAlias(let unit, let name):
            writer.byte(34)
            unit.encode(to: &writer)
            writer.text(name)
        case .placedChanged(let path):
            writer.byte(35)
            path.encode(to: &writer)
        case .fixed(let path, let code):
            writer.byte(36)
            path.encode(to: &writer)
            writer.small(code)
        case .otherAccess(let path, let found, let wanted, let link):
            writer.byte(37)
            path.encode(to: &writer)
            found.encode(to: &writer)
            wanted.encode(to: &writer)
            link.encode(to: &writer)
        case .extendedAccess(let path, let attribute):
            writer.byte(42)
            path.encode(to: &writer)
            writer.text(attribute)
        case .noRoom(let directory, let needed, let available):
            writer.byte(38)
            directory.encode(to: &writer)
            writer.number(needed)
            writer.number(available)
        case .noInodes(let needed, let available):
            writer.byte(39)
            writer.number(needed)
            writer.number(available)
        case .notConfirmed(let seconds):
            writer.byte(12)
            writer.small(seconds)
        case .otherHostFailed: writer.byte(13)
        case .programRefused(let status):
            writer.byte(46)
            writer.small(status ?? -1)
        case .noGroup(let group):
            writer.byte(14)
            group.encode(to: &writer)
        case .noQuadlets: writer.byte(40)
        case .noQuadletUnit(let path, let output):
            writer.byte(41)
            path.encode(to: &writer)
            writer.text(output)
        case .check(let app, let problem):
            writer.byte(44)
            app.encode(to: &writer)
            problem.encode(to: &writer)
        case .probe(let probe, let answer, let journal):
            writer.byte(45)
            #if hasFeature(Embedded)
            writer.byte(0)
            #else
            writer.optional(probe)
            #endif
            answer.encode(to: &writer)
            writer.text(journal)
        case .noFuture(let operation, let code):
            writer.byte(43)
            writer.text(operation)
            writer.small(code)
        case .sealed(let path, let problem):
            writer.byte(47)
            writer.text(path)
            writer.byte(problem.rawValue)
        }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        switch try reader.byte() {
        case 0:
            let operation = try reader.text()
            let path = try reader.text()
            self = .system(operation: operation, path: path, code: try reader.small())
        case 1:
            let arguments = try reader.texts()
            let status = try reader.small()
            self = .command(arguments: arguments, status: status, output: try reader.text(limit: Self.maximumOutput))
        case 2:
            let arguments = try reader.texts()
            self = .timeout(arguments: arguments, seconds: try reader.small())
        case 3:
            let unit = try UnitName(from: &reader)
            let problem = try UnitProblem(from: &reader)
            self = .unit(unit, problem, journal: try reader.text(limit: Self.maximumOutput))
        case 4:
            let path = try AbsolutePath(from: &reader)
            let occupant = try Occupant(from: &reader)
            self = .occupied(path, by: occupant, for: try reader.optional(Link.self))
        case 5: self = .corrupt(path: try reader.text())
        case 6: self = .cancelled
        case 7: self = .disconnected
        case 8: self = .agentDied
        case 9: self = .interrupted
        case 10: self = .protocolViolation
        case 40: self = .noQuadlets
        case 41:
            let path = try AbsolutePath(from: &reader)
            self = .noQuadletUnit(path, output: try reader.text(limit: Self.maximumOutput))
        case 11:
            let path = try reader.text()
            self = .unreadable(path: path, try WireError(from: &reader))
        case 32:
            let path = try reader.text()
            self = .newerFormat(path: path, writer: try reader.text())
        case 33: self = .noUser(try UserName(from: &reader))
        case 34:
            let unit = try UnitName(from: &reader)
            self = .unitAlias(unit, of: try reader.text())
        case 35: self = .placedChanged(try AbsolutePath(from: &reader))
        case 36:
            let path = try AbsolutePath(from: &reader)
            self = .fixed(path, code: try reader.small())
        case 37:
            let path = try AbsolutePath(from: &reader)
            let found = try FileAccess(from: &reader)
            let wanted = try FileAccess(from: &reader)
            self = .otherAccess(path, found: found, wanted: wanted, try Link(from: &reader))
        case 42:
            let path = try AbsolutePath(from: &reader)
            self = .extendedAccess(path, attribute: try reader.text())
        case 44:
            let app = try AppName(from: &reader)
            // Checks do not nest: a message could hold any number of levels.
            var ahead = reader
            if try ahead.byte() == 44 { throw .badValue }
            let problem = try Problem(from: &reader)
            self = .check(of: app, problem)
        case 45:
            let probe = try reader.optional(Probe.self)
            let answer = try ProbeAnswer(from: &reader)
            self = .probe(probe, answer, journal: try reader.text(limit: Self.maximumOutput))
        case 43:
            let operation = try reader.text()
            self = .noFuture(operation: operation, code: try reader.small())
        case 38:
            let directory = try AbsolutePath(from: &reader)
            let needed = try reader.number()
            self = .noRoom(in: directory, needed: needed, available: try reader.number())
        case 39:
            let needed = try reader.number()
            self = .noInodes(needed: needed, available: try reader.number())
        case 12: self = .notConfirmed(seconds: try reader.small())
        case 13: self = .otherHostFailed
        case 46:
            let status = try reader.small()
            self = .programRefused(status: status == -1 ? nil : status)
        case 47:
            let path = try reader.text()
            guard let problem = SealError(rawValue: try reader.byte()) else { throw .unknownCase }
            self = .sealed(path: path, problem)
        case 14: self = .noGroup(try GroupName(from: &reader))
        default: throw .unknownCase
        }
    }
}

extension ByteWriter {
    /// Writes the arguments of a program, at most the first hundred.
    mutating func texts(_ values: [String]) {
        let told = values.prefix(100)
        number(UInt64(told.count))
        for value in told { text(value) }
    }
}

extension ByteReader {
    mutating func texts() throws(WireError) -> [String] {
        let count = try count(limit: 100)
        var values: [String] = []
        for _ in 0..<count { values.append(try text()) }
        return values
    }
}

extension Occupant: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        switch self {
        case .file: writer.byte(0)
        case .directory: writer.byte(1)
        case .symlink(let target):
            writer.byte(2)
            writer.text(target)
        case .other: writer.byte(3)
        }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        switch try reader.byte() {
        case 0: self = .file
        case 1: self = .directory
        case 2: self = .symlink(to: try reader.text())
        case 3: self = .other
        default: throw .unknownCase
        }
    }
}

extension UnitProblem: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        switch self {
        case .notLoaded(let state):
            writer.byte(0)
            writer.text(state)
        case .failed(let result, let status):
            writer.byte(1)
            writer.text(result)
            writer.small(status)
        case .exited(let status):
            writer.byte(2)
            writer.small(status)
        case .restarting(let times):
            writer.byte(3)
            writer.small(times)
        case .tooSlow(let state, let seconds):
            writer.byte(4)
            writer.text(state)
            writer.small(seconds)
        case .draggedDown(let cause, let state):
            writer.byte(5)
            cause.encode(to: &writer)
            writer.text(state)
        case .conflict(let other):
            writer.byte(6)
            other.encode(to: &writer)
        case .refusesStart: writer.byte(7)
        case .refusesStop: writer.byte(8)
        case .cannotReload: writer.byte(9)
        case .reloadFailed(let result):
            writer.byte(10)
            writer.text(result)
        case .replaced: writer.byte(11)
        case .notOneshot: writer.byte(12)
        }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        switch try reader.byte() {
        case 0: self = .notLoaded(state: try reader.text())
        case 1:
            let result = try reader.text()
            self = .failed(result: result, status: try reader.small())
        case 2: self = .exited(status: try reader.small())
        case 3: self = .restarting(times: try reader.small())
        case 4:
            let state = try reader.text()
            self = .tooSlow(state: state, seconds: try reader.small())
        case 5:
            let cause = try UnitName(from: &reader)
            self = .draggedDown(with: cause, state: try reader.text())
        case 6: self = .conflict(with: try UnitName(from: &reader))
        case 7: self = .refusesStart
        case 8: self = .refusesStop
        case 9: self = .cannotReload
        case 10: self = .reloadFailed(result: try reader.text())
        case 11: self = .replaced
        case 12: self = .notOneshot
        default: throw .unknownCase
        }
    }
}

extension WireError: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        switch self {
        case .truncated: writer.byte(0)
        case .trailingBytes: writer.byte(1)
        case .badNumber: writer.byte(2)
        case .tooLong: writer.byte(3)
        case .notUTF8: writer.byte(4)
        case .unknownCase: writer.byte(5)
        case .badValue: writer.byte(6)
        }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        switch try reader.byte() {
        case 0: self = .truncated
        case 1: self = .trailingBytes
        case 2: self = .badNumber
        case 3: self = .tooLong
        case 4: self = .notUTF8
        case 5: self = .unknownCase
        case 6: self = .badValue
        default: throw .unknownCase
        }
    }
}
