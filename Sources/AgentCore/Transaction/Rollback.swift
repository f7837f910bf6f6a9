import CSystem
import Model
import Wire

/// Restores a host to the state in its journal. It may be interrupted at any point and run again.
struct Rollback {
    let system: System
    let systemd: Systemd?

    /// Rolls back and checks the result. Removes the journal once every file is restored.
    func run(_ noted: Journal, because failure: AgentError) -> Outcome {
        var journal = noted
        var problems: [AgentError] = []
        // So early in the boot no units of the journal run, and systemd will start the enabled ones.
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
        let secrets = Secrets(system: system)
        // One that does not open stays closed, however often this is tried.
        var unopened: [AgentError] = []
        for app in journal.unsealed {
            do throws(AgentError) {
                try secrets.settle(app, kept: true)
                try secrets.forget(app)
            } catch {
                if case .sealed = error.problem { unopened.append(error) } else { problems.append(error) }
            }
        }
        if !journal.unsealed.isEmpty {
            attempt(&problems) { () throws(AgentError) in
                if systemd != nil { try secrets.installBoot(journal.writer) }
                try secrets.clearBoot()
            }
        }
        let filesAreBack = problems.count == beforeFiles
        problems += unopened
        let gone = unitsWithoutFile(journal)
        if journal.enablement == nil { attempt(&problems) { () throws(AgentError) in try enableOld(journal, gone) } }
        if journal.needsReload || isBooting { attempt(&problems) { () throws(AgentError) in try systemd?.daemonReload() } }
        // Old services may need the old values.
        restoreSettings()
        attempt(&problems) { () throws(AgentError) in
            if isBooting { try systemd?.continueBoot() } else { try restartOld(touched.filter { !gone.contains($0) }, journal) }
        }
        if !isBooting {
            reloadOld(journal, failure, &problems)
            attempt(&problems) { () throws(AgentError) in try raiseOthers(journal) }
            // The unit has set those of the files meanwhile.
            restoreSettings()
        }
        // If this fails, the journal remains and the next agent repeats the rollback. The host is already in its old state.
        if filesAreBack { try? close(journal) }
        return problems.isEmpty
            ? .rolledBack(failure) : .broken(failure, undoing: problems, filesAreBack ? .units : .files)
    }

    @inline(never) private func restoreSettings() { systemd?.output([KernelSettings.program, KernelSettings.noted]) }

    private func attempt(_ problems: inout [AgentError], _ work: () throws(AgentError) -> Void) {
        do { try work() } catch { problems.append(error) }
    }

    // MARK: Units

