import CSystem
import Model
import Wire

/// All steps of one deploy on one host, between two durable points: the journal and the record. The steps between them
/// are undone as a whole. The host's lock is held, and all contents are staged (``Staging``), before it begins.
///
/// ```swift
/// switch Transaction(
///     system: system, systemd: systemd, preparation: preparation, old: old, supervisor: supervisor, agent: ownName
/// ).run() {
/// case .deployed: break             // the record names the new commit
/// case .unchanged(let error): ...   // found before the journal
/// case .rolledBack(let error): ...  // the old state is back
/// case .broken(let error, let undoing, let remainder): ...
/// }
/// ```
final class Transaction {
    let system: System
    /// Nil where systemd is not the running init: such a host gets only files and links.
    let systemd: Systemd?
    let preparation: Preparation
    /// The record of the current deploy.
    let old: StoredRecord?
    let supervisor: any Supervisor
    /// The file name of the agent, which runs at boot after a power failure; empty if it is not in the agents' directory.
    let agent: String
    let brought = BroughtLinks()
    let reloads = BegunReloads()
    let obstacles: PreflightCheck

    init(system: System, systemd: Systemd?, preparation: Preparation, old: StoredRecord?, supervisor: any Supervisor, agent: String) {
        self.system = system
        self.systemd = systemd
        self.preparation = preparation
        self.old = old
        self.supervisor = supervisor
        self.agent = agent
        obstacles = PreflightCheck(system: system, preparation: preparation, old: old)
    }

    /// Runs all steps, or rolls back.
    func run() -> Outcome {
        let journal: Journal
        do {
            journal = try begin()
        } catch {
            // Nothing has changed yet except files that `StaleFiles` removes.
            try? system.removeIfThere(Layout.journal)
            try? BootUnit(system: system).remove()
            return .unchanged(error)
        }
        do {
            try convert()
            try execute(journal)
            try commit(journal)
        } catch {
            supervisor.report(.undoing(error))
            var journal = journal
            journal.reloaded = reloads.units
            return Rollback(system: system, systemd: rollbackSystemd).run(journal, because: error)
        }
        return .deployed
    }

    /// A rollback ignores interruptions and runs to its end.
    private var rollbackSystemd: Systemd? {
        systemd == nil
            ? nil : Systemd(command: Command(system: system, interruption: Uninterrupted()), audience: supervisor)
    }

    // MARK: Execute

    private func execute(_ journal: Journal) throws(AgentError) {
        let steps = preparation.steps
        let noted = NotedPaths(journal)
        var index = 0
        var isSettled = false
        while index < steps.count {
            if let reason = supervisor.reason { throw AgentError(step: index, reason) }
            switch steps[index].action {
            // The client confirms, and the agent commits, the state of the whole host.
            case .confirm:
                if !isSettled { try settleOthers(journal) }
                isSettled = true
                try checkAgain(journal)
            // Reloads come last: a proxy needs its upstreams up.
            case .reload: try settleOthers(journal)
            default: break
            }
            // The checks have run already.
            if case .validate = steps[index].action {
                index += 1
                continue
            }
            // Adjacent unit steps of the same kind share one call of systemctl, or one check.
            var end = index + 1
            while end < steps.count, steps[end].action.canJoin(steps[index].action) { end += 1 }
            supervisor.report(.began(step: index))
            do {
                try execute(index..<end, journal, noted)
            } catch {
                var failed = index
                if case .unit(let unit, _, _) = error.problem { failed = (index..<end).first { steps[$0].unit == unit } ?? index }
                throw AgentError(step: failed, error.problem)
            }
            index = end
        }
        if !isSettled { try settleOthers(journal) }
        // A state on which all hosts and the operator's program have agreed is kept.
        switch steps.last?.action {
        case .confirm(_, .everyHost), .confirm(_, .program): break
        default: try checkAgain(journal)
        }
    }

