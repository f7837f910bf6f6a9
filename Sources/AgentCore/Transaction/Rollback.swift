import CSystem
import Model
import Wire

/// Brings a host back to what its journal says. It may be interrupted anywhere and started again.
struct Rollback {
    let system: System
    let systemd: Systemd?

    /// Undoes, and judges the result. The journal goes away when every file is as it was.
    func run(_ noted: Journal, because failure: AgentError) -> Outcome {
        var journal = noted
        var problems: [AgentError] = []
        // So early nothing of it runs, and what is enabled will be started.
        let isBooting = systemd?.isInitializing ?? false
        let touched = isBooting ? [] : stopNew(&journal, &problems)
        let beforeFiles = problems.count
        if journal.enablement == nil { attempt(&problems) { () throws(AgentError) in try disableNew(journal) } }
        attempt(&problems) { () throws(AgentError) in try settle(journal) }
        for prior in journal.priors.reversed() {
            do { try restore(prior) } catch { if !isForgone(prior, because: error, journal) { problems.append(error) } }
        }
        if let enablement = journal.enablement {
            attempt(&problems) { () throws(AgentError) in try EnabledLinks(system: system).restore(enablement) }
        }
        let filesAreBack = problems.count == beforeFiles
        let gone = unitsWithoutFile(journal)
        if journal.enablement == nil { attempt(&problems) { () throws(AgentError) in try enableOld(journal, gone) } }
        if journal.needsReload || isBooting { attempt(&problems) { () throws(AgentError) in try systemd?.daemonReload() } }
        attempt(&problems) { () throws(AgentError) in
            if isBooting { try systemd?.continueBoot() } else { try restartOld(touched.filter { !gone.contains($0.name) }, journal) }
        }
        if !isBooting { attempt(&problems) { () throws(AgentError) in try raiseOthers(journal) } }
        // If that fails, the journal stands and the next agent does all of this again; the host is right all the same.
        if filesAreBack { try? close(journal) }
        return problems.isEmpty
            ? .rolledBack(failure) : .broken(failure, undoing: problems, filesAreBack ? .units : .files)
    }

    private func attempt(_ problems: inout [AgentError], _ work: () throws(AgentError) -> Void) {
        do { try work() } catch { problems.append(error) }
    }

    // MARK: Units

    /// Stops what was not up, while its unit files are still there, and notes what the steps took down, while systemd knows
    /// why. Returns the units that are not as they were: those have to start again.
    private func stopNew(_ journal: inout Journal, _ problems: inout [AgentError]) -> [Journal.PriorUnit] {
        guard let systemd, !journal.units.isEmpty else { return [] }
        var touched: [Journal.PriorUnit] = []
        do {
            // The process that asked for them may have been killed.
            systemd.cancel(journal.units.map { $0.name })
            let statuses = try systemd.show(journal.units.map { $0.name })
            var stopping: [UnitName] = []
            for (unit, status) in zip(journal.units, statuses) {
                switch unit.state {
                case .up, .unsteady:
                    if !status.isUp || status.invocation != unit.invocation { touched.append(unit) }
                case .failed:
                    // What failed once more is as it was, for whoever watches for that.
                    if status.isUp { stopping.append(unit.name) }
                    if !status.hasFailed { touched.append(unit) }
                case .down:
                    if status.isUp || status.hasFailed { stopping.append(unit.name) }
                }
            }
            stopping += try systemd.come(journal, try systemd.units())
            if !stopping.isEmpty {
                try systemd.stop(jobs(stopping, journal))
                // Else systemd remembers as failed what is gone.
                systemd.resetFailed(stopping)
            }
            let known = journal.fallen.count
            for one in try systemd.fallen(journal, try systemd.units()) where !journal.fallen.contains(one.unit) {
                journal.fallen.append(one.unit)
            }
            if journal.fallen.count > known { try journal.save(system) }
        } catch {
            problems.append(error)
        }
        return touched
    }

    /// Undoing has the time that systemd itself gives a unit to stop and then to start, if it gives no more than usual.
    private func jobs(_ units: [UnitName], _ journal: Journal) -> [Systemd.Job] {
        units.map { unit in
            let limit = journal.units.first { $0.name == unit }?.limit ?? .zero
            return Systemd.Job(unit: unit, limit: max(limit * 2, Systemd.usualLimit))
        }
    }

    /// Disables what was not enabled, while its unit files are still there: of a journal of version 1, which did not note the
    /// links. When it fails, the journal stands.
    private func disableNew(_ journal: Journal) throws(AgentError) {
        let units = journal.units.filter { $0.isEnablementTouched && !$0.isEnabled }.map { $0.name }
        guard let systemd, !units.isEmpty else { return }
        let disabling = zip(units, try systemd.show(units)).filter { $0.1.isEnabled }.map { $0.0 }
        if !disabling.isEmpty { try systemd.disable(disabling) }
    }

