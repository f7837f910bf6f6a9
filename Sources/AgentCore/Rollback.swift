import CSystem
import Model
import Wire

/// Brings a host back to what its journal says. It may be interrupted anywhere and started again.
struct Rollback {
    let system: System
    let systemd: Systemd?

    /// Undoes, and judges the result. The journal goes away when every file is as it was.
    func run(_ journal: Journal, because failure: Failure) -> Outcome {
        var problems: [Failure] = []
        // So early nothing of it runs, and what is enabled will be started, as it is then.
        let isBooting = systemd?.isInitializing ?? false
        let touched = isBooting ? [] : stopNew(journal, &problems)
        let beforeFiles = problems.count
        attempt(&problems) { () throws(Failure) in try disableNew(journal) }
        for prior in journal.priors.reversed() {
            do { try restore(prior) } catch { problems.append(error) }
        }
        if journal.units.contains(where: { $0.isEnablementTouched }) {
            attempt(&problems) { () throws(Failure) in
                try Enablement(system: system).removeUnfinished()
                try Enablement(system: system).removeDangling()
            }
        }
        let filesAreBack = problems.count == beforeFiles
        if journal.needsReload { attempt(&problems) { () throws(Failure) in try systemd?.daemonReload() } }
        bringBack(journal, touched, &problems)
        // If that fails, the journal stands and the next agent does all of this again; the host is right all the same.
        if filesAreBack { try? close(journal) }
        return problems.isEmpty ? .rolledBack(failure) : .broken(failure, undoing: problems)
    }

    private func attempt(_ problems: inout [Failure], _ work: () throws(Failure) -> Void) {
        do { try work() } catch { problems.append(error) }
    }

    // MARK: Units

    /// Stops what was not up, while its unit files are still there. Returns the units that were up and were stopped or
    /// started since: those have to start again.
    private func stopNew(_ journal: Journal, _ problems: inout [Failure]) -> [UnitName] {
        guard let systemd, !journal.units.isEmpty else { return [] }
        var touched: [UnitName] = []
        do {
            // The process that asked for them may have been killed.
            systemd.cancel(journal.units.map { $0.name })
            let statuses = try systemd.show(journal.units.map { $0.name })
            var stopping: [UnitName] = []
            for (unit, status) in zip(journal.units, statuses) {
                if unit.isUp && (!status.isUp || status.invocation != unit.invocation) { touched.append(unit.name) }
                if !unit.isUp && (status.isUp || status.activeState == "failed") { stopping.append(unit.name) }
            }
            if !stopping.isEmpty {
                try systemd.stop(jobs(stopping, journal))
                // Else systemd remembers as failed what is gone.
                systemd.resetFailed(stopping)
            }
        } catch {
            problems.append(error)
        }
        return touched
    }

    /// Undoing has the time that systemd itself gives a unit to stop and then to start, if it gives no more than usual.
    private func jobs(_ units: [UnitName], _ journal: Journal) -> [Systemd.Job] {
        journal.units.filter { units.contains($0.name) }
            .map { Systemd.Job(unit: $0.name, limit: max($0.limit, .seconds(90)) * 2) }
    }

    /// Disables what was not enabled, while its unit files are still there. That is a matter of files, the links of
    /// `Enablement`: when it fails, the journal stands.
    private func disableNew(_ journal: Journal) throws(Failure) {
        let units = journal.units.filter { $0.isEnablementTouched && !$0.isEnabled }.map { $0.name }
        guard let systemd, !units.isEmpty else { return }
        let disabling = zip(units, try systemd.show(units)).filter { $0.1.isEnabled }.map { $0.0 }
        if !disabling.isEmpty { try systemd.disable(disabling) }
    }

    /// Enables and starts what was enabled and up, and sees whether it stays up.
    private func bringBack(_ journal: Journal, _ touched: [UnitName], _ problems: inout [Failure]) {
        guard let systemd else { return }
        let enabled = journal.units.filter { $0.isEnabled && $0.isEnablementTouched }.map { $0.name }
        if !enabled.isEmpty {
            attempt(&problems) { () throws(Failure) in
                try systemd.enable(enabled)
                try Enablement(system: system).leadThroughCurrent()
            }
        }
        guard !touched.isEmpty else { return }
        attempt(&problems) { () throws(Failure) in
            systemd.resetFailed(touched)
            let jobs = jobs(touched, journal)
            _ = try systemd.restart(jobs)
            try UnitCheck(systemd: systemd, interruption: Uninterrupted()).judge(
                jobs.map { .init(unit: $0.unit, settle: nil, limit: $0.limit, invocation: nil) })
        }
    }

    // MARK: Files

    private func restore(_ prior: Journal.Prior) throws(Failure) {
        switch prior {
        case .versions(let app, let current, let previous):
            try restoreLink(app.current, current)
            try restoreLink(app.previous, previous)
        case .app(let app):
            if try system.status(of: app.removed) != nil { try system.rename(app.removed, to: app.directory) }
        case .path(let path, let was):
            try system.removeIfThere(path.temporary)
            try restore(path, was)
        case .noDirectory(let directory):
            if try system.status(of: directory) != nil { try system.removeDirectory(directory) }
        }
    }

    private func restoreLink(_ path: AbsolutePath, _ target: String?) throws(Failure) {
        try system.removeIfThere(path.temporary)
        guard let target else { return try system.removeIfThere(path) }
        if try system.target(of: path) != target { try system.replaceSymlink(path, target: target) }
    }