    /// Starts the units that the steps took down without naming them.
    private func settleOthers(_ journal: Journal) throws(AgentError) {
        guard let systemd, !journal.units.isEmpty else { return }
        var stopped: [UnitName] = []
        for step in preparation.steps {
            switch step.action {
            case .disable(let unit, _), .stop(let unit, _): stopped.append(unit)
            // Stopping a unit that a later step starts is a restart: its dependents come up again.
            case .start(let unit, _, _), .restart(let unit, _, _): stopped = stopped.filter { $0 != unit }
            default: break
            }
        }
        let now = try systemd.units()
        // Otherwise systemd keeps listing removed units as failed.
        let failed = stopped.filter { now.failing.contains($0) }
        if !failed.isEmpty { systemd.resetFailed(failed) }
        var fallen: [Systemd.Fallen] = []
        for one in try systemd.fallen(journal, now) {
            if one.isConflict {
                throw systemd.failure(one.unit, .conflict(with: one.cause))
            } else if !stopped.contains(one.cause) {
                fallen.append(one)
            } else if !one.isPart {
                // Starting it would also start a unit that the plan stops.
                throw systemd.failure(one.unit, .draggedDown(with: one.cause, state: ""))
            }
        }
        try systemd.raise(fallen, supervisor)
    }

    private func execute(
        _ range: Range<Int>, _ journal: Journal, _ noted: NotedPaths
    ) throws(AgentError) {
        let step = preparation.steps[range.lowerBound]
        switch step.action {
        case .checkout, .displace, .validate: break  // staged already; a matter of the link; passed already
        case .confirm(let limit, _): try waitForConfirmation(limit, journal)
        case .test(let test): try run(test)
        case .activate, .remove, .link, .unlink, .place, .unplace, .grant, .unseal:
            try change(step, noted)
        case .sysusers: try systemd?.sysusers(placed(in: Layout.sysusers))
        case .tmpfiles: try systemd?.tmpfiles(placed(in: Layout.tmpfiles))
        case .daemonReload:
            guard let systemd else { return }
            try systemd.daemonReload()
            try Quadlets(system: system, preparation: preparation).checkUnits(systemd)
        case .disable, .stop:
            guard let systemd else { return }
            let jobs = preparation.steps[range].compactMap { $0.job }
            let statuses = try systemd.show(jobs.map { $0.unit })
            var loaded: [Systemd.Job] = []
            for index in jobs.indices where !statuses[index].isMissing { loaded.append(jobs[index]) }
            if !loaded.isEmpty {
                try systemd.stop(loaded)
                if case .disable = step.action { try disable(loaded.map { $0.unit }, journal) }
            }
        case .enable: try enable(preparation.steps[range])
        case .start, .restart, .restartIfUp: try bringUp(range, journal)
        case .reload: try reload(range, journal)
        case .probe(let probe):
            guard let systemd else { return }
            var units: [UnitName] = []
            for unit in preparation.record.units where unit.app == step.app { units.append(unit.name) }
            try Probing(system: system, systemd: systemd, interruption: supervisor).run(probe, units)
        case .check: try check(range, journal, isLast: false)
        }
    }

    /// Probes and confirmations take time, in which a unit may have ended.
    private func checkAgain(_ journal: Journal) throws(AgentError) {
        for step in preparation.steps {
            switch step.action {
            case .probe, .confirm: return try check(preparation.steps.indices, journal, isLast: true)
            default: break
            }
        }
    }

    /// Judges units; for the last time, without waiting for them.
    private func check(_ range: Range<Int>, _ journal: Journal, isLast: Bool) throws(AgentError) {
        guard let systemd else { return }
        var items: [UnitCheck.Item] = []
        for step in preparation.steps[range] {
            guard case .check(let unit, let settle, let limit) = step.action, !isLeftDown(unit, journal) else { continue }
            let kept = reloads.invocation(of: unit)
            items.append(
                .init(
                    unit: unit, settle: settle, limit: limit, invocation: kept ?? journal.invocation(of: unit), keepsInvocation: kept != nil
                ))
        }
        let check = UnitCheck(systemd: systemd, interruption: supervisor)
        if isLast { try check.checkAgain(items) } else { try check.check(items) }
    }

    /// The files that this deploy places in a directory. Other files there must not be able to fail the deploy.
    func placed(in directory: AbsolutePath) -> [String] {
        var files: [String] = []
        for step in preparation.steps {
            if case .place(let path, _, _, _) = step.action, path.isInside(directory) { files.append(path.text) }
        }
        return files
    }

