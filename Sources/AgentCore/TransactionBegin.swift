import CSystem
import Model
import Wire

extension Transaction {
    /// Looks at all that the steps will change and writes down how to bring it back.
    func begin() throws(Failure) -> Journal {
        let made = try StoredRecord.load(system)?.madeDirectories ?? []
        let commit = preparation.leavesNothing ? nil : preparation.record.commit
        var journal = Journal(commit: commit, priors: [], units: [], needsReload: false)
        var units: [UnitName] = []
        try system.removeTree(Layout.undo)
        try system.makeDirectory(Layout.undo, mode: 0o700)
        for (index, step) in preparation.steps.enumerated() {
            do {
                try note(step, made: made, in: &journal)
            } catch {
                throw Failure(step: index, error.problem)
            }
            if let unit = step.unit, !units.contains(unit) { units.append(unit) }
        }
        if let systemd {
            if preparation.steps.contains(where: { $0.action.touchesEnablement }) { try noteUnitFiles(in: &journal) }
            let statuses = try systemd.show(units)
            for (unit, status) in zip(units, statuses) {
                journal.units.append(
                    Journal.PriorUnit(
                        name: unit, isUp: status.isUp, isEnabled: status.isEnabled,
                        isEnablementTouched: preparation.steps.contains { $0.unit == unit && $0.action.touchesEnablement },
                        limit: preparation.steps.compactMap { $0.unit == unit ? $0.action.limit : nil }.max() ?? .zero,
                        invocation: status.isUp ? status.invocation : ""))
            }
        }
        if let reason = supervisor.reason { throw Failure(reason) }
        try system.syncParent(of: Layout.undo.withSuffix("/any"))
        if systemd != nil, !agent.isEmpty { try BootUnit(system: system).link(agent) }
        try journal.save(system)
        return journal
    }

    /// `systemctl disable`, now or when enabling is undone, takes away the links of the unit files along with its own.
    private func noteUnitFiles(in journal: inout Journal) throws(Failure) {
        for link in preparation.record.links where link.path.isInside(Layout.unitLinks) {
            guard let target = try system.target(of: link.path), Layout.isOurs(target) else { continue }
            journal.priors.append(.path(link.path, .symlink(to: target)))
            journal.needsReload = true
        }
    }

    private func note(_ step: Step, made: [AbsolutePath], in journal: inout Journal) throws(Failure) {
        let obstacles = Obstacles(system: system, preparation: preparation)
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
            for directory in try obstacles.missingDirectories(above: path) where !journal.priors.contains(.noDirectory(directory)) {
                journal.priors.append(.noDirectory(directory))
            }
            let link = Link(path: path, app: app, source: source)
            let was: Journal.PriorPath
            switch try obstacles.displaced(by: link) {
            case .file:
                // A number that no other copy has.
                let copy = journal.priors.count
                was = obstacles.foreign(at: path) == nil ? .file(copy: copy) : .kept(copy: copy)
                try system.duplicate(path, to: Journal.copy(journal.priors.count))
            case .symlink(let target): was = .symlink(to: target)
            default: was = .nothing
            }
            journal.priors.append(.path(path, was))
            if path.isInside(Layout.unitLinks) { journal.needsReload = true }
        case (.unlink(let path), _):
            if let target = try system.target(of: path), Layout.isOurs(target) {
                journal.priors.append(.path(path, .symlink(to: target)))
            }
            // Undone in reverse: the outermost directory comes first then, and the link last.
            for directory in made.reversed() where path.isInside(directory) {
                guard let status = try system.status(of: directory), status.kind == csys_kind_directory else { continue }
                let prior = Journal.Prior.directory(directory, mode: status.mode, uid: status.uid, gid: status.gid)
                if !journal.priors.contains(prior) { journal.priors.append(prior) }
            }
            if path.isInside(Layout.unitLinks) { journal.needsReload = true }
        case (.daemonReload, _):
            journal.needsReload = true
        case (.activate, nil), (.remove, nil), (.link, nil), (.checkout, nil):
            throw Failure(.protocolViolation)
        case (.confirm, _), (.checkout, _), (.displace, _), (.sysusers, _), (.tmpfiles, _), (.disable, _), (.enable, _), (.start, _),
            (.restart, _), (.check, _):
            break
        }
    }
}