    private func restore(_ path: AbsolutePath, _ was: Journal.PriorPath) throws(Failure) {
        switch was {
        case .nothing:
            if let target = try system.target(of: path), Layout.isOurs(target) { try system.remove(path) }
        case .symlink(let target):
            switch try system.occupant(of: path) {
            case .symlink(to: target): break
            case nil: try system.replaceSymlink(path, target: target)
            case .symlink(let other) where Layout.isOurs(other): try system.replaceSymlink(path, target: target)
            // Somebody put it there since.
            case let occupant?: throw Failure(.occupied(path, by: occupant))
            }
        case .file(let copy):
            if let status = try system.status(of: path), status.kind == csys_kind_regular { return }
            // A rename takes no room on a disk that may be full, but works only within a file system.
            if (try? system.rename(Journal.copy(copy), to: path)) != nil { return }
            try system.duplicate(Journal.copy(copy), to: path.temporary)
            try system.rename(path.temporary, to: path)
        }
    }

    // MARK: Close

    /// Makes what was restored durable, and only then forgets how to do it.
    private func close(_ journal: Journal) throws(Failure) {
        for prior in journal.priors {
            let path: AbsolutePath =
                switch prior {
                case .versions(let app, _, _): app.current
                case .app(let app): app.directory
                case .path(let path, _): path
                case .noDirectory(let path): path
                }
            if let parent = path.parent, try system.isDirectory(parent) { try system.sync(parent) }
        }
        try Leftovers(system: system).closeJournal()
    }
}

/// What earlier deploys left, finished or not.
struct Leftovers {
    let system: System

    /// Ends the transaction on disk. The record must not be lost after the journal is.
    func closeJournal() throws(Failure) {
        try system.syncParent(of: Layout.record)
        try system.removeIfThere(Layout.journal)
        try system.syncParent(of: Layout.journal)
        try BootUnit(system: system).unlink()
        try system.removeTree(Layout.undo)
    }

    /// Removes every checkout that is neither the current nor the previous version of its app, what was never finished,
    /// and apps of which nothing is left. While a transaction is open, undoing it may need any of that, and it all stays.
    ///
    /// One that cannot be removed keeps none of the others; the last such failure is thrown.
    func sweep() throws(Failure) {
        guard try system.status(of: Layout.journal) == nil else { return }
        var failure: Failure?
        func attempt(_ work: () throws(Failure) -> Void) {
            do { try work() } catch { failure = error }
        }
        attempt { () throws(Failure) in try system.removeTree(Layout.undo) }
        attempt { () throws(Failure) in try BootUnit(system: system).unlink() }
        for path in [Layout.record, Layout.journal] {
            attempt { () throws(Failure) in try system.removeIfThere(path.withSuffix(".new")) }
        }
        for name in try system.list(Layout.apps) {
            guard let app = AppName(name) else { continue }
            attempt { () throws(Failure) in try sweep(app) }
        }
        if let failure { throw failure }
    }

    private func sweep(_ app: AppName) throws(Failure) {
        // Something else may lie there, and a symlink may lead anywhere.
        guard try system.status(of: app.directory)?.kind == csys_kind_directory else { return }
        let current = try system.target(of: app.current)
        let previous = try system.target(of: app.previous)
        for entry in try system.list(app.directory) where entry != current && entry != previous {
            let unfinished = entry.hasSuffix(".staging") || entry == app.current.temporary.name
            guard unfinished || Version(entry) != nil, let path = try? RelativePath(entry) else { continue }
            try system.removeTree(app.directory.appending(path))
        }
        if current == nil, previous == nil { try system.removeDirectory(app.directory) }
    }

    /// Removes the drop-in directories of units from which the steps took the last link.
    func removeEmptyDropIns(_ steps: [Step]) {
        for step in steps {
            guard case .unlink(let path) = step.action, let directory = path.parent,
                LinkDirectory.all.contains(where: { $0.hasDropIns && directory.parent == $0.target })
            else { continue }
            _ = try? system.removeDirectory(directory)
        }
    }

    /// Removes agents other than the one that runs.
    func removeAgents(except own: String) throws(Failure) {
        for name in try system.list(Layout.agents) where name.hasPrefix("deptool-agent-") && name != own {
            if let path = try? RelativePath(name) { try system.removeIfThere(Layout.agents.appending(path)) }
        }
    }
}

extension System {
    /// A copy of a file with its mode, owner, modification time and extended attributes, durable.
    func duplicate(_ source: AbsolutePath, to destination: AbsolutePath) throws(Failure) {
        try removeIfThere(destination)
        let from = try open(source)
        let status = try from.status()
        let to = try create(destination, mode: 0o600)
        while true {
            let piece = try from.read(upTo: 128 << 10)
            if piece.isEmpty { break }
            try to.write(piece)
        }
        try setOwner(destination, uid: status.uid, gid: status.gid)
        try setMode(destination, status.mode)
        for attribute in try extendedAttributes(of: source) { try setExtendedAttribute(destination, attribute) }
        try setModificationTime(destination, status.mtime_ns)
        try to.sync()
    }

    /// The blob id of a file's content.
    func hash(_ path: AbsolutePath) throws(Failure) -> ObjectID {
        let file = try open(path)
        var hasher = ObjectHasher(.blob, size: try file.status().size)
        while true {
            let piece = try file.read(upTo: 128 << 10)
            if piece.isEmpty { return hasher.finish() }
            hasher.update(piece)
        }
    }
}