    /// Units whose files somebody had taken away, or masked, while they ran or were enabled: nothing brings that back.
    private func unitsWithoutFile(_ journal: Journal) -> [UnitName] {
        let units = journal.units.filter { ($0.isUp || $0.isEnabled) && journal.hadNoFile($0.name) }.map { $0.name }
        guard let systemd, !units.isEmpty, (try? systemd.daemonReload()) != nil, let statuses = try? systemd.show(units) else {
            return []
        }
        return zip(units, statuses).filter { !$0.1.isLoaded }.map { $0.0 }
    }

    private func enableOld(_ journal: Journal, _ gone: [UnitName]) throws(AgentError) {
        let enabled = journal.units.filter { $0.isEnabled && $0.isEnablementTouched && !gone.contains($0.name) }.map { $0.name }
        guard let systemd, !enabled.isEmpty else { return }
        try systemd.enable(enabled)
    }

    /// Starts what was up or had failed, and sees whether what was well is so again.
    private func restartOld(_ units: [Journal.PriorUnit], _ journal: Journal) throws(AgentError) {
        guard let systemd, !units.isEmpty else { return }
        // What was not well need not be.
        var (well, unsteady, failed): ([UnitName], [UnitName], [UnitName]) = ([], [], [])
        for unit in units {
            switch unit.state {
            case .up: well.append(unit.name)
            case .unsteady: unsteady.append(unit.name)
            case .failed, .down: failed.append(unit.name)
            }
        }
        systemd.resetFailed(well + unsteady + failed)
        if !unsteady.isEmpty { systemd.restartLater(unsteady) }
        if !failed.isEmpty { _ = try? systemd.bringUp(start: jobs(failed, journal), restart: []) }
        guard !well.isEmpty else { return }
        var (down, up): ([Systemd.Job], [Systemd.Job]) = ([], [])
        for (job, status) in zip(jobs(well, journal), try systemd.show(well)) {
            // What is a part of the unit (PartOf=) was restarted with it, and may be up with what is undone: a restart reaches it.
            if status.isUp || !status.refusesStop { up.append(job) } else { down.append(job) }
        }
        try systemd.bringUp(start: down, restart: up, journal)
        try UnitCheck(systemd: systemd, interruption: Uninterrupted()).check(
            jobs(well, journal).map { .init(unit: $0.unit, settle: nil, limit: $0.limit, invocation: nil) })
    }

    /// Starts what the steps, or undoing them, took down without naming it.
    private func raiseOthers(_ journal: Journal) throws(AgentError) {
        guard let systemd, !journal.units.isEmpty else { return }
        let now = try systemd.units()
        var fallen = try systemd.fallen(journal, now)
        for unit in journal.fallen where !now.up.contains(unit) && !fallen.contains(where: { $0.unit == unit }) {
            fallen.append(.init(unit: unit, cause: unit, isConflict: false, isPart: false, hasRestarted: false))
        }
        try systemd.raise(fallen, Uninterrupted())
    }

    // MARK: Files

    private func restore(_ prior: Journal.Prior) throws(AgentError) {
        switch prior {
        case .versions(let app, let current, let previous):
            try restoreLink(app.current, current)
            try restoreLink(app.previous, previous)
        case .app(let app):
            if try system.status(of: app.removed) != nil { try system.rename(app.removed, to: app.directory) }
        case .path(let path, let was): try restore(path, was)
        case .placed(let path, let was, let content): try restorePlaced(path, was, content)
        case .noDirectory(let directory):
            if try system.status(of: directory) != nil { try system.removeDirectory(directory) }
        case .directory(let directory, let mode, let uid, let gid):
            if try system.status(of: directory) == nil {
                try system.makeDirectory(directory, mode: mode)
                // Elsewhere it belongs to somebody already, who may have put another in its place.
                if try system.holder(of: directory, .look).isOurs { try system.setOwner(directory, uid: uid, gid: gid) }
            }
        case .readers(let directory, let mode, let gid):
            if try system.status(of: directory) != nil { try system.setReaders(directory, gid: gid, mode: mode) }
        }
    }

    private func restoreLink(_ path: AbsolutePath, _ target: String?) throws(AgentError) {
        guard let target else { return try system.removeIfThere(path) }
        if try system.target(of: path) != target { try system.replaceSymlink(path, target: target) }
    }

    private func restore(_ path: AbsolutePath, _ was: Journal.PriorPath) throws(AgentError) {
        switch was {
        case .nothing:
            try system.remove(path, if: .ours)
        case .symlink(let target):
            switch try system.occupant(of: path) {
            case .symlink(to: target): break
            // Somebody may have put something else there since: that is a failure.
            case let occupant: try system.replaceSymlink(path, target: target, over: occupant == nil ? .nothing : .ours)
            }
        case .file(let copy), .kept(let copy):
            if let status = try system.status(of: path), status.kind == csys_kind_regular { return }
            try putBack(copy, at: path, over: .ours)
        }
    }

    // MARK: Where others are

