import Model
import Wire

extension Journal {
    /// Whether the unit had no file in the administrator's directory. There may be one elsewhere.
    func hadNoFile(_ unit: UnitName) -> Bool {
        for prior in priors {
            let (path, was): (AbsolutePath, PriorPath)
            switch prior {
            case .path(let there, let before), .placed(let there, let before, _): (path, was) = (there, before)
            default: continue
            }
            guard path.parent == Layout.unitLinks, isSameText(path.name, unit.text) else { continue }
            switch was {
            case .nothing: return true
            case .symlink(let target): return !Layout.isOurs(target)
            case .file, .kept: return false
            }
        }
        return false
    }

    /// Whether all files of an app were in place already with the same content: the app only takes them over, and its
    /// units need not restart. A file that Deptool placed there earlier with other content does not count. With `isNew`, the
    /// app must not be on the host yet.
    func onlyTakesOver(_ app: DeployedApp, isNew: Bool, _ record: Record, _ old: Record?) -> Bool {
        for was in old?.apps ?? [] where was.name == app.name {
            if isNew { return false }
            for file in was.files where !isSameText(file.path.text, "manifest.json") {
                guard app.files.contains(where: { $0.path == file.path && $0.id == file.id && $0.isExecutable == file.isExecutable }) else {
                    return false
                }
            }
        }
        for file in app.files where !isSameText(file.path.text, "manifest.json") {
            var path: AbsolutePath?
            for link in record.links where link.app == app.name && link.source == file.path { path = link.path }
            for placed in record.placed where placed.app == app.name && placed.source == file.path { path = placed.path }
            guard let path, wasThere(path) else { return false }
            if let was = old?.placedContent(at: path), was != file.id { return false }
        }
        return true
    }

    private func wasThere(_ place: AbsolutePath) -> Bool {
        for prior in priors {
            switch prior {
            case .path(place, .file), .placed(place, .file, _): return true
            case .path(place, .symlink(let target)), .placed(place, .symlink(let target), _): return !Layout.isOurs(target)
            default: break
            }
        }
        return false
    }

    /// The invocation of a unit before the transaction; nil if it was not up.
    func invocation(of unit: UnitName) -> String? {
        units.first { $0.name == unit && $0.isUp }?.invocation
    }
}

extension Step {
    /// The unit that the step concerns.
    var unit: UnitName? {
        switch action {
        case .disable(let unit, _), .enable(let unit, _), .start(let unit, _, _), .restart(let unit, _, _),
            .check(let unit, _, _), .restartIfUp(let unit, _, _), .reload(let unit, _, _, _), .stop(let unit, _):
            unit
        default: nil
        }
    }

    /// The job that systemd gets.
    var job: Systemd.Job? {
        guard let unit, let limit = action.limit else { return nil }
        return Systemd.Job(unit: unit, limit: limit)
    }
}

extension Step.Action {
    /// The time that the unit may take.
    var limit: Duration? {
        switch self {
        case .disable(_, let limit), .start(_, _, let limit), .restart(_, _, let limit), .check(_, _, let limit),
            .restartIfUp(_, _, let limit), .reload(_, _, _, let limit), .stop(_, let limit):
            limit
        default: nil
        }
    }

    var touchesEnablement: Bool {
        switch self {
        case .enable, .disable: true
        default: false
        }
    }

    /// Whether it starts a unit with new files.
    private var bringsUp: Bool {
        switch self {
        case .start, .restart, .restartIfUp: true
        default: false
        }
    }

    /// Whether it leaves a unit down that is down.
    var leavesDown: Bool {
        switch self {
        case .restartIfUp, .reload(_, _, .leave, _): true
        default: false
        }
    }

    /// Whether this step can be combined with a step of the other's kind.
    func canJoin(_ other: Step.Action) -> Bool {
        switch (self, other) {
        case (.disable, .disable), (.enable, .enable), (.check, .check), (.stop, .stop), (.reload, .reload): true
        default: bringsUp && other.bringsUp
        }
    }
}