    /// Uses the monotonic clock, because a deploy may set the wall clock.
    private func waitForConfirmation(_ limit: Duration, _ journal: Journal) throws(AgentError) {
        let deadline = csys_monotonic_ns() + Int64(limit.wholeMilliseconds) * 1_000_000
        while true {
            if let reason = supervisor.reason { throw AgentError(reason) }
            if supervisor.isConfirmed { return }
            let remaining = (deadline - csys_monotonic_ns() + 999_999) / 1_000_000
            guard remaining > 0 else { throw AgentError(.notConfirmed(seconds: Int(limit.wholeMilliseconds / 1000))) }
            var items = [csys_poll_item(fd: supervisor.descriptor, readable: true, writable: false)]
            _ = unsafe csys_poll(&items, items.count, min(remaining, 1000))
            if supervisor.reason == nil, !supervisor.isConfirmed { try checkAgain(journal) }
        }
    }

    /// Sends the client the program's verdict on its files; if the program or its file is missing, a shell's status (127).
    private func run(_ test: Step.Test) throws(AgentError) {
        var arguments: [String] = []
        for word in pieces(test.command, at: 32) { arguments.append(text(word)) }
        var result = Command.Result(status: 127, output: [])
        var isFileThere = true
        if test == .sshd || test == .sshdBefore {
            arguments.append(preparation.login)
        } else if let file = try? AbsolutePath(arguments[arguments.count - 1]) {
            isFileThere = try system.status(of: file) != nil
        }
        do {
            if isFileThere { result = try Command(system: system, interruption: supervisor).run(arguments) }
        } catch {
            guard case .system(_, _, code: Int(csys_enoent)) = error.problem else { throw error }
        }
        supervisor.report(.tested(status: result.status, output: Array(result.output.prefix(Reply.testLimit))))
    }

    private func bringUp(_ range: Range<Int>, _ journal: Journal) throws(AgentError) {
        guard let systemd else { return }
        var (down, up): ([Systemd.Job], [Systemd.Job]) = ([], [])
        for step in preparation.steps[range] {
            guard let job = step.job else { continue }
            if isSameText(job.unit.text, KernelSettings.unit) { systemd.output(["/bin/sh", "-c", KernelSettings.note]) }
            if !journal.units.contains(where: { $0.name == job.unit && $0.isUp }) {
                if !step.action.leavesDown { down.append(job) }
            } else if !isLeft(step, journal) {
                up.append(job)
            }
        }
        try systemd.bringUp(start: down, restart: up, journal)
    }

    /// Has running units read their files again, and starts those that are down unless they stay so.
    private func reload(_ range: Range<Int>, _ journal: Journal) throws(AgentError) {
        guard let systemd else { return }
        let jobs = preparation.steps[range].compactMap { $0.job }
        let statuses = try systemd.show(jobs.map { $0.unit })
        var (down, starting, up): ([Systemd.Job], [Systemd.Job], [Systemd.Job]) = ([], [], [])
        for index in jobs.indices {
            let (job, status) = (jobs[index], statuses[index])
            // systemd reloads only active units. A unit that keeps restarting may need just these files.
            if status.isActive {
                if !isLeft(preparation.steps[range.lowerBound + index], journal) { up.append(job) }
            } else if status.isUp {
                starting.append(job)
            } else if !isLeftDown(job.unit, journal) {
                down.append(job)
            }
        }
        try systemd.bringUp(start: down, restart: starting, journal)
        guard !up.isEmpty else { return }
        // Any rollback from here on reloads them with the old files, also one by another agent.
        reloads.units += up.map { $0.unit }
        var noted = journal
        noted.reloaded = reloads.units
        try noted.save(system)
        reloads.invocations += try systemd.reload(up)
    }

    /// Whether a unit that was down stays so.
    private func isLeftDown(_ unit: UnitName, _ journal: Journal) -> Bool {
        preparation.steps.contains { $0.unit == unit && $0.action.leavesDown } && journal.invocation(of: unit) == nil
    }

    /// Whether a running unit stays untouched.
    private func isLeft(_ step: Step, _ journal: Journal) -> Bool {
        switch step.action {
        case .start(_, .leave, _): true
        case .start(_, .restart, _): onlyTakesOver(step.app, journal)
        case .restartIfUp(_, let because, _), .reload(_, let because, .leave, _): !because.isAsked && takesOverAll(journal)
        default: false
        }
    }

    /// Whether the deploy only takes over files, for apps that are new to the host.
    private func takesOverAll(_ journal: Journal) -> Bool {
        var known: AppName?
        for step in preparation.steps where step.unit == nil && step.app != nil && step.app != known {
            if !onlyTakesOver(step.app, journal, isNew: true) { return false }
            known = step.app
        }
        return true
    }

