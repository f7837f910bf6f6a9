import CSystem
import Model
import Wire

/// One session of the agent: it greets, then does what it is asked until its input ends.
///
/// It decides nothing. A request that makes no sense, or bytes that are no request, end the session; what was under way
/// is undone or dropped first.
public final class Agent {
    private let system: System
    private let port: Port
    private let executor: any Executor
    /// The file name of the program that runs, which a clean-up must not remove.
    private let ownName: String

    public init(system: System, port: Port, executor: any Executor, ownName: String) {
        self.system = system
        self.port = port
        self.executor = executor
        self.ownName = ownName
    }

    private var hasSystemd: Bool { ((try? system.status(of: Layout.systemdRunning)) ?? nil) != nil }

    /// Nobody watches where nobody may interrupt.
    private func systemd(_ supervisor: (any Supervisor)?) -> Systemd? {
        guard hasSystemd else { return nil }
        return Systemd(command: Command(system: system, interruption: supervisor ?? Uninterrupted()), audience: supervisor)
    }

    public func run() {
        port.send(magic: Frame.magic)
        do {
            let recovery = try recover()
            port.send(.hello(try hello(recovery)))
        } catch {
            return port.send(.refused(error))
        }
        while true {
            switch port.receive() {
            case .request(.prepare(let preparation)):
                do { try deploy(preparation) } catch { return port.send(.refused(error)) }
            case .request(.record):
                do { port.send(.record(try Record.load(system))) } catch { return port.send(.refused(error)) }
            case .request(.fetch(let ids)):
                do { try send(ids) } catch { return port.send(.refused(error)) }
            case .request(.verify(let apps)):
                do { try verify(apps) } catch { return port.send(.refused(error)) }
            case .request(.read(let paths)):
                do { for path in paths { try send(path, limit: Drift.largestShown) } } catch { return port.send(.refused(error)) }
            case .request(.log):
                do { port.send(.log(try HostLog(system: system).tail())) } catch { return port.send(.refused(error)) }
            case .request(.report):
                let report = HostReport(system: system, systemd: systemd(nil), agent: ownName)
                do { port.send(.report(try report.bytes())) } catch { return port.send(.refused(error)) }
            case .request(.ping): port.send(.pong)
            case .request(.cancel): break  // nothing is under way
            case .request(.content): break  // the rest of a deploy that was turned down
            case .request(.supply), .request(.apply), .request(.confirm): return port.send(.refused(Failure(.protocolViolation)))
            case .malformed(let problem): return port.send(.refused(Failure(.unreadable(path: "request", problem))))
            case .ended, .none: return
            }
        }
    }

    // MARK: Greeting

    private func hello(_ recovery: Outcome?) throws(Failure) -> Hello {
        let record = try Record.load(system)
        return Hello(
            hostname: hostname(), machineID: system.machineID, hasSystemd: hasSystemd,
            commit: record?.commit, recovery: recovery)
    }

