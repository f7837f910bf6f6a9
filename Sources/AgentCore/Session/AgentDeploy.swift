import CSystem
import Model
import Wire

/// A deploy from its announcement to its outcome.
extension Agent {
    /// Carries out a deploy as far as the client requests.
    func deploy(_ preparation: Preparation) throws(AgentError) {
        guard preparation.isConsistent else { throw AgentError(.protocolViolation) }
        try makeLayout()
        let now = csys_realtime_ns() / 1_000_000_000
        switch try HostLock.acquire(system, for: LockHolder(name: preparation.holder, since: now)) {
        case .held(let holder): port.send(.busy(holder))
        case .acquired(let lock):
            if hasSystemd { ControlGroup(system: system).enter() }
            let outcome: RelayedReply?
            do {
                outcome = try deployLocked(preparation)
            } catch {
                cleanUp(lock)
                throw error
            }
            cleanUp(lock)
            // A client that receives the outcome finds the host unlocked.
            _ = consume lock
            if let outcome { port.send(outcome) }
        }
    }

    /// Nil if no step ran: the host is not in the expected state, or the operator cancelled.
    private func deployLocked(_ preparation: Preparation) throws(AgentError) -> RelayedReply? {
        let leftovers = StaleFiles(system: system)
        // A transaction that another operator's agent left open since this session began. If it cannot be undone now,
        // the files that its rollback needs must stay.
        if case .broken(_, let undoing, _) = try finishTransaction(because: AgentError(.interrupted)),
            try system.status(of: Layout.journal) != nil, let problem = undoing.first
        {
            throw problem
        }
        let old = try StoredRecord.load(system)
        guard old?.record.commit == preparation.expected else {
            port.send(.stale(old?.record))
            return nil
        }
        let staging = Staging(system: system, preparation: preparation)
        let resumed = try staging.resume(old: old)
        if staging.shortage != nil { try? leftovers.sweep() }
        if let shortage = staging.shortage {
            // Not even a partial large file is worth its space.
            try? system.removeTree(Layout.partial)
            port.send(.obstructed([AgentError(shortage)], more: 0))
            return nil
        }
        if !resumed.isEmpty { port.send(.resumed(resumed)) }
        port.send(.locked)
        // This only frees space: remaining files are no obstacle.
        try? leftovers.sweep()
        do throws(AgentError) {
            guard try stage(staging, preparation, old: old) else {
                staging.keepLarge()
                return nil
            }
        } catch {
            // Keep partial files only after a lost connection. A full disk must not stay full.
            switch error.problem {
            case .disconnected, .unreadable(_, .truncated): staging.keepLarge()
            default: try? system.removeTree(Layout.partial)
            }
            throw error
        }
        let outcome = apply(preparation, old)
        HostLog(system: system).append(preparation, from: old?.record.commit, outcome)
        if outcome.ending == .deployed {
            // If this fails, the next agent does it.
            try? leftovers.closeCommitted()
            do {
                // The unit that runs at boot may start one of them.
                if hasSystemd, try system.status(of: Layout.secrets) != nil {
                    try Secrets(system: system).installBoot(ownName)
                }
                try leftovers.removeAgents(except: ownName)
            } catch {
                // They take room, and nothing else.
            }
            leftovers.removeEmptyDropIns(preparation.steps)
        }
        return outcome
    }

    private func makeLayout() throws(AgentError) {
        for (path, mode) in Layout.directories {
            try system.makeDirectories(path, mode: mode)
            guard let status = try system.status(of: path), status.kind == csys_kind_directory else { continue }
            let (uid, gid) = (UInt32(truncatingIfNeeded: csys_getuid()), UInt32(truncatingIfNeeded: csys_getgid()))
            if status.uid != uid || status.gid != gid { try system.setOwner(path, uid: uid, gid: gid) }
            if status.mode != mode { try system.setMode(path, mode) }
        }
    }

    /// Stages, then waits for the request to apply. False if an obstacle was found or the operator cancelled. A client
    /// that disconnects, or is silent for too long, is an error.
    private func stage(_ staging: Staging, _ preparation: Preparation, old: StoredRecord?) throws(AgentError) -> Bool {
        try staging.begin(old: old)
        var isReady = false
        while true {
            if staging.isCaughtUp && !isReady {
                let missing = staging.missing
                if missing.isEmpty {
                    try staging.finish()
                    let found = try obstacles(preparation, old: old)
                    if !found.failures.isEmpty {
                        port.send(.obstructed(found.failures, more: found.more))
                        return false
                    }
                    guard try passesChecks(preparation) else { return false }
                    isReady = true
                }
                port.send(.staged(missing: missing))
            }
            // If contents are missing, the client announces them next.
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
                    port.send(.refused(AgentError(.cancelled)))
                    return false
                case .ended, .none: throw AgentError(.disconnected)
                case .malformed(let problem): throw AgentError(.unreadable(path: "request", problem))
                case .request: throw AgentError(.protocolViolation)
                }
            }
        }
    }

    /// All obstacles to the plan.
    private func obstacles(_ preparation: Preparation, old: StoredRecord?) throws(AgentError) -> FoundObstacles {
        let found = FoundObstacles()
        let obstacles = PreflightCheck(system: system, preparation: preparation, old: old)
        obstacles.check(found)
        if let systemd = systemd(nil) {
            do { try obstacles.checkBootUnit() } catch { found.add(error) }
            try UnitPreflightCheck(system: system, preparation: preparation, systemd: systemd).check(found)
        }
        return found
    }

    /// Runs the checks of the apps, which report what fails.
    private func passesChecks(_ preparation: Preparation) throws(AgentError) -> Bool {
        let sandbox = CheckSandbox(system: system, preparation: preparation, old: try StoredRecord.load(system))
        guard let first = sandbox.firstCheck else { return true }
        port.send(.began(step: first))
        guard executor.isDetached else {
            port.send(.obstructed([AgentError(.noFuture(operation: "fork", code: 38))], more: 0))
            return false
        }
        guard let end = try executor.execute(port: port, { sandbox.run($0) }) else {
            port.send(.obstructed([AgentError(step: first, .agentDied)], more: 0))
            return false
        }
        return end.ending == .deployed
    }

    private func apply(_ preparation: Preparation, _ old: StoredRecord?) -> RelayedReply {
        do {
            let outcome = try executor.execute(port: port) { supervisor in
                Transaction(
                    system: self.system, systemd: self.systemd(supervisor), preparation: preparation, old: old,
                    supervisor: supervisor, agent: self.ownName
                ).run()
            }
            if let outcome { return outcome }
        } catch {
            return RelayedReply(.finished(.unchanged(error)))
        }
        // The process that ran the steps was killed; this one still holds the lock.
        do {
            let failure = AgentError(.agentDied)
            return RelayedReply(.finished(try finishTransaction(because: failure) ?? .rolledBack(failure)))
        } catch {
            return RelayedReply(.finished(.broken(AgentError(.agentDied), undoing: [error], .files)))
        }
    }
}
