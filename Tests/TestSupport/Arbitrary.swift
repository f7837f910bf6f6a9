import Model
import Wire

/// Random values of everything that is sent or kept.
extension Seeded {
    package mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
    package mutating func bool() -> Bool { Bool.random(using: &self) }
    package mutating func pick<Value>(_ values: [Value]) -> Value { values[int(0...values.count - 1)] }

    package mutating func list<Value>(upTo limit: Int = 4, _ make: (inout Seeded) -> Value) -> [Value] {
        (0..<int(0...limit)).map { _ in make(&self) }
    }

    mutating func optional<Value>(_ make: (inout Seeded) -> Value) -> Value? { bool() ? make(&self) : nil }

    /// Any number, the small and the extreme ones often.
    mutating func number() -> Int {
        switch int(0...3) {
        case 0: pick([0, 1, -1, 127, 128, .max, .min])
        case 1: int(0...300)
        default: int(.min ... .max)
        }
    }

    /// Of those that are sent as 32 bits.
    mutating func small() -> Int {
        let number = number()
        return number == .max ? Int(Int32.max) : number == .min ? Int(Int32.min) : Int(Int32(truncatingIfNeeded: number))
    }

    /// Of what there is at most `Int32.max` of.
    mutating func count() -> Int { small() & Int(Int32.max) }

    mutating func text() -> String {
        String(String.UnicodeScalarView(list(upTo: 12) { $0.pick(["a", "/", " ", "\n", "\0", "ä", "€", "𐀀", "\u{301}"]) }))
    }

    package mutating func id() -> ObjectID { ObjectID(bytes(20)) ?? .of(.blob, []) }

    private mutating func word(_ alphabet: String) -> String {
        let characters = Array(alphabet)
        return String((0..<int(1...8)).map { _ in pick(characters) })
    }

    package mutating func app() -> AppName { AppName("a" + word("abcXYZ019.-_@+"))! }
    mutating func duration() -> Duration { .milliseconds(pick([0, 1, 24 * 3600 * 1000, int(0...24 * 3600 * 1000)])) }
    package mutating func unit() -> UnitName { UnitName(word("abc019_") + word("a:-_.\\@") + pick(UnitName.suffixes))! }

    mutating func relativePath() -> RelativePath {
        let parts = list(upTo: 3) { $0.word("aä€ .-") + "x" } + ["x"]
        return try! RelativePath(parts.joined(separator: "/"))
    }

    mutating func absolutePath() -> AbsolutePath { try! AbsolutePath("/" + relativePath().text) }

    mutating func file() -> FileEntry { FileEntry(path: relativePath(), isExecutable: bool(), id: id()) }
    mutating func link() -> Link { Link(path: absolutePath(), app: app(), source: relativePath()) }

    mutating func record() -> Record {
        Record(
            commit: id(), author: text(), time: Int64(number()),
            objects: list { RecordedObject(kind: $0.pick([.blob, .tree, .commit]), bytes: $0.bytes($0.int(0...40))) },
            apps: list { random in DeployedApp(name: random.app(), files: random.list { $0.file() }) },
            links: list { $0.link() },
            placed: list { PlacedFile(path: $0.absolutePath(), app: $0.app(), source: $0.relativePath(), access: $0.access()) },
            units: list { DeployedUnit(app: $0.app(), name: $0.unit()) })
    }

    mutating func access() -> FileAccess {
        FileAccess(mode: UInt32(int(0...0o7777)), owner: optional { UserName("u" + $0.word("abc019_.-"))! }, group: optional { $0.group() })
    }

    mutating func content() -> Content { Content(id: id(), size: UInt64(number() & .max)) }