    /// Stops units that were down, while their unit files still exist, and notes the units that the steps took down,
    /// while systemd has the reason. Returns the units whose state changed: they have to start again.
    private func stopNew(_ journal: inout Journal, _ problems: inout [AgentError]) -> [UnitName] {
        guard let systemd, !journal.units.isEmpty else { return [] }
        var touched: [UnitName] = []
        do {
            // The process that requested their jobs may have been killed.
            systemd.cancel(journal.units.map { $0.name })
            let statuses = try systemd.show(journal.units.map { $0.name })
            var stopping: [UnitName] = []
            for index in journal.units.indices {
                let unit = journal.units[index], status = statuses[index]
                switch unit.state {
                case .up, .unsteady:
                    if !status.isUp || !isSameText(status.invocation, unit.invocation) { touched.append(unit.name) }
                case .failed:
                    // A unit that failed again is in its old state, also for a monitor that watches for failures.
                    if status.isUp { stopping.append(unit.name) }
                    if !status.hasFailed { touched.append(unit.name) }
                case .down:
                    if status.isUp || status.hasFailed { stopping.append(unit.name) }
                }
            }
            stopping += try systemd.come(journal, try systemd.units())
            if !stopping.isEmpty {
                try systemd.stop(jobs(stopping, journal))
                // Otherwise systemd keeps listing removed units as failed.
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

    /// A rollback gives a unit at least the time that systemd itself allows for a stop and a start by default.
    private func jobs(_ units: [UnitName], _ journal: Journal) -> [Systemd.Job] {
        units.map { unit in
            let limit = journal.units.first { $0.name == unit }?.limit ?? .zero
            return Systemd.Job(unit: unit, limit: max(limit + limit, Systemd.usualLimit))
        }
    }

    /// Disables units that were not enabled, while their unit files still exist. Only a journal of version 1 needs
    /// this, because it does not note the links. If this fails, the journal remains.
    private func disableNew(_ journal: Journal) throws(AgentError) {
        let units = journal.names { $0.isEnablementTouched && !$0.isEnabled }
        guard let systemd, !units.isEmpty else { return }
        let disabling = try systemd.those(units) { $0.isEnabled }
        if !disabling.isEmpty { try systemd.disable(disabling) }
    }

    /// Units that ran or were enabled although someone had removed or masked their files. Nothing can restore them.
    private func unitsWithoutFile(_ journal: Journal) -> [UnitName] {
        let units = journal.names { ($0.isUp || $0.isEnabled) && journal.hadNoFile($0.name) }
        guard let systemd, !units.isEmpty, (try? systemd.daemonReload()) != nil else { return [] }
        return (try? systemd.those(units) { !$0.isLoaded }) ?? []
    }

    private func enableOld(_ journal: Journal, _ gone: [UnitName]) throws(AgentError) {
        let enabled = journal.names { $0.isEnabled && $0.isEnablementTouched && !gone.contains($0.name) }
        guard let systemd, !enabled.isEmpty else { return }
        try systemd.enable(enabled)
    }

    /// Starts the units that were up or had failed, and checks that the healthy ones are healthy again.
    private func restartOld(_ units: [UnitName], _ journal: Journal) throws(AgentError) {
        guard let systemd, !units.isEmpty else { return }
        // A unit that was not healthy need not become healthy.
        var (well, unsteady, failed): ([UnitName], [UnitName], [UnitName]) = ([], [], [])
        for unit in journal.units where units.contains(unit.name) {
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
        let wellJobs = jobs(well, journal), statuses = try systemd.show(well)
        for index in wellJobs.indices {
            // A dependent of the unit (PartOf=) restarted with it, and may be up with the undone files. A restart reaches it.
            if statuses[index].isUp || !statuses[index].refusesStop { up.append(wellJobs[index]) } else { down.append(wellJobs[index]) }
        }
        try systemd.bringUp(start: down, restart: up, journal)
        try UnitCheck(systemd: systemd, interruption: Uninterrupted()).check(
            wellJobs.map { .init(unit: $0.unit, settle: nil, limit: $0.limit, invocation: nil) })
    }

    /// Has the units that the steps reloaded read the old files. Restarts those that such a reload has ended or replaced; one
    /// that runs on as before is left so, since a start could fail for the same reason.
    private func reloadOld(_ journal: Journal, _ failure: AgentError, _ problems: inout [AgentError]) {
        guard let systemd else { return }
        var failed: [UnitName] = []
        for name in journal.reloaded {
            do throws(AgentError) {
                let status = try systemd.show([name])[0]
                guard status.isUp,
                    let unit = journal.units.first(where: { $0.name == name && isSameText($0.invocation, status.invocation) })
                else { continue }
                // One that hangs would hang again.
                if !status.isReloading, (try? systemd.reload(jobs([name], journal))) != nil { continue }
                // Judged as the reload left it, and ended then.
                defer { systemd.endReload(name) }
                let now = try systemd.show([name])[0]
                if status.isReloading || !now.isActive || now.isReloading || !isSameText(now.invocation, unit.invocation) {
                    failed.append(name)
                } else if case .unit(name, _, _) = failure.problem {
                    // It did not read the new files either.
                } else {
                    throw systemd.failure(name, .reloadFailed(result: now.reloadResult))
                }
            } catch {
                problems.append(error)
            }
        }
        attempt(&problems) { () throws(AgentError) in try restartOld(failed, journal) }
    }

    /// Starts units that the steps or the rollback took down without naming them.
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
                // Elsewhere the directory belongs to a user already, who may have put another in its place.
                if try system.holder(of: directory, .look).isOurs { try system.setOwner(directory, uid: uid, gid: gid) }
            }
        case .readers(let directory, let mode, let gid):
            if try system.status(of: directory) != nil { try system.setReaders(directory, gid: gid, mode: mode) }
        }
    }

    private func restoreLink(_ path: AbsolutePath, _ target: String?) throws(AgentError) {
        guard let target else { return try system.removeIfThere(path) }
        if try !isSameText(system.target(of: path), target) { try system.replaceSymlink(path, target: target) }
    }

    private func restore(_ path: AbsolutePath, _ was: Journal.PriorPath) throws(AgentError) {
        switch was {
        case .nothing:
            try system.remove(path, if: .ours)
        case .symlink(let target):
            switch try system.occupant(of: path) {
            case .symlink(let other) where isSameText(other, target): break
            // Someone may have put another object there since. That is an error.
            case let occupant: try system.replaceSymlink(path, target: target, over: occupant == nil ? .nothing : .ours)
            }
        case .file(let copy), .kept(let copy):
            if let status = try system.status(of: path), status.kind == csys_kind_regular { return }
            try putBack(copy, at: path, over: .ours)
        }
    }

    // MARK: Where others are

    /// Cleans up replacements that were interrupted in a step or an earlier rollback.
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

    /// Whether a restore fails because of a user's changes in the user's own directory. No user may block the rollback
    /// of the host. The copy of a file stays.
    private func isForgone(_ prior: Journal.Prior, because failure: AgentError, _ journal: Journal) -> Bool {
        guard system.isUsersDoing(failure, at: prior.path) else { return false }
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

    /// Restores the prior object in place of a placed file, or where there is nothing. An object that someone else put
    /// there since stays, and is an error.
    private func restorePlaced(_ path: AbsolutePath, _ was: Journal.PriorPath, _ content: Content?) throws(AgentError) {
        let occupant = try system.occupant(of: path)
        var isOurs = false
        if case .file? = occupant, let content, let status = try system.status(of: path), content.canHave(status.size) {
            isOurs = try system.hash(path, limit: status.size) == content.id
        }
        let placed = content.map { Expected.content($0) } ?? .nothing
        switch (was, occupant) {
        case (.nothing, _): if isOurs { try system.remove(path, if: placed) }
        case (.symlink(let target), .symlink(let other)?) where isSameText(target, other): break
        case (.symlink(let target), nil): try system.replaceSymlink(path, target: target, over: .nothing)
        case (.symlink(let target), _) where isOurs: try system.replaceSymlink(path, target: target, over: placed)
        case (.file(let copy), nil), (.kept(let copy), nil): try putBack(copy, at: path, over: .nothing)
        case (.file(let copy), .file?), (.kept(let copy), .file?):
            let source = Journal.copy(copy)
            // An earlier, interrupted agent may have put it back already.
            guard let before = try system.status(of: source), let now = try system.status(of: path) else { return }
            if before.attributes == now.attributes, before.mtime_ns == now.mtime_ns, before.size == now.size,
                try system.hash(source) == system.hash(path, limit: now.size)
            {
                return
            }
            guard isOurs else { throw AgentError(.occupied(path, by: .file, for: nil)) }
            try putBack(copy, at: path, over: placed)
        case (_, let occupant?): throw AgentError(.occupied(path, by: occupant, for: nil))
        }
    }

    private func putBack(_ copy: Int, at path: AbsolutePath, over expected: Expected) throws(AgentError) {
        // The copy stays until everything is durable. A hard link to it takes no space on a disk that may be full, but
        // works only within one file system.
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

    /// Makes the restored state durable, and only then removes the journal.
    private func close(_ journal: Journal) throws(AgentError) {
        for prior in journal.priors {
            let path = prior.path
            do {
                if let parent = path.parent, try system.isDirectory(parent) { try system.sync(parent) }
                // The rollback may have restored the directory's own mode and owner.
                switch prior {
                case .readers, .directory: if try system.isDirectory(path) { try system.sync(path) }
                case .versions, .app, .path, .placed, .noDirectory: break
                }
            } catch {
                if !system.isUsersDoing(error, at: path) { throw error }
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
    /// Whether the cause is an existing or missing object, rather than a failure of the disk or the system.
    var isObstacle: Bool {
        switch problem {
        case .occupied: true
        // EPERM, ENOENT, ENXIO (a socket), EAGAIN (a lease), EACCES, EBUSY (a mount point), EEXIST, ENOTDIR, EISDIR, ETXTBSY,
        // EFBIG, ENOTEMPTY, ELOOP, ENOLINK, ESTALE, EDQUOT
        case .system(_, _, let code):
            switch code {
            case 1, 2, 6, 11, 13, 16, 17, 20, 21, 26, 27, 39, 40, 67, 116, 122: true
            default: false
            }
        default: false
        }
    }
}
