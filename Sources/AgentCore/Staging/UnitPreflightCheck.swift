import CSystem
import Model
import Wire

/// Checks the host's systemd for obstacles to a deploy. It changes nothing and runs before any host changes.
final class UnitPreflightCheck {
    let system: System
    let preparation: Preparation
    let systemd: Systemd

    init(system: System, preparation: Preparation, systemd: Systemd) {
        self.system = system
        self.preparation = preparation
        self.systemd = systemd
    }

    func check(_ found: FoundObstacles) throws(AgentError) {
        do { try Quadlets(system: system, preparation: preparation).checkGenerator() } catch { found.add(error) }
        try checkNames(found)
        var indices: [Int] = []
        var units: [UnitName] = []
        for index in preparation.steps.indices {
            switch preparation.steps[index].action {
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
            guard let unit = step.unit, !units.contains(unit), !has(own, unit.text), !has(own, unit.template) else { continue }
            switch step.action {
            case .disable, .stop: continue
            default: units.append(unit)
            }
        }
        let statuses = try systemd.show(units)
        for index in units.indices where statuses[index].isLoaded && !isSameText(statuses[index].id, units[index].text) {
            found.add(AgentError(.unitAlias(units[index], of: statuses[index].id)))
        }
    }

    /// The reason why systemd will refuse a step: the unit allows only other units to start or stop it.
    private func refusal(_ action: Step.Action, _ unit: UnitName, _ status: UnitStatus) throws(AgentError) -> UnitProblem? {
        switch action {
        case .disable, .stop: return status.isUp && status.refusesStop ? .refusesStop : nil
        case .start(_, .leave, _) where status.isUp: return nil
        case .restartIfUp where !status.isUp, .reload(_, _, .leave, _) where !status.isUp: return nil
        case .reload where status.isUp:
            try foresee(unit, status)
            return status.canReload ? nil : .cannotReload
        default: break
        }
        try foresee(unit, status)
        if status.isUp && status.refusesStop { return .refusesStop }
        return status.refusesStart ? .refusesStart : nil
    }

    /// Updates `status` with the settings in the new version of the unit's file and its drop-ins.
    private func foresee(_ unit: UnitName, _ status: UnitStatus) throws(AgentError) {
        var dropIns: [AbsolutePath] = []
        for app in preparation.record.apps {
            for file in app.files {
                let whole = app.name.version(preparation.version).appending(file.path)
                let path = file.path.below("systemd")
                guard let name = file.path.below("quadlets").map({ Quadlet.name(of: $0.text) }) ?? path?.text else { continue }
                if isSameText(name, unit.text) || isSameText(name, unit.template) {
                    guard let bytes = try system.contents(of: whole, limit: 1 << 20) else { continue }
                    status.set("RefuseManualStart", "no")
                    status.set("RefuseManualStop", "no")
                    read(bytes, status)
                } else if let path, unit.consists(of: path) {
                    dropIns.append(whole)
                }
            }
        }
        for path in dropIns { read(try system.contents(of: path, limit: 1 << 20) ?? [], status) }
    }

    private func read(_ bytes: [UInt8], _ status: UnitStatus) {
        for line in pieces(bytes[...], at: 10) {
            let parts = pieces(line, at: UInt8(ascii: "="), maximum: 2, withEmpty: true)
            guard parts.count == 2, let key = pieces(parts[0], at: UInt8(ascii: " ")).first else { continue }
            let value = pieces(parts[1], at: UInt8(ascii: " ")).first ?? []
            let name = text(key)
            func names(_ one: String) -> Bool { isSameText(name, one) }
            if begins(name, "RefuseManualSt") {
                status.set(name, isTrue(text(value)) ? "yes" : "no")
            } else if names("ExecReload") || names("ReloadCmd") || names("ReloadSignal") {
                // An empty value takes a command back.
                status.set("CanReload", value.isEmpty ? "no" : "yes")
            } else if names("Type"), isSameText(text(value), "notify-reload") {
                status.set("CanReload", "yes")
            }
        }
    }

    /// Parses a boolean as systemd does (systemd.syntax(7)).
    private func isTrue(_ value: String) -> Bool { has(["yes", "true", "on", "1", "y", "t"], value) }
}
