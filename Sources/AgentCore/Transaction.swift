import CSystem
import Model
import Wire

/// All steps of one deploy on one host (DESIGN: "The transaction"). Two durable points, the journal and the record;
/// what lies between is undone as a whole.
struct Transaction {
    let system: System
    /// Nil where systemd is not the running init: such a host gets files and links.
    let systemd: Systemd?
    let preparation: Preparation
    let supervisor: any Supervisor
    /// The file name of the agent, to be run at boot if the power fails; empty when it is not where agents are.
    let agent: String

    /// Runs the steps to their end, or undoes them.
    func run() -> Outcome {
        let journal: Journal
        do {
            journal = try begin()
        } catch {
            // Nothing has changed but what a sweep removes.
            try? system.removeIfThere(Layout.journal)
            try? BootUnit(system: system).unlink()
            return .unchanged(error)
        }
        do {
            try execute(journal)
            try commit(journal)
        } catch {
            supervisor.report(.undoing(error))
            return Rollback(system: system, systemd: rollbackSystemd).run(journal, because: error)
        }
        return .deployed
    }

    /// Undoing heeds nobody: it goes on to its end.
    private var rollbackSystemd: Systemd? {
        systemd == nil
            ? nil : Systemd(command: Command(system: system, interruption: Uninterrupted()), audience: supervisor)
    }

    // MARK: Begin

