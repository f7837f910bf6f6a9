import CSystem
import Model
import Wire

/// One session of the agent: it sends a greeting, then serves requests until its input ends.
///
/// It decides nothing. An invalid request, or bytes that are no request, end the session, after the agent has undone or
/// discarded the work in progress.
package final class Agent {
    let system: System
    let port: ClientChannel
    let executor: any Executor
    /// The file name of the running program, which a cleanup must not remove.
    let ownName: String

    package init(system: System, port: ClientChannel, executor: any Executor, ownName: String) {
        self.system = system
        self.port = port
        self.executor = executor
        self.ownName = ownName
    }

    var hasSystemd: Bool { ((try? system.status(of: Layout.systemdRunning)) ?? nil) != nil }

    /// Without a supervisor, nothing interrupts and reports go nowhere.
    func systemd(_ supervisor: (any Supervisor)?) -> Systemd? {
        guard hasSystemd else { return nil }
        return Systemd(command: Command(system: system, interruption: supervisor ?? Uninterrupted()), audience: supervisor)
    }

    /// Opens the secrets of all apps, at boot. Returns the status of the program.
    package static func openSecrets() -> Int32 {
        let system = System()
        // A deploy opens its own secrets.
        guard case .acquired(let lock)? = try? HostLock.acquire(system, for: nil) else { return 0 }
        let failed = Secrets(system: system).settleAll()
        _ = consume lock
        for app in failed {
            let line = ("cannot unseal all secrets of " + app.text + "\n").bytes
            _ = unsafe csys_write(2, line, line.count)
        }
        return failed.isEmpty ? 0 : 1
    }

    package func run() {
        port.send(magic: Frame.magic)
        do {
            let recovery = try recover()
            port.send(.hello(try hello(recovery)))
        } catch {
            return port.send(.refused(error))
        }
        while true {
            let received = port.receive()
            // Somebody may have removed or replaced a directory while the client was silent.
            system.forget()
            switch received {
            case .request(.prepare(let preparation)):
                do { try deploy(preparation) } catch { return port.send(.refused(error)) }
            case .request(.record):
                do { port.send(.record(try Record.load(system))) } catch { return port.send(.refused(error)) }
            case .request(.fetch(let ids)):
                do { try send(ids) } catch { return port.send(.refused(error)) }
            case .request(.verify(let apps)):
                do { try verify(apps) } catch { return port.send(.refused(error)) }
            case .request(.read(let paths)):
                do { for path in paths { try send(path, limit: Drift.maximumShown) } } catch { return port.send(.refused(error)) }
            case .request(.log):
                do { port.send(.log(try HostLog(system: system).tail())) } catch { return port.send(.refused(error)) }
            case .request(.report):
                let report = HostReport(system: system, systemd: systemd(nil), agent: ownName)
                do { port.send(.report(try report.bytes())) } catch { return port.send(.refused(error)) }
            case .request(.probe(let probes)):
                do {
                    for probe in probes {
                        port.send(.answer(try ProbeAttempt.run(probe, system: system, interruption: Uninterrupted())))
                    }
                } catch {
                    return port.send(.refused(error))
                }
            case .request(.ping): port.send(.pong)
            case .request(.cancel): break  // nothing is under way
            case .request(.content): break  // the rest of a deploy that was turned down
            case .request(.supply), .request(.apply), .request(.confirm): return port.send(.refused(AgentError(.protocolViolation)))
            case .malformed(let problem): return port.send(.refused(AgentError(.unreadable(path: "request", problem))))
            case .ended, .none: return
            }
        }
    }

    // MARK: Greeting

    private func hello(_ recovery: Outcome?) throws(AgentError) -> Hello {
        let record = try Record.load(system)
        return Hello(
            hostname: hostname(), machineID: system.machineID, hasSystemd: hasSystemd,
            isMountedLate: system.isMountedLate, recoversAtBoot: BootUnit(system: system).canBeMade, commit: record?.commit,
            recovery: recovery)
    }

    private func hostname() -> String {
        if let name = system.firstLine(of: Layout.hostname), !name.isEmpty { return name }
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = unsafe csys_nodename(&buffer, buffer.count)
        return text(buffer[..<max(0, Int(length))])
    }

    // MARK: Sending files

    /// Sends files of the record, each only if it is on disk as recorded.
    private func send(_ ids: [ObjectID]) throws(AgentError) {
        var paths: [AbsolutePath] = []
        var places: [ObjectID: Int] = [:]
        for app in try Record.load(system)?.apps ?? [] {
            for file in app.files {
                places[file.id] = paths.count
                paths.append(app.name.current.appending(file.path))
            }
        }
        for id in ids {
            guard let place = places[id], case let path = paths[place], try system.status(of: path)?.kind == csys_kind_regular,
                try system.hash(path) == id
            else {
                port.send(.file(size: nil))
                continue
            }
            try send(path, limit: .max)
        }
    }

    /// Sends the content of a regular file of at most `limit` bytes; for anything else, no size.
    private func send(_ path: AbsolutePath, limit: UInt64) throws(AgentError) {
        guard let status = try system.status(of: path), status.kind == csys_kind_regular, status.size <= limit else {
            return port.send(.file(size: nil))
        }
        let file = try system.open(path)
        var rest = status.size
        port.send(.file(size: rest))
        while rest > 0 {
            let piece = try file.read(upTo: Int(min(rest, UInt64(Frame.contentLimit))))
            guard !piece.isEmpty else { throw AgentError(.corrupt(path: path.text)) }
            port.send(.content(piece))
            rest -= UInt64(piece.count)
        }
    }

    // MARK: Comparing

    /// Compares the host with its record without blocking deploys. If someone deployed meanwhile, the answer reports
    /// that instead.
    private func verify(_ privateApps: [PrivateApp]) throws(AgentError) {
        let lastUse = try HostLock.lastUse(system)
        if let holder = try HostLock.holder(system) { return port.send(.busy(holder)) }
        if let stored = try StoredRecord.load(system) {
            try HostComparison(system: system, port: port).run(stored, privateApps, systemd(nil))
        }
        guard try HostLock.lastUse(system) == lastUse else {
            return port.send(.busy(LockHolder(name: "another deploy", since: csys_realtime_ns() / 1_000_000_000)))
        }
        port.send(.drift([]))
    }
}
