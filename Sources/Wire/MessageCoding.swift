import Model

extension Request: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        // The agent only reads requests.
        #if !hasFeature(Embedded)
        switch self {
        case .prepare(let preparation):
            writer.byte(0)
            preparation.encode(to: &writer)
        case .content(let bytes):
            writer.byte(1)
            writer.blob(bytes)
        case .supply(let contents):
            writer.byte(2)
            writer.list(contents)
        case .apply: writer.byte(3)
        case .cancel: writer.byte(4)
        case .record: writer.byte(5)
        case .fetch(let ids):
            writer.byte(6)
            writer.list(ids)
        case .ping: writer.byte(7)
        case .confirm: writer.byte(8)
        case .log: writer.byte(9)
        case .verify(let apps):
            writer.byte(10)
            writer.list(apps)
        case .read(let paths):
            writer.byte(11)
            writer.list(paths)
        case .report: writer.byte(12)
        case .probe(let probes):
            writer.byte(13)
            writer.list(probes)
        }
        #endif
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        switch try reader.byte() {
        case 0: self = .prepare(try Preparation(from: &reader))
        case 1: self = .content(try reader.slice())
        case 2: self = .supply(try reader.list(of: Content.self))
        case 3: self = .apply
        case 4: self = .cancel
        case 5: self = .record
        case 6: self = .fetch(try reader.list(of: ObjectID.self))
        case 7: self = .ping
        case 8: self = .confirm
        case 9: self = .log
        case 10: self = .verify(try reader.list(of: PrivateApp.self))
        case 11: self = .read(try reader.list(of: AbsolutePath.self))
        case 12: self = .report
        case 13: self = .probe(try reader.list(of: Probe.self))
        default: throw .unknownCase
        }
    }
}

extension Preparation: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        writer.optional(expected)
        writer.text(holder)
        writer.text(login)
        record.encode(to: &writer)
        writer.list(contents)
        writer.list(steps)
        writer.byte(leavesNothing ? 1 : 0)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let expected = try reader.optional(ObjectID.self)
        let holder = try reader.text()
        let login = try reader.text()
        let record = try Record(from: &reader)
        let contents = try reader.list(of: Content.self)
        let steps = try reader.list(of: Step.self)
        self.init(
            expected: expected, holder: holder, login: login, record: record, contents: contents, steps: steps,
            leavesNothing: try reader.bool())
    }
}

extension Content: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        writer.id(id)
        writer.number(size)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let id = try reader.id()
        self.init(id: id, size: try reader.fileSize())
    }
}

extension ByteReader {
    /// The size of a file in bytes, at most the maximum of off_t.
    mutating func fileSize() throws(WireError) -> UInt64 {
        let size = try number()
        guard size <= UInt64(Int64.max) else { throw .tooLong }
        return size
    }
}

