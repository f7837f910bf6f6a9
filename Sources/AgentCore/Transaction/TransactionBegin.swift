import CSystem
import Model
import Wire

extension Transaction {
    /// Examines everything that the steps will change and writes down how to restore it.
    func begin() throws(AgentError) -> Journal {
        let commit = preparation.leavesNothing ? nil : preparation.record.commit
        var journal = Journal(writer: agent, machineID: system.machineID, commit: commit, priors: [], units: [], needsReload: false)
        var units: [UnitName] = []
        try system.removeTree(Layout.undo)
        try system.makeDirectory(Layout.undo, mode: 0o700)
        for index in preparation.steps.indices {
            let step = preparation.steps[index]
            do {
                try note(step, in: &journal)
            } catch {
                throw AgentError(step: index, error.problem)
            }
            if let unit = step.unit, !units.contains(unit) { units.append(unit) }
        }
        for file in conversions {
            journal.needsReload = true
            try notePlaced(file, in: &journal)
        }
        if let systemd {
            if preparation.steps.contains(where: { $0.action.touchesEnablement }) || !conversions.isEmpty {
                journal.enablement = try EnabledLinks(system: system).snapshot()
            }
            let statuses = try systemd.show(units)
            for index in units.indices {
                let unit = units[index], status = statuses[index]
                journal.units.append(
                    Journal.PriorUnit(
                        name: unit, state: status.prior, isEnabled: false, isEnablementTouched: false,
                        limit: preparation.steps.compactMap { $0.unit == unit ? $0.action.limit : nil }.max() ?? .zero,
                        invocation: status.invocation))
            }
            if !units.isEmpty { journal.others = try systemd.units() }
        }
        if let reason = supervisor.reason { throw AgentError(reason) }
        try system.sync(Layout.undo)
        if systemd != nil, !agent.isEmpty { try installBootUnit() }
        try journal.save(system)
        return journal
    }

    /// Installs the boot unit. If `/etc` is read-only, a deploy of files alone continues without it.
    private func installBootUnit() throws(AgentError) {
        do {
            try BootUnit(system: system).install(agent)
        } catch {
            guard error.isReadOnly, !preparation.needsUnits else { throw error }
        }
    }

    private func notePlaced(_ file: PlacedFile, in journal: inout Journal) throws(AgentError) {
        try noteDirectories(above: file.path, in: &journal)
        let was = try prior(at: file.path, in: journal) { () throws(AgentError) in try obstacles.displaced(by: file) }
        journal.priors.append(
            .placed(file.path, was, content: try content(of: file)))
        if file.path.isInside(Layout.unitLinks) { journal.needsReload = true }
    }

    private func content(of file: PlacedFile) throws(AgentError) -> Content? {
        guard let id = preparation.record.content(of: file.source, in: file.app) else { return nil }
        for version in [file.app.version(preparation.version), file.app.current] {
            if let status = try system.status(of: version.appending(file.source)) { return Content(id: id, size: status.size) }
        }
        return Content(id: id, size: Content.unknownSize)
    }

    private func noteDirectories(above path: AbsolutePath, in journal: inout Journal) throws(AgentError) {
        for directory in try obstacles.missingDirectories(above: path) {
            let isNoted = journal.priors.contains { if case .noDirectory(directory) = $0 { true } else { false } }
            if !isNoted { journal.priors.append(.noDirectory(directory)) }
        }
    }

    /// The object that `look` finds at `path`. If it is a file, makes a copy of it.
    private func prior(
        at path: AbsolutePath, in journal: Journal, _ look: () throws(AgentError) -> Occupant?
    ) throws(AgentError) -> Journal.PriorPath {
        switch try look() {
        case .file:
            // Unique among the copies.
            let copy = journal.priors.count
            try system.duplicate(path, to: Journal.copy(copy))
            // Another process may have written to the file before the copy.
            _ = try look()
            return obstacles.foreign(at: path) == nil ? .file(copy: copy) : .kept(copy: copy)
        case .symlink(let target): return .symlink(to: target)
        default: return .nothing
        }
    }

    /// Notes directories that were made for the object at `path`. A rollback runs in reverse and restores the outermost first.
    private func noteMadeDirectories(above path: AbsolutePath, in journal: inout Journal) throws(AgentError) {
        for directory in (old?.madeDirectories ?? []).reversed() where path.isInside(directory) {
            guard let status = try system.status(of: directory), status.kind == csys_kind_directory else { continue }
            let isNoted = journal.priors.contains { if case .directory(directory, _, _, _) = $0 { true } else { false } }
            if !isNoted { journal.priors.append(.directory(directory, mode: status.mode, uid: status.uid, gid: status.gid)) }
        }
    }

    private func note(_ step: Step, in journal: inout Journal) throws(AgentError) {
        switch (step.action, step.app) {
        case (.activate, let app?):
            journal.priors.append(
                .versions(
                    app, current: try system.target(of: app.current), previous: try system.target(of: app.previous)))
            if let old = try versionToClose(app), let status = try system.status(of: old) {
                journal.priors.append(.readers(old, mode: status.mode, gid: status.gid))
            }
        case (.grant(let group), _): try obstacles.check(group)
        case (.remove, let app?):
            if try system.status(of: app.directory) != nil { journal.priors.append(.app(app)) }
        case (.link(let path, let source), let app?):
            try noteDirectories(above: path, in: &journal)
            let was = try prior(at: path, in: journal) { () throws(AgentError) in
                try obstacles.displaced(by: Link(path: path, app: app, source: source))
            }
            journal.priors.append(.path(path, was))
            if path.isInside(Layout.unitLinks) { journal.needsReload = true }
        case (.place(let path, let source, let access, _), let app?):
            try notePlaced(PlacedFile(path: path, app: app, source: source, access: access), in: &journal)
        case (.unlink(let path), _):
            if let target = try system.target(of: path), Layout.isOurs(target) {
                journal.priors.append(.path(path, .symlink(to: target)))
            }
            try noteMadeDirectories(above: path, in: &journal)
            if path.isInside(Layout.unitLinks) { journal.needsReload = true }
        case (.unplace(let path), _):
            let was = try prior(at: path, in: journal) { () throws(AgentError) in try obstacles.removed(at: path) }
            if case .nothing = was {} else { journal.priors.append(.placed(path, was, content: nil)) }
            try noteMadeDirectories(above: path, in: &journal)
            if path.isInside(Layout.unitLinks) { journal.needsReload = true }
        case (.daemonReload, _):
            journal.needsReload = true
        case (.unseal, let app?): journal.unsealed.append(app)
        case (.activate, nil), (.remove, nil), (.link, nil), (.place, nil), (.checkout, nil), (.unseal, nil):
            throw AgentError(.protocolViolation)
        case (.confirm, _), (.checkout, _), (.displace, _), (.sysusers, _), (.tmpfiles, _), (.disable, _), (.enable, _), (.start, _),
            (.restart, _), (.check, _), (.test, _), (.restartIfUp, _), (.reload, _), (.stop, _), (.validate, _), (.probe, _):
            break
        }
    }
}

extension AgentError {
    /// Whether a write failed because the file system is read-only (EROFS).
    var isReadOnly: Bool {
        if case .system(_, _, code: 30) = problem { true } else { false }
    }
}

extension Preparation {
    /// Whether the steps need the directory of unit files. Without it, a host can get only files and links.
    var needsUnits: Bool {
        steps.contains { step in step.unit != nil || step.action.path?.isInside(Layout.unitLinks) ?? false }
    }
}