    package mutating func step() -> Step {
        let action: Step.Action =
            switch int(0...26) {
            case 26: .unseal(files: int(0...300))
            case 20: .test(pick(Step.Test.allCases))
            case 18: .place(path: absolutePath(), source: relativePath(), access(), pick([.new, .updated]))
            case 19: .unplace(path: absolutePath())
            case 16: .displace(path: absolutePath(), found())
            case 0: .checkout(for: pick([.everybody, .root]))
            case 1: .activate
            case 2: .remove
            case 3: .link(path: absolutePath(), source: relativePath())
            case 4: .unlink(path: absolutePath())
            case 5: .sysusers
            case 6: .tmpfiles
            case 7: .disable(unit(), within: duration())
            case 8: .daemonReload
            case 9: .enable(unit(), .new)
            case 10: .enable(unit(), .refreshed)
            case 11: .start(unit(), ifUp: pick([.leave, .restart]), within: duration())
            case 12: .restart(unit(), because: .init(path: relativePath(), others: count()), within: duration())
            case 13: .confirm(within: duration(), because: .login(touched: optional { $0.text() }))
            case 15: .grant(group())
            case 21:
                .reload(unit(), because: .init(path: relativePath(), others: count()), ifDown: pick([.start, .leave]), within: duration())
            case 22: .restartIfUp(unit(), because: .init(path: relativePath(), others: count()), within: duration())
            case 23: .stop(unit(), within: duration())
            case 24: .validate([text()] + list { $0.text() }, within: duration())
            case 25: .probe(probe())
            case 14: .confirm(within: duration(), because: pick([.everyHost, .program]))
            default: .check(unit(), settle: int(0...1) == 0 ? nil : duration(), within: duration())
            }
        return Step(optional { $0.app() }, action)
    }

    mutating func endpoint() -> Endpoint { Endpoint(address: bytes(pick([0, 4, 16])), port: UInt16(int(0...65535))) }

    package mutating func probe() -> Probe {
        let target: Probe.Target =
            switch int(0...4) {
            case 0:
                .http(endpoint(), HTTPRequest(path: "/" + word("az09?&=/"), host: word("az.:"), status: optional { $0.int(100...599) }))
            case 1: .tcp(endpoint())
            case 2: .unix(absolutePath())
            case 3: .dns(endpoint(), name: DomainName(pick([".", "a.b", word("az09-_")]))!, type: pick(RecordType.allCases))
            default: .unit(unit())
            }
        var probe = Probe(target)
        (probe.within, probe.timeout, probe.successes) = (duration(), duration(), int(0...Probe.maximumSuccesses))
        return probe
    }

    package mutating func probeAnswer() -> ProbeAnswer {
        pick([
            .passed, .unreachable(code: small()), .notAccepted, .late(received: count()), .closed(received: count()), .status(count()),
            .notHTTP(bytes(int(0...64))), .headerTooLong, .cutOff(received: count(), of: optional { Int64($0.number() & .max) }),
            .responseCode(int(0...15)), .noRecord, .truncated, .malformed, .unrelated,
        ])
    }

    mutating func preparation() -> Preparation {
        Preparation(
            expected: optional { $0.id() }, holder: text(), login: text(), record: record(), contents: list { $0.content() },
            steps: list(upTo: 12) { $0.step() }, leavesNothing: bool())
    }

    mutating func request() -> Request {
        switch int(0...12) {
        case 10: .verify(list { PrivateApp($0.app(), group: $0.optional { $0.group() }) })
        case 11: .read(list { $0.absolutePath() })
        case 0: .prepare(preparation())
        case 1: .content(bytes(int(0...300))[...])
        case 2: .supply(list { $0.content() })
        case 3: .apply
        case 4: .cancel
        case 5: .record
        case 6: .fetch(list { $0.id() })
        case 7: .confirm
        case 8: .log
        case 9: .report
        default: .ping
        }
    }

    mutating func group() -> GroupName { GroupName("g" + word("abc019_.-"))! }

    mutating func found() -> Drift.Found {
        switch int(0...4) {
        case 0: .nothing
        case 1: .file(id(), size: UInt64(number() & .max))
        case 2: .symlink(to: text())
        case 3: .directory
        default: .other
        }
    }

    mutating func attributes() -> Drift.Attributes {
        Drift.Attributes(
            mode: UInt32(int(0...0o7777)), uid: UInt32(truncatingIfNeeded: number()), gid: UInt32(truncatingIfNeeded: number()))
    }

    package mutating func drift() -> Drift {
        let finding: Drift.Finding =
            switch int(0...10) {
            case 9: .secret(relativePath(), isThere: bool())
            case 7: .placed(absolutePath(), relativePath(), found())
            case 8: .enabledBy(unit(), absolutePath())
            case 0: .file(relativePath(), found())
            case 1: .extra(text())
            case 2: .attributes(text(), found: attributes(), recorded: attributes())
            case 3: .link(absolutePath(), relativePath(), found())
            case 4: .current(found())
            case 5: .disabled(unit())
            case 6: .unwell(unit(), unitProblem())
            default: .leftover(text())
            }
        return Drift(optional { $0.app() }, finding)
    }

    mutating func decodingProblem() -> WireError {
        pick([.truncated, .trailingBytes, .badNumber, .tooLong, .notUTF8, .unknownCase, .badValue])
    }

