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
            case .disable(let unit, _), .start(let unit, _, _), .restart(let unit, _, _):
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
            if case .disable = step.action { continue }
            units.append(unit)
        }
        for (unit, status) in zip(units, try systemd.show(units)) where status.isLoaded && !isSameText(status.id, unit.text) {
            found.add(AgentError(.unitAlias(unit, of: status.id)))
        }
    }

    /// The reason why systemd will refuse a step: the unit allows only other units to start or stop it.
    private func refusal(_ action: Step.Action, _ unit: UnitName, _ status: UnitStatus) throws(AgentError) -> UnitProblem? {
        if case .disable = action { return status.isUp && status.refusesStop ? .refusesStop : nil }
        if case .start(_, .leave, _) = action, status.isUp { return nil }
        try foresee(unit, status)
        if status.isUp && status.refusesStop { return .refusesStop }
        return status.refusesStart ? .refusesStart : nil
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