    /// What was cut off while a step, or an undo before this one, replaced something.
    private func settle(_ journal: Journal) throws(AgentError) {
        var paths: [(path: AbsolutePath, content: Content?)] = []
        for prior in journal.priors {
            let content: Content?
            switch prior {
            case .path: content = nil
            case .placed(_, _, let placed): content = placed
            default: continue
            }
            guard system.isChangeable(prior.path) else {
                paths.append((prior.path, content))
                continue
            }
            do { try system.settle([(prior.path, content)]) } catch { if !error.isObstacle { throw error } }
        }
        try system.settle(paths)
    }

    /// Whether something cannot come back because of what a user did in a directory of theirs: no user may keep the host from
    /// being whole. The copy of a file stays.
    private func isForgone(_ prior: Journal.Prior, because failure: AgentError, _ journal: Journal) -> Bool {
        guard failure.isObstacle, system.isChangeable(prior.path) else { return false }
        let was: Journal.PriorPath
        switch prior {
        case .path(_, let path), .placed(_, let path, _): was = path
        default: return true
        }
        switch was {
        case .nothing, .symlink: return true
        case .file(let copy), .kept(let copy):
            let place = Layout.kept(prior.path, by: Version(journal.commit ?? .of(.blob, [])))
            guard let directory = place.parent, (try? system.makeDirectories(directory, mode: 0o700)) != nil,
                (try? system.rename(Journal.copy(copy), to: place)) != nil
            else { return false }
            return (try? system.syncFileSystem(of: Layout.store)) != nil
        }
    }

    /// What was at the path of a placed file comes back in place of that file, or of nothing. What somebody else put there since
    /// stays, and is a problem.
    private func restorePlaced(_ path: AbsolutePath, _ was: Journal.PriorPath, _ content: Content?) throws(AgentError) {
        let occupant = try system.occupant(of: path)
        var isOurs = false
        if case .file? = occupant, let content, let status = try system.status(of: path), content.canHave(status.size) {
            isOurs = try system.hash(path) == content.id
        }
        let placed = content.map { Expected.content($0) } ?? .nothing
        switch (was, occupant) {
        case (.nothing, _): if isOurs { try system.remove(path, if: placed) }
        case (.symlink(let target), .symlink(let other)?) where target == other: break
        case (.symlink(let target), nil): try system.replaceSymlink(path, target: target, over: .nothing)
        case (.symlink(let target), _) where isOurs: try system.replaceSymlink(path, target: target, over: placed)
        case (.file(let copy), nil), (.kept(let copy), nil): try putBack(copy, at: path, over: .nothing)
        case (.file(let copy), .file?), (.kept(let copy), .file?):
            let source = Journal.copy(copy)
            // It was put back already by an agent that was interrupted then.
            guard let before = try system.status(of: source), let now = try system.status(of: path) else { return }
            if before.attributes == now.attributes, before.mtime_ns == now.mtime_ns, before.size == now.size,
                try system.hash(source) == system.hash(path)
            {
                return
            }
            guard isOurs else { throw AgentError(.occupied(path, by: .file, for: nil)) }
            try putBack(copy, at: path, over: placed)
        case (_, let occupant?): throw AgentError(.occupied(path, by: occupant, for: nil))
        }
    }

    private func putBack(_ copy: Int, at path: AbsolutePath, over expected: Expected) throws(AgentError) {
        // The copy stays until all is durable. A second name for it takes no room on a disk that may be full, but there can be
        // one only within a file system.
        let (source, aside) = (Journal.copy(copy), path.aside())
        let directory = try system.holder(of: path, .rename)
        if try !system.link(source, to: aside, in: directory) {
            let draft = path.sibling(name: path.draft())
            try system.duplicate(source, to: draft)
            try system.rename(draft, to: path.sibling(name: aside))
        }
        try system.replace(path, by: aside, in: directory, over: expected)
    }

    // MARK: Close

    /// Makes what was restored durable, and only then forgets how to do it.
    private func close(_ journal: Journal) throws(AgentError) {
        for prior in journal.priors {
            let path = prior.path
            do {
                if let parent = path.parent, try system.isDirectory(parent) { try system.sync(parent) }
                // Its own mode and owner may have been restored.
                switch prior {
                case .readers, .directory: if try system.isDirectory(path) { try system.sync(path) }
                case .versions, .app, .path, .placed, .noDirectory: break
                }
            } catch {
                if !(error.isObstacle && system.isChangeable(path)) { throw error }
            }
        }
        try StaleFiles(system: system).closeJournal()
    }
}

extension Journal.Prior {
    fileprivate var path: AbsolutePath {
        switch self {
        case .versions(let app, _, _): app.current
        case .app(let app): app.directory
        case .path(let path, _), .placed(let path, _, _): path
        case .noDirectory(let path), .directory(let path, _, _, _), .readers(let path, _, _): path
        }
    }
}

extension AgentError {
    /// Whether it is because of what there is, or is not, rather than because the disk or the system fails.
    var isObstacle: Bool {
        switch problem {
        case .occupied: true
        // EPERM, ENOENT, EACCES, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, ELOOP, ENOLINK, ESTALE, EDQUOT
        case .system(_, _, let code): [1, 2, 13, 17, 20, 21, 39, 40, 67, 116, 122].contains(code)
        default: false
        }
    }
}