    /// Looks at all that the steps will change and writes down how to bring it back.
    private func begin() throws(Failure) -> Journal {
        var journal = Journal(commit: preparation.record.commit, priors: [], units: [], needsReload: false)
        var units: [UnitName] = []
        try system.removeTree(Layout.undo)
        try system.makeDirectory(Layout.undo, mode: 0o700)
        for (index, step) in preparation.steps.enumerated() {
            do {
                try note(step, in: &journal)
            } catch {
                throw Failure(step: index, error.problem)
            }
            if let unit = step.unit, !units.contains(unit) { units.append(unit) }
        }
        if let systemd {
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

    private func note(_ step: Step, in journal: inout Journal) throws(Failure) {
        switch (step.action, step.app) {
        case (.activate, let app?):
            journal.priors.append(
                .versions(
                    app, current: try system.target(of: app.current), previous: try system.target(of: app.previous)))
        case (.remove, let app?):
            if try system.status(of: app.directory) != nil { journal.priors.append(.app(app)) }
        case (.link(let path, let source), let app?):
            for directory in try missingDirectories(above: path) where !journal.priors.contains(.noDirectory(directory)) {
                journal.priors.append(.noDirectory(directory))
            }
            let link = Link(path: path, app: app, source: source)
            journal.priors.append(.path(path, try displaced(by: link, copies: journal.priors.count)))
            if path.isInside(Layout.unitLinks) { journal.needsReload = true }
        case (.unlink(let path), _):
            if let target = try system.target(of: path), Layout.isOurs(target) {
                journal.priors.append(.path(path, .symlink(to: target)))
            }
            if path.isInside(Layout.unitLinks) { journal.needsReload = true }
        case (.daemonReload, _):
            journal.needsReload = true
        case (.activate, nil), (.remove, nil), (.link, nil), (.checkout, nil):
            throw Failure(.protocolViolation)
        case (.confirm, _), (.checkout, _), (.sysusers, _), (.tmpfiles, _), (.disable, _), (.enable, _), (.start, _),
            (.restart, _), (.check, _):
            break
        }
    }

    /// The directories that a link at `path` takes; the one that holds them has to be there.
    private func missingDirectories(above path: AbsolutePath) throws(Failure) -> [AbsolutePath] {
        guard let parent = path.parent else { return [] }
        let missing = try system.missingDirectories(parent)
        if let existing = missing.isEmpty ? parent : missing[0].parent, try !system.isDirectory(existing) {
            throw Failure(.occupied(existing, by: try system.occupant(of: existing) ?? .other))
        }
        return missing
    }

    /// What a link will take the place of. A file with the same content is adopted; anything else that is not ours is
    /// an error, before anything has changed.
    private func displaced(by link: Link, copies: Int) throws(Failure) -> Journal.PriorPath {
        guard let occupant = try system.occupant(of: link.path) else { return .nothing }
        switch occupant {
        case .symlink(let target) where Layout.isOurs(target): return .symlink(to: target)
        case .file:
            guard let file = newFile(link), try system.hash(link.path) == file.id else { break }
            try system.duplicate(link.path, to: Journal.copy(copies))
            return .file(copy: copies)
        default: break
        }
        throw Failure(.occupied(link.path, by: occupant))
    }

    /// The file that a link will show.
    private func newFile(_ link: Link) -> FileEntry? {
        preparation.record.apps.first { $0.name == link.app }?.files.first { $0.path == link.source }
    }

    // MARK: Execute

    private func execute(_ journal: Journal) throws(Failure) {
        let steps = preparation.steps
        var index = 0
        while index < steps.count {
            if let reason = supervisor.reason { throw Failure(step: index, reason) }
            // Neighbours of the same kind that concern units are one call of systemctl, or one judgement.
            var end = index + 1
            while end < steps.count, steps[end].action.canJoin(steps[index].action) { end += 1 }
            supervisor.report(.began(step: index))
            do {
                try execute(index..<end, journal)
            } catch {
                var failed = index
                if case .unit(let unit, _, _) = error.problem { failed = (index..<end).first { steps[$0].unit == unit } ?? index }
                throw Failure(step: failed, error.problem)
            }
            index = end
        }
    }

    private func execute(_ range: Range<Int>, _ journal: Journal) throws(Failure) {
        let step = preparation.steps[range.lowerBound]
        switch step.action {
        case .checkout: break  // staged already
        case .confirm(let limit, _): try waitForConfirmation(limit)
        case .activate, .remove, .link, .unlink:
            try change(step)
        case .sysusers: try systemd?.sysusers()
        case .tmpfiles: try systemd?.tmpfiles()
        case .daemonReload: try systemd?.daemonReload()
        case .disable:
            guard let systemd else { return }
            let jobs = preparation.steps[range].compactMap { $0.job }
            let loaded = zip(jobs, try systemd.show(jobs.map { $0.unit })).filter { $0.1.loadState != "not-found" }.map { $0.0 }
            if !loaded.isEmpty {
                try systemd.stop(loaded)
                try systemd.disable(loaded.map { $0.unit })
            }
        case .enable:
            guard let systemd else { return }
            try systemd.enable(preparation.steps[range].compactMap { $0.unit })
            try Enablement(system: system).leadThroughCurrent()
        case .start, .restart: try restart(range, journal)
        case .check:
            guard let systemd else { return }
            try UnitCheck(systemd: systemd, interruption: supervisor).judge(
                range.compactMap { index in
                    guard case .check(let unit, let settle, let limit) = preparation.steps[index].action else { return nil }
                    return .init(unit: unit, settle: settle, limit: limit, invocation: journal.invocation(of: unit))
                })
        }
    }

    /// By the monotonic clock: a deploy may well set the other.
    private func waitForConfirmation(_ limit: Duration) throws(Failure) {
        let deadline = csys_monotonic_ns() + Int64(limit.wholeMilliseconds) * 1_000_000
        while true {
            if let reason = supervisor.reason { throw Failure(reason) }
            if supervisor.isConfirmed { return }
            let remaining = (deadline - csys_monotonic_ns() + 999_999) / 1_000_000
            guard remaining > 0 else { throw Failure(.notConfirmed(seconds: Int(limit.wholeMilliseconds / 1000))) }
            var items = [csys_poll_item(fd: supervisor.descriptor, readable: true, writable: false)]
            _ = csys_poll(&items, items.count, remaining)
        }
    }

    private func restart(_ range: Range<Int>, _ journal: Journal) throws(Failure) {
        guard let systemd else { return }
        let jobs = preparation.steps[range].compactMap { $0.job }
        let units = jobs.map { $0.unit }
        var result = try systemd.restart(jobs)
        guard result.status != 0 else { return }
        var statuses = try systemd.show(units)
        // systemd counts our restarts too: several deploys in a short time are no reason to fail.
        if statuses.contains(where: { $0.result == "start-limit-hit" }) {
            systemd.resetFailed(units)
            result = try systemd.restart(jobs)
            guard result.status != 0 else { return }
            statuses = try systemd.show(units)
        }
        // Say which unit it was, in its own words.
        for (unit, status) in zip(units, statuses) {
            if case .unwell(let problem) = status.verdict(before: journal.invocation(of: unit)) {
                throw Failure(.unit(unit, problem, journal: systemd.journal(unit)))
            }
        }
        let arguments = systemd.arguments("restart", jobs)
        throw Failure(.command(arguments: arguments, status: result.status, output: lastLines(result.text)))
    }

    /// A step that changes nothing but the file system.
    private func change(_ step: Step) throws(Failure) {
        switch (step.action, step.app) {
        case (.activate, let app?):
            if let current = try system.target(of: app.current) {
                try system.replaceSymlink(app.previous, target: current)
            }
            try system.replaceSymlink(app.current, target: preparation.version.text)
        case (.remove, let app?):
            if try system.status(of: app.directory) != nil { try system.rename(app.directory, to: app.removed) }
        case (.link(let path, let source), let app?):
            if let parent = path.parent { try system.makeDirectories(parent, mode: 0o755) }
            try system.replaceSymlink(path, target: Link(path: path, app: app, source: source).target.text)
        case (.unlink(let path), _):
            // systemctl may have removed it when it disabled the unit; what is not ours stays.
            if let target = try system.target(of: path), Layout.isOurs(target) { try system.remove(path) }
        default: break
        }
    }

    // MARK: Commit

    private func commit(_ journal: Journal) throws(Failure) {
        for directory in try directories(journal) { try system.syncParent(of: directory.withSuffix("/any")) }
        if let reason = supervisor.reason { throw Failure(reason) }
        // The commit point. Nothing may fail after it: the host would be undone, and its record say otherwise.
        try system.replace(Layout.record, with: preparation.record.encoded, mode: 0o600)
    }

    /// The directories whose entries the steps changed, systemd's own links included.
    private func directories(_ journal: Journal) throws(Failure) -> [AbsolutePath] {
        var directories: [AbsolutePath] = []
        func add(_ directory: AbsolutePath?) throws(Failure) {
            guard let directory, !directories.contains(directory), try system.status(of: directory) != nil else { return }
            directories.append(directory)
        }
        for prior in journal.priors {
            switch prior {
            case .versions(let app, _, _): try add(app.directory)
            case .app: try add(Layout.apps)
            case .path(let path, _), .noDirectory(let path): try add(path.parent)
            }
        }
        if journal.units.contains(where: { $0.isEnablementTouched }) {
            for directory in try Enablement(system: system).directories() { try add(directory) }
        }
        return directories
    }
}

extension Journal {
    /// The invocation of a unit before the transaction; nil if it was not up.
    func invocation(of unit: UnitName) -> String? {
        units.first { $0.name == unit && $0.isUp }?.invocation
    }
}

extension Step {
    /// The unit that the step is about.
    var unit: UnitName? {
        switch action {
        case .disable(let unit, _), .enable(let unit, _), .start(let unit, _), .restart(let unit, _, _),
            .check(let unit, _, _):
            unit
        default: nil
        }
    }

    /// What systemd is asked to do.
    var job: Systemd.Job? {
        guard let unit, let limit = action.limit else { return nil }
        return Systemd.Job(unit: unit, limit: limit)
    }
}

extension Step.Action {
    /// How long the unit may take.
    var limit: Duration? {
        switch self {
        case .disable(_, let limit), .start(_, let limit), .restart(_, _, let limit), .check(_, _, let limit): limit
        default: nil
        }
    }

    var touchesEnablement: Bool {
        switch self {
        case .enable, .disable: true
        default: false
        }
    }

    /// Whether a step of this kind can be done together with one of the other's.
    func canJoin(_ other: Step.Action) -> Bool {
        switch (self, other) {
        case (.disable, .disable), (.enable, .enable), (.check, .check),
            (.start, .start), (.restart, .restart), (.start, .restart), (.restart, .start):
            true
        default: false
        }
    }
}

/// Watches over a transaction on behalf of the operator.
public protocol Supervisor: Interruption {
    /// Whether the operator has confirmed, as far as `reason` has seen.
    var isConfirmed: Bool { get }
    /// Tells the operator; nothing is lost for the transaction if nobody listens.
    func report(_ reply: Reply)
}