    @inline(never) private func onlyTakesOver(_ app: AppName?, _ journal: Journal, isNew: Bool = false) -> Bool {
        preparation.record.apps.contains {
            $0.name == app && journal.onlyTakesOver($0, isNew: isNew, preparation.record, old?.record) && keepsAccess($0.name, journal)
        }
    }

    /// Whether the placed files of an app had their modes and owners before.
    private func keepsAccess(_ app: AppName, _ journal: Journal) -> Bool {
        for prior in journal.priors {
            guard case .placed(let path, .file(let copy), _) = prior,
                let file = preparation.record.placed.first(where: { $0.path == path && $0.app == app })
            else { continue }
            guard let status = (try? system.status(of: Journal.copy(copy))) ?? nil, let wanted = try? system.attributes(file.access),
                status.attributes == wanted
            else { return false }
        }
        return true
    }

    /// Runs a step that changes only the file system.
    func change(_ step: Step, _ noted: NotedPaths) throws(AgentError) {
        switch (step.action, step.app) {
        case (.activate, let app?):
            if let old = try versionToClose(app) { try system.setReaders(old, gid: 0, mode: 0o700) }
            // If the group exists already, its members never miss a file.
            if let group = group(of: app), let id = try? system.id(of: group) { try grant(app, id) }
            if let current = try system.target(of: app.current) {
                try system.replaceSymlink(app.previous, target: current)
            }
            try system.replaceSymlink(app.current, target: preparation.version.text)
        case (.grant(let group), let app?): try grant(app, try system.id(of: group))
        // An app that goes is still there.
        case (.unseal(let count), let app?):
            try Secrets(system: system).keep(app)
            if count == 0 { try system.removeTree(app.secrets) } else { try Secrets(system: system).settle(app) }
        case (.remove, let app?):
            if try system.status(of: app.directory) != nil { try system.rename(app.directory, to: app.removed) }
        case (.link(let path, let source), let app?):
            if let parent = path.parent { try system.makeDirectories(parent, mode: 0o755) }
            let target = Link(path: path, app: app, source: source).target.text
            try system.replaceSymlink(path, target: target, over: try noted.expected(path, system))
        case (.place(let path, let source, let access, _), let app?):
            let file = PlacedFile(path: path, app: app, source: source, access: access)
            try place(file, over: try noted.expected(path, system))
        case (.unplace(let path), _):
            // Leaves anything that changed since `PreflightCheck` ran.
            try system.remove(path, if: try noted.expected(path, system))
        case (.unlink(let path), _):
            // Leaves anything that is not Deptool's.
            try system.remove(path, if: .ours)
        default: break
        }
    }

    // MARK: Readers

    private func grant(_ app: AppName, _ group: UInt32) throws(AgentError) {
        for one in preparation.record.apps where one.name == app {
            for file in one.files {
                try system.setReaders(app.version(preparation.version).appending(file.path), gid: group, mode: file.mode & 0o550)
            }
        }
        try system.setReaders(app.version(preparation.version), gid: group, mode: 0o750)
    }

    /// Makes the permissions of granted files durable.
    func syncGranted() throws(AgentError) {
        for step in preparation.steps {
            if case .grant = step.action { return try system.syncFileSystem(of: Layout.apps) }
        }
    }

    private func group(of app: AppName) -> GroupName? {
        for step in preparation.steps where step.app == app {
            if case .grant(let group) = step.action { return group }
        }
        return nil
    }

    /// The current version of an app that is or becomes private: its content may equal the new one.
    func versionToClose(_ app: AppName) throws(AgentError) -> AbsolutePath? {
        for step in preparation.steps where step.app == app {
            guard case .checkout(for: .root) = step.action else { continue }
            return try system.target(of: app.current).flatMap { Version($0) }.map { app.version($0) }
        }
        return nil
    }
}

/// The units that a transaction has begun to reload, and their invocations meanwhile.
final class BegunReloads {
    var units: [UnitName] = []
    var invocations: [String] = []

    func invocation(of unit: UnitName) -> String? {
        // While a reload is under way, there are more units than invocations.
        for index in invocations.indices where units[index] == unit { return invocations[index] }
        return nil
    }
}

/// Watches a transaction on behalf of the operator.
package protocol Supervisor: Interruption {
    /// Whether the operator has confirmed, as of the last `reason`.
    var isConfirmed: Bool { get }
    /// Reports to the operator. The transaction does not depend on delivery.
    func report(_ reply: Reply)
}
