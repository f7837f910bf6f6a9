import CSystem
import Model
import Wire

/// Checks the host's systemd for obstacles to a deploy. It changes nothing and runs before any host changes.
struct UnitPreflightCheck {
    let system: System
    let preparation: Preparation
    let systemd: Systemd

    func check(_ found: FoundObstacles) throws(AgentError) {
        do { try Quadlets(system: system, preparation: preparation).checkGenerator() } catch { found.add(error) }
        try checkNames(found)
        var indices: [Int] = []
        var units: [UnitName] = []
        for (index, step) in preparation.steps.enumerated() {
            switch step.action {
            case .disable(let unit, _), .start(let unit, _, _), .restart(let unit, _, _), .restartIfUp(let unit, _, _),
                .reload(let unit, _, _, _),
                .stop(let unit, _):
                indices.append(index)
                units.append(unit)
            default: break
            }
        }
        let statuses = try systemd.show(units)
        for number in indices.indices {
            let (index, unit) = (indices[number], units[number])
            if let problem = try refusal(preparation.steps[index].action, unit, statuses[number]) {
                found.add(AgentError(step: index, .unit(unit, problem, journal: "")))
            }
        }
    }

    /// Checks that foreign units are listed by their own names.
    private func checkNames(_ found: FoundObstacles) throws(AgentError) {
        let own = preparation.record.placed.map { $0.path.name }
        var units: [UnitName] = []
        for step in preparation.steps {
            guard let unit = step.unit, !units.contains(unit), !own.contains(unit.text), !own.contains(unit.template) else { continue }
            switch step.action {
            case .disable, .stop: continue
            default: units.append(unit)
            }
        }
        for (unit, status) in zip(units, try systemd.show(units)) where status.isLoaded && !isSameText(status.id, unit.text) {
            found.add(AgentError(.unitAlias(unit, of: status.id)))
        }
    }

    /// The reason why systemd will refuse a step: the unit allows only other units to start or stop it.
    private func refusal(_ action: Step.Action, _ unit: UnitName, _ status: UnitStatus) throws(AgentError) -> UnitProblem? {
        switch action {
        case .disable, .stop: return status.isUp && status.refusesStop ? .refusesStop : nil
        case .start(_, .leave, _) where status.isUp: return nil
        case .restartIfUp where !status.isUp, .reload(_, _, .leave, _) where !status.isUp: return nil
        case .reload where status.isUp:
            // The tool knows the unit's own files, and what they say about it.
            return status.canReload || isOwn(unit) ? nil : .cannotReload
        default: break
        }
        try foresee(unit, status)
        if status.isUp && status.refusesStop { return .refusesStop }
        return status.refusesStart ? .refusesStart : nil
    }

    /// Whether a file of the new version defines or changes the unit, or Podman makes it of one.
    private func isOwn(_ unit: UnitName) -> Bool {
        for file in preparation.record.placed {
            if let path = file.path.below(Layout.unitLinks), changes(path, unit) { return true }
            // A quadlet's unit has its name, with something added for some kinds.
            guard file.path.isInside(Layout.quadlets), let stem = pieces(file.path.name, at: UInt8(ascii: ".")).first else { continue }
            if begins(unit.text, text(stem)) { return true }
        }
        return false
    }

    /// Whether a file, by its path below the directory of units, is the unit's own or its template's, or a drop-in of these.
    private func changes(_ path: RelativePath, _ unit: UnitName) -> Bool {
        for name in [unit.text, unit.template] where isSameText(path.text, name) || path.below(name + ".d") != nil { return true }
        return false
    }

    /// Updates `status` with the settings in the new version of the unit's file and its drop-ins.
    private func foresee(_ unit: UnitName, _ status: UnitStatus) throws(AgentError) {
        var dropIns: [AbsolutePath] = []
        for app in preparation.record.apps {
            for file in app.files {
                guard let path = file.path.below("systemd") else { continue }
                let whole = app.name.version(preparation.version).appending(file.path)
                if path.text == unit.text || path.text == unit.template {
                    guard let bytes = try system.contents(of: whole, limit: 1 << 20) else { continue }
                    status.set("RefuseManualStart", "no")
                    status.set("RefuseManualStop", "no")
                    read(bytes, status)
                } else if path.below(unit.text + ".d") != nil || path.below(unit.template + ".d") != nil {
                    dropIns.append(whole)
                }
            }
        }
        for path in dropIns { read(try system.contents(of: path, limit: 1 << 20) ?? [], status) }
    }

    private func read(_ bytes: [UInt8], _ status: UnitStatus) {
        for line in pieces(bytes[...], at: 10) {
            for name in ["RefuseManualStart", "RefuseManualStop"] where begins(line, name + "=") {
                status.set(name, isTrue(String(decoding: line, as: UTF8.self)) ? "yes" : "no")
            }
        }
    }

    /// Parses a boolean as systemd does (systemd.syntax(7)).
    private func isTrue(_ line: String) -> Bool {
        for end in ["=yes", "=true", "=on", "=1", "=y", "=t"] where line.utf8.ends(with: end) { return true }
        return false
    }
}