    private func hostname() -> String {
        if let name = system.firstLine(of: Layout.hostname), !name.isEmpty { return name }
        var buffer = [CChar](repeating: 0, count: 256)
        let length = csys_nodename(&buffer, buffer.count)
        return String(decoding: buffer[..<max(0, Int(length))].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Undoes a transaction that was never finished, and removes what a killed agent left. Nothing else is answered before
    /// that.
    private func recover() throws(Failure) -> Outcome? {
        let isOpen = try system.status(of: Layout.journal) != nil
        let isNamed = try HostLock.isNamed(system)
        guard isOpen || isNamed else { return nil }
        do throws(Failure) {
            switch try HostLock.acquire(system, for: nil) {
            case .held: return nil  // it is being worked on
            case .acquired(let lock):
                let outcome = try finishTransaction(because: Failure(.interrupted))
                tidy(lock)
                return outcome
            }
        } catch {
            // Leftovers alone are no reason to turn anybody away.
            if isOpen { throw error }
            return nil
        }
    }

    /// Cleans up behind a committed transaction, or rolls an open one back. Nil if there is none.
    private func finishTransaction(because failure: Failure) throws(Failure) -> Outcome? {
        guard let journal = try Journal.load(system) else { return nil }
        if try Record.load(system)?.commit == journal.commit {
            try Leftovers(system: system).closeCommitted()
            return .deployed
        }
        return Rollback(system: system, systemd: systemd(nil)).run(journal, because: failure)
    }

    /// Removes what no deploy needs any more. What cannot be removed now is when the next agent starts, because the lock
    /// keeps its name.
    private func tidy(_ lock: borrowing HostLock) {
        guard (try? Leftovers(system: system).sweep()) != nil else { return }
        lock.clear()
    }

    // MARK: Deploying

    /// Carries out a deploy as far as the laptop wants it to go.
    private func deploy(_ preparation: Preparation) throws(Failure) {
        guard preparation.isConsistent else { throw Failure(.protocolViolation) }
        try makeLayout()
        let now = csys_realtime_ns() / 1_000_000_000
        switch try HostLock.acquire(system, for: Holder(name: preparation.holder, since: now)) {
        case .held(let holder): port.send(.busy(holder))
        case .acquired(let lock):
            if hasSystemd { ControlGroup(system: system).enter() }
            let outcome: Outcome?
            do {
                outcome = try deployLocked(preparation)
            } catch {
                tidy(lock)
                throw error
            }
            tidy(lock)
            // Whoever hears that it is done finds the host unlocked.
            _ = consume lock
            if let outcome { port.send(.finished(outcome)) }
        }
    }

    /// Nil when it did not come to the steps: the host is not as expected, or the operator gave up.
    private func deployLocked(_ preparation: Preparation) throws(Failure) -> Outcome? {
        let leftovers = Leftovers(system: system)
        // A transaction that somebody else's agent left since this session began. While it cannot be undone, what undoing
        // it takes must stay.
        if case .broken(_, let undoing, _) = try finishTransaction(because: Failure(.interrupted)),
            try system.status(of: Layout.journal) != nil, let problem = undoing.first
        {
            throw problem
        }
        let old = try Record.load(system)
        guard old?.commit == preparation.expected else {
            port.send(.stale(old))
            return nil
        }
        let staging = Staging(system: system, preparation: preparation)
        let resumed = try staging.resume(old: old)
        if !resumed.isEmpty { port.send(.resumed(resumed)) }
        port.send(.locked)
        // Only for the room: what stays is no obstacle.
        try? leftovers.sweep()
        do throws(Failure) {
            guard try stage(staging, preparation, old: old) else {
                staging.keepLarge()
                return nil
            }
        } catch {
            // Only what a lost connection cut off is worth keeping; a full disk must not stay full.
            switch error.problem {
            case .disconnected, .unreadable(_, .truncated): staging.keepLarge()
            default: try? system.removeTree(Layout.partial)
            }
            throw error
        }
        let outcome = apply(preparation)
        HostLog(system: system).append(preparation, from: old?.commit, outcome)
        if outcome == .deployed {
            // If not, the next agent does so.
            try? leftovers.closeCommitted()
            try? leftovers.removeAgents(except: ownName)
            leftovers.removeEmptyDropIns(preparation.steps)
        }
        return outcome
    }

    private func makeLayout() throws(Failure) {
        for (path, mode) in Layout.directories {
            try system.makeDirectories(path, mode: mode)
            guard let status = try system.status(of: path), status.kind == csys_kind_directory else { continue }
            let (uid, gid) = (UInt32(truncatingIfNeeded: csys_getuid()), UInt32(truncatingIfNeeded: csys_getgid()))
            if status.uid != uid || status.gid != gid { try system.setOwner(path, uid: uid, gid: gid) }
            if status.mode != mode { try system.setMode(path, mode) }
        }
    }

    /// Stages, and waits for the word to apply. False when the operator gave up; one who is gone, or silent for too long, is
    /// an error.
    private func stage(_ staging: Staging, _ preparation: Preparation, old: Record?) throws(Failure) -> Bool {
        try staging.begin(old: old)
        var isReady = false
        while true {
            if staging.isCaughtUp && !isReady {
                let missing = staging.missing
                if missing.isEmpty {
                    try staging.finish()
                    try Obstacles(system: system, preparation: preparation).check()
                    isReady = true
                }
                port.send(.staged(missing: missing))
            }
            // When something was missing, what comes next is its announcement.
            waiting: while true {
                switch port.receivePromptly() {
                case .request(.content(let bytes)):
                    try staging.receive(bytes)
                    if staging.isCaughtUp { break waiting }
                case .request(.supply(let contents)) where !isReady:
                    try staging.expect(contents)
                    if staging.isCaughtUp { break waiting }
                case .request(.apply) where isReady: return true
                case .request(.ping): port.send(.pong)
                case .request(.cancel):
                    port.send(.refused(Failure(.cancelled)))
                    return false
                case .ended, .none: throw Failure(.disconnected)
                case .malformed(let problem): throw Failure(.unreadable(path: "request", problem))
                case .request: throw Failure(.protocolViolation)
                }
            }
        }
    }

    private func apply(_ preparation: Preparation) -> Outcome {
        let outcome = executor.execute(port: port) { supervisor in
            Transaction(
                system: self.system, systemd: self.systemd(supervisor), preparation: preparation, supervisor: supervisor,
                agent: self.ownName
            ).run()
        }
        if let outcome { return outcome }
        // The process that ran the steps was killed; this one has the lock still.
        do {
            let failure = Failure(.agentDied)
            return try finishTransaction(because: failure) ?? .rolledBack(failure)
        } catch {
            return .broken(Failure(.agentDied), undoing: [error], .files)
        }
    }

    // MARK: Sending files

    /// Sends files of the record, each only if it is on disk as recorded.
    private func send(_ ids: [ObjectID]) throws(Failure) {
        var places: [ObjectID: AbsolutePath] = [:]
        for app in try Record.load(system)?.apps ?? [] {
            for file in app.files { places[file.id] = app.name.current.appending(file.path) }
        }
        for id in ids {
            guard let path = places[id], try system.status(of: path)?.kind == csys_kind_regular, try system.hash(path) == id else {
                port.send(.file(size: nil))
                continue
            }
            try send(path, limit: .max)
        }
    }

    /// Sends what is in a file of at most `limit` bytes; of anything else, nothing.
    private func send(_ path: AbsolutePath, limit: UInt64) throws(Failure) {
        guard let status = try system.status(of: path), status.kind == csys_kind_regular, status.size <= limit else {
            return port.send(.file(size: nil))
        }
        let file = try system.open(path)
        var rest = status.size
        port.send(.file(size: rest))
        while rest > 0 {
            let piece = try file.read(upTo: Int(min(rest, UInt64(Frame.contentLimit))))
            guard !piece.isEmpty else { throw Failure(.corrupt(path: path.text)) }
            port.send(.content(piece))
            rest -= UInt64(piece.count)
        }
    }

    // MARK: Comparing

    /// Compares the host with its record, without keeping anybody from deploying: when somebody did meanwhile, that is the
    /// answer.
    private func verify(_ privateApps: [PrivateApp]) throws(Failure) {
        let lastUse = try HostLock.lastUse(system)
        if let holder = try HostLock.holder(system) { return port.send(.busy(holder)) }
        if let record = try Record.load(system) {
            try Verification(system: system, port: port).run(record, privateApps, systemd(nil))
        }
        guard try HostLock.lastUse(system) == lastUse else {
            return port.send(.busy(Holder(name: "another deploy", since: csys_realtime_ns() / 1_000_000_000)))
        }
        port.send(.drift([]))
    }
}