extension Reply: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        switch self {
        case .hello(let hello):
            writer.byte(0)
            hello.encode(to: &writer)
        case .locked: writer.byte(1)
        case .staged(let missing):
            writer.byte(2)
            writer.list(missing)
        case .busy(let holder):
            writer.byte(3)
            holder.encode(to: &writer)
        case .stale(let record):
            writer.byte(4)
            writer.optional(record)
        case .began(let step):
            writer.byte(5)
            writer.number(UInt64(step))
        case .undoing(let failure):
            writer.byte(6)
            failure.encode(to: &writer)
        case .finished(let outcome):
            writer.byte(Reply.finishedTag)
            outcome.encode(to: &writer)
        case .refused(let failure):
            writer.byte(8)
            failure.encode(to: &writer)
        case .record(let record):
            writer.byte(9)
            writer.optional(record)
        case .file(let size):
            writer.byte(10)
            if let size {
                writer.byte(1)
                writer.number(size)
            } else {
                writer.byte(0)
            }
        case .content(let bytes):
            writer.byte(11)
            writer.blob(bytes)
        case .pong: writer.byte(12)
        case .resumed(let contents):
            writer.byte(13)
            writer.list(contents)
        case .log(let bytes):
            writer.byte(14)
            writer.blob(bytes)
        case .waiting(let waiting):
            writer.byte(15)
            waiting.encode(to: &writer)
        case .drift(let drift):
            writer.byte(16)
            writer.list(drift)
        case .report(let bytes):
            writer.byte(17)
            writer.blob(bytes)
        case .obstructed(let failures, let more):
            writer.byte(18)
            writer.list(failures)
            writer.number(UInt64(more))
        case .unanswered(let answer, let elapsed, let limit):
            writer.byte(20)
            answer.encode(to: &writer)
            writer.number(UInt64(elapsed))
            writer.number(UInt64(limit))
        case .answer(let answer):
            writer.byte(21)
            answer.encode(to: &writer)
        case .tested(let status, let output):
            writer.byte(19)
            writer.small(status)
            writer.blob(output)
        }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        switch try reader.byte() {
        case 5: self = .began(step: try reader.count(limit: Int(Int32.max)))
        case 6: self = .undoing(try AgentError(from: &reader))
        case 7: self = .finished(try Outcome(from: &reader))
        case 15: self = .waiting(try Waiting(from: &reader))
        case 19:
            let status = try reader.small()
            self = .tested(status: status, output: try reader.blob(limit: Reply.testLimit))
        case 21: self = .answer(try ProbeAnswer(from: &reader))
        case 20:
            let answer = try ProbeAnswer(from: &reader)
            let elapsed = try reader.count(limit: Int(Int32.max))
            self = .unanswered(answer, elapsed: elapsed, limit: try reader.count(limit: Int(Int32.max)))
        case 18:
            let failures = try reader.list(of: AgentError.self, limit: AgentError.maximumTold)
            self = .obstructed(failures, more: try reader.count(limit: Int(Int32.max)))
        case 0: self = .hello(try Hello(from: &reader))
        case 1: self = .locked
        case 2: self = .staged(missing: try reader.list(of: ObjectID.self))
        case 3: self = .busy(try Holder(from: &reader))
        case 4: self = .stale(try reader.optional(Record.self))
        case 8: self = .refused(try AgentError(from: &reader))
        case 9: self = .record(try reader.optional(Record.self))
        case 10: self = .file(size: try reader.bool() ? try reader.fileSize() : nil)
        case 11: self = .content(try reader.blob(limit: Frame.contentLimit))
        case 12: self = .pong
        case 13: self = .resumed(try reader.list(of: Content.self))
        case 14: self = .log(try reader.blob(limit: 1 << 20))
        case 16: self = .drift(try reader.list(of: Drift.self))
        case 17: self = .report(try reader.blob(limit: 4 << 20))
        default: throw .unknownCase
        }
    }
}

extension Waiting: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        unit.encode(to: &writer)
        writer.byte(goal.rawValue)
        writer.number(UInt64(elapsed))
        writer.number(UInt64(limit))
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let unit = try UnitName(from: &reader)
        guard let goal = Goal(rawValue: try reader.byte()) else { throw .unknownCase }
        let elapsed = try reader.count(limit: Int(Int32.max))
        self.init(unit, goal, elapsed: elapsed, limit: try reader.count(limit: Int(Int32.max)))
    }
}

extension Holder: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        writer.text(name)
        writer.signed(since)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let name = try reader.text()
        self.init(name: name, since: try reader.signed())
    }
}

extension Hello: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        writer.text(hostname)
        writer.text(machineID)
        writer.byte(hasSystemd ? 1 : 0)
        writer.byte(isMountedLate ? 1 : 0)
        writer.byte(recoversAtBoot ? 1 : 0)
        writer.optional(commit)
        writer.optional(recovery)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let hostname = try reader.text()
        let machineID = try reader.text()
        let hasSystemd = try reader.bool()
        let isMountedLate = try reader.bool()
        let recoversAtBoot = try reader.bool()
        let commit = try reader.optional(ObjectID.self)
        self.init(
            hostname: hostname, machineID: machineID, hasSystemd: hasSystemd, isMountedLate: isMountedLate,
            recoversAtBoot: recoversAtBoot, commit: commit, recovery: try reader.optional(Outcome.self))
    }
}

extension Outcome: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        switch self {
        case .deployed: writer.byte(Ending.deployed.rawValue)
        case .rolledBack(let failure):
            writer.byte(Ending.rolledBack.rawValue)
            failure.encode(to: &writer)
        case .broken(let failure, let undoing, let remainder):
            writer.byte(Ending.broken.rawValue)
            failure.encode(to: &writer)
            writer.list(Array(undoing.prefix(AgentError.maximumTold)))
            writer.byte(remainder.rawValue)
        case .unchanged(let failure):
            writer.byte(Ending.unchanged.rawValue)
            failure.encode(to: &writer)
        }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        switch Ending(rawValue: try reader.byte()) {
        case .deployed: self = .deployed
        case .rolledBack: self = .rolledBack(try AgentError(from: &reader))
        case .broken:
            let failure = try AgentError(from: &reader)
            let undoing = try reader.list(of: AgentError.self, limit: AgentError.maximumTold)
            guard let remainder = Remainder(rawValue: try reader.byte()) else { throw .unknownCase }
            self = .broken(failure, undoing: undoing, remainder)
        case .unchanged: self = .unchanged(try AgentError(from: &reader))
        case nil: throw .unknownCase
        }
    }
}
