import Model

extension Request: WireCodable {
    /// In the order of their bytes, from 0.
    private enum Tag: UInt8 {
        case prepare, content, supply, apply, cancel, record, fetch, ping, confirm, log, verify, read, report, probe
    }

    package func encode(to writer: inout ByteWriter) {
        // The agent only reads requests.
        #if !hasFeature(Embedded)
        switch self {
        case .prepare(let preparation):
            writer.byte(Tag.prepare.rawValue)
            preparation.encode(to: &writer)
        case .content(let bytes):
            writer.byte(Tag.content.rawValue)
            writer.blob(bytes)
        case .supply(let contents):
            writer.byte(Tag.supply.rawValue)
            writer.list(contents)
        case .apply: writer.byte(Tag.apply.rawValue)
        case .cancel: writer.byte(Tag.cancel.rawValue)
        case .record: writer.byte(Tag.record.rawValue)
        case .fetch(let ids):
            writer.byte(Tag.fetch.rawValue)
            writer.list(ids)
        case .ping: writer.byte(Tag.ping.rawValue)
        case .confirm: writer.byte(Tag.confirm.rawValue)
        case .log: writer.byte(Tag.log.rawValue)
        case .verify(let apps):
            writer.byte(Tag.verify.rawValue)
            writer.list(apps)
        case .read(let paths):
            writer.byte(Tag.read.rawValue)
            writer.list(paths)
        case .report: writer.byte(Tag.report.rawValue)
        case .probe(let probes):
            writer.byte(Tag.probe.rawValue)
            writer.list(probes)
        }
        #endif
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        guard let tag = Tag(rawValue: try reader.byte()) else { throw .unknownCase }
        switch tag {
        case .prepare: self = .prepare(try Preparation(from: &reader))
        case .content: self = .content(try reader.slice())
        case .supply: self = .supply(try reader.list(of: Content.self))
        case .apply: self = .apply
        case .cancel: self = .cancel
        case .record: self = .record
        case .fetch: self = .fetch(try reader.list(of: ObjectID.self))
        case .ping: self = .ping
        case .confirm: self = .confirm
        case .log: self = .log
        case .verify: self = .verify(try reader.list(of: PrivateApp.self))
        case .read: self = .read(try reader.list(of: AbsolutePath.self))
        case .report: self = .report
        case .probe: self = .probe(try reader.list(of: Probe.self))
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
    /// In the order of their bytes, from 0.
    enum Tag: UInt8 {
        case hello, locked, staged, busy, stale, began, undoing, finished, refused, record, file, content, pong, resumed, log, waiting,
            drift, report, obstructed, tested, unanswered, answer
    }

    package func encode(to writer: inout ByteWriter) {
        switch self {
        case .hello(let hello):
            writer.byte(Tag.hello.rawValue)
            hello.encode(to: &writer)
        case .locked: writer.byte(Tag.locked.rawValue)
        case .staged(let missing):
            writer.byte(Tag.staged.rawValue)
            writer.list(missing)
        case .busy(let holder):
            writer.byte(Tag.busy.rawValue)
            holder.encode(to: &writer)
        case .stale(let record):
            writer.byte(Tag.stale.rawValue)
            writer.optional(record)
        case .began(let step):
            writer.byte(Tag.began.rawValue)
            writer.number(UInt64(step))
        case .undoing(let failure):
            writer.byte(Tag.undoing.rawValue)
            failure.encode(to: &writer)
        case .finished(let outcome):
            writer.byte(Tag.finished.rawValue)
            outcome.encode(to: &writer)
        case .refused(let failure):
            writer.byte(Tag.refused.rawValue)
            failure.encode(to: &writer)
        case .record(let record):
            writer.byte(Tag.record.rawValue)
            writer.optional(record)
        case .file(let size):
            writer.byte(Tag.file.rawValue)
            if let size {
                writer.byte(1)
                writer.number(size)
            } else {
                writer.byte(0)
            }
        case .content(let bytes):
            writer.byte(Tag.content.rawValue)
            writer.blob(bytes)
        case .pong: writer.byte(Tag.pong.rawValue)
        case .resumed(let contents):
            writer.byte(Tag.resumed.rawValue)
            writer.list(contents)
        case .log(let bytes):
            writer.byte(Tag.log.rawValue)
            writer.blob(bytes)
        case .waiting(let waiting):
            writer.byte(Tag.waiting.rawValue)
            waiting.encode(to: &writer)
        case .drift(let drift):
            writer.byte(Tag.drift.rawValue)
            writer.list(drift)
        case .report(let bytes):
            writer.byte(Tag.report.rawValue)
            writer.blob(bytes)
        case .obstructed(let failures, let more):
            writer.byte(Tag.obstructed.rawValue)
            writer.list(failures)
            writer.number(UInt64(more))
        case .unanswered(let answer, let elapsed, let limit):
            writer.byte(Tag.unanswered.rawValue)
            answer.encode(to: &writer)
            writer.number(UInt64(elapsed))
            writer.number(UInt64(limit))
        case .answer(let answer):
            writer.byte(Tag.answer.rawValue)
            answer.encode(to: &writer)
        case .tested(let status, let output):
            writer.byte(Tag.tested.rawValue)
            writer.small(status)
            writer.blob(output)
        }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        guard let tag = Tag(rawValue: try reader.byte()) else { throw .unknownCase }
        switch tag {
        case .began: self = .began(step: try reader.count(limit: Int(Int32.max)))
        case .undoing: self = .undoing(try AgentError(from: &reader))
        case .finished: self = .finished(try Outcome(from: &reader))
        case .waiting: self = .waiting(try Waiting(from: &reader))
        case .tested:
            let status = try reader.small()
            self = .tested(status: status, output: try reader.blob(limit: Reply.testLimit))
        case .answer: self = .answer(try ProbeAnswer(from: &reader))
        case .unanswered:
            let answer = try ProbeAnswer(from: &reader)
            let elapsed = try reader.count(limit: Int(Int32.max))
            self = .unanswered(answer, elapsed: elapsed, limit: try reader.count(limit: Int(Int32.max)))
        case .obstructed:
            let failures = try reader.list(of: AgentError.self, limit: AgentError.maximumTold)
            self = .obstructed(failures, more: try reader.count(limit: Int(Int32.max)))
        case .hello: self = .hello(try Hello(from: &reader))
        case .locked: self = .locked
        case .staged: self = .staged(missing: try reader.list(of: ObjectID.self))
        case .busy: self = .busy(try LockHolder(from: &reader))
        case .stale: self = .stale(try reader.optional(Record.self))
        case .refused: self = .refused(try AgentError(from: &reader))
        case .record: self = .record(try reader.optional(Record.self))
        case .file: self = .file(size: try reader.bool() ? try reader.fileSize() : nil)
        case .content: self = .content(try reader.blob(limit: Frame.contentLimit))
        case .pong: self = .pong
        case .resumed: self = .resumed(try reader.list(of: Content.self))
        case .log: self = .log(try reader.blob(limit: 1 << 20))
        case .drift: self = .drift(try reader.list(of: Drift.self))
        case .report: self = .report(try reader.blob(limit: 4 << 20))
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

extension LockHolder: WireCodable {
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