    mutating func unitProblem() -> UnitProblem {
        switch int(0...12) {
        case 12: .notOneshot
        case 9: .cannotReload
        case 10: .reloadFailed(result: text())
        case 11: .replaced
        case 0: .notLoaded(state: text())
        case 1: .failed(result: text(), status: small())
        case 2: .exited(status: small())
        case 3: .restarting(times: small())
        case 4: .draggedDown(with: unit(), state: text())
        case 5: .conflict(with: unit())
        case 6: .refusesStart
        case 7: .refusesStop
        default: .tooSlow(state: text(), seconds: small())
        }
    }

    mutating func problem() -> Problem {
        switch int(0...29) {
        case 29: .sealed(path: text(), pick(SealError.allCases))
        case 26: .check(of: app(), pick([.command(arguments: [text()], status: small(), output: text()), .noQuadlets]))
        case 27: .probe(optional { $0.probe() }, probeAnswer(), journal: text())
        case 28: .programRefused(status: optional { $0.int(0...200) })
        case 25: .noFuture(operation: text(), code: small())
        case 14: .newerFormat(path: text(), writer: text())
        case 15: .noUser(UserName("u" + word("abc"))!)
        case 16: .unitAlias(unit(), of: text())
        case 17: .placedChanged(absolutePath())
        case 20: .fixed(absolutePath(), code: small())
        case 21: .otherAccess(absolutePath(), found: access(), wanted: access(), link())
        case 22: .noRoom(in: absolutePath(), needed: UInt64(number() & .max), available: UInt64(number() & .max))
        case 24: .extendedAccess(absolutePath(), attribute: text())
        case 23: .noInodes(needed: UInt64(number() & .max), available: UInt64(number() & .max))
        case 18: .noQuadlets
        case 19: .noQuadletUnit(absolutePath(), output: text())
        case 0: .system(operation: text(), path: text(), code: small())
        case 1: .command(arguments: list { $0.text() }, status: small(), output: text())
        case 2: .timeout(arguments: list { $0.text() }, seconds: small())
        case 3: .unit(unit(), unitProblem(), journal: text())
        case 4: .occupied(absolutePath(), by: pick([.file, .directory, .symlink(to: text()), .other]), for: optional { $0.link() })
        case 5: .corrupt(path: text())
        case 6: .cancelled
        case 7: .disconnected
        case 8: .agentDied
        case 9: .interrupted
        case 10: .protocolViolation
        case 11: .notConfirmed(seconds: small())
        case 12: .otherHostFailed
        case 13: .noGroup(group())
        default: .unreadable(path: text(), decodingProblem())
        }
    }

    package mutating func failure() -> AgentError { AgentError(step: optional { min($0.count(), Int(Int32.max) - 1) }, problem()) }

    mutating func outcome() -> Outcome {
        switch int(0...2) {
        case 0: .deployed
        case 1: .rolledBack(failure())
        default: .broken(failure(), undoing: list { $0.failure() }, pick([.files, .units]))
        }
    }

    mutating func hello() -> Hello {
        Hello(
            hostname: text(), machineID: text(), hasSystemd: bool(), isMountedLate: bool(), recoversAtBoot: bool(),
            commit: optional { $0.id() },
            recovery: optional { $0.outcome() })
    }

    mutating func reply() -> Reply {
        switch int(0...19) {
        case 17: .obstructed(list { $0.failure() }, more: min(count(), Int(Int32.max)))
        case 18: .tested(status: small(), output: bytes(int(0...300)))
        case 16: .drift(list { $0.drift() })
        case 0: .hello(hello())
        case 1: .locked
        case 2: .staged(missing: list { $0.id() })
        case 3: .busy(LockHolder(name: text(), since: Int64(number())))
        case 4: .stale(optional { $0.record() })
        case 5: .began(step: count())
        case 6: .undoing(failure())
        case 7: .finished(outcome())
        case 8: .refused(failure())
        case 9: .record(optional { $0.record() })
        case 10: .file(size: optional { UInt64($0.number() & .max) })
        case 11: .content(bytes(int(0...300)))
        case 12: .resumed(list { $0.content() })
        case 13: .log(bytes(int(0...300)))
        case 14: .waiting(Waiting(unit(), pick([.ready, .stopped, .settled]), elapsed: count(), limit: count()))
        case 15: .report(bytes(int(0...300)))
        default: .pong
        }
    }
}
