import Model
import Wire

/// The units that systemd runs and can start again: no devices, and no scopes, which other programs create.
package struct HostUnits: Hashable, Sendable {
    package internal(set) var up: [UnitName] = []
    /// Coming up.
    package internal(set) var starting: [UnitName] = []
    /// Failed, or waiting for systemd to restart them after a crash.
    package internal(set) var failing: [UnitName] = []

    /// Without `--all`, `list-units` omits units that are inactive and have no job.
    static let arguments = [
        "systemctl", "list-units", "--plain", "--no-legend", "--full",
        "--type=service,socket,target,timer,path,mount,automount,swap,slice",
    ]

    /// Reads the first four words of each line: UNIT, LOAD, ACTIVE and SUB (systemctl(1), list-units).
    static func parse(_ output: String) -> HostUnits {
        var units = HostUnits()
        for line in pieces(output, at: 10) {
            let words = pieces(line, at: 32)
            guard words.count >= 4, let unit = UnitName(text(words[0])) else { continue }
            let status = UnitStatus()
            status.set("ActiveState", text(words[2]))
            status.set("SubState", text(words[3]))
            if status.isFailing {
                units.failing.append(unit)
            } else if status.isActive {
                units.up.append(unit)
            } else if status.isUp {
                units.starting.append(unit)
            }
        }
        return units
    }

    var all: [UnitName] { up + starting + failing }
}

extension HostUnits: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        for units in [up, starting, failing] { writer.list(units) }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        up = try reader.list(of: UnitName.self)
        starting = try reader.list(of: UnitName.self)
        failing = try reader.list(of: UnitName.self)
    }
}

extension Systemd {
    /// All of the host's units that are up or failing. This is one call, whose cost grows little with the number of
    /// units, unlike that of `systemctl show`.
    func units() throws(AgentError) -> HostUnits {
        let result = try command.run(HostUnits.arguments)
        guard result.status == 0, result.output.count < Command.outputLimit else {
            throw failure(HostUnits.arguments, result)
        }
        return HostUnits.parse(result.text)
    }
}

/// The dependencies between units as loaded by systemd. Queried step by step, because each query costs time.
private final class Dependencies {
    let systemd: Systemd
    private var units: [UnitName] = []
    private var statuses: [UnitStatus] = []

    init(_ systemd: Systemd) { self.systemd = systemd }

    /// Queries all of them at once.
    func load(_ wanted: [UnitName]) throws(AgentError) {
        var unknown: [UnitName] = []
        for unit in wanted where !units.contains(unit) { unknown.append(unit) }
        statuses += try systemd.show(unknown, .dependencies)
        units += unknown
    }

    func status(_ unit: UnitName) throws(AgentError) -> UnitStatus {
        if let index = units.firstIndex(of: unit) { return statuses[index] }
        try load([unit])
        return statuses[statuses.count - 1]
    }

    /// The first of `causes` that a unit requires, directly or through others; nil if there is none.
    func cause(of unit: UnitName, among causes: [UnitName]) throws(AgentError) -> UnitName? {
        var seen = [unit]
        var next = 0
        while next < seen.count {
            try load(Array(seen[next...]))
            let end = seen.count
            while next < end {
                for other in try status(seen[next]).needs {
                    if causes.contains(other) { return other }
                    if !seen.contains(other) { seen.append(other) }
                }
                next += 1
            }
        }
        return nil
    }

    /// Those of `candidates` that `causes` start, directly or through each other.
    func started(_ candidates: [UnitName], by causes: [UnitName]) throws(AgentError) -> [UnitName] {
        try load(causes + candidates)
        var started: [UnitName] = []
        var queue = causes
        while let unit = queue.popLast() {
            for other in try status(unit).pulls where candidates.contains(other) && !started.contains(other) {
                started.append(other)
                queue.append(other)
            }
        }
        return started
    }
}

/// Effects of the steps on units that they do not name.
extension Systemd {
    /// A unit that was up, and went down with one that the steps name, or because a conflicting one came up.
    final class Fallen {
        let unit: UnitName
        let cause: UnitName
        /// Whether `cause` is up, so that only one of the two can be.
        let isConflict: Bool
        /// Whether it stops with `cause` if that stops and does not start again.
        let isPart: Bool
        /// Whether it had crashed before.
        let hasRestarted: Bool

        init(unit: UnitName, cause: UnitName, isConflict: Bool, isPart: Bool, hasRestarted: Bool) {
            self.unit = unit
            self.cause = cause
            self.isConflict = isConflict
            self.isPart = isPart
            self.hasRestarted = hasRestarted
        }
    }

    /// The units that were up and that the steps took down. Excludes units that ended by themselves, as far as systemd reports:
    /// those that nothing in the plan reaches, oneshots, those that a timer starts, and those that have no unit file any more.
    func fallen(_ journal: Journal, _ now: HostUnits) throws(AgentError) -> [Fallen] {
        let own = journal.units.map { $0.name }
        let down = journal.others.up.filter { !now.up.contains($0) && !own.contains($0) }
        guard !down.isEmpty else { return [] }
        let before = journal.others.all
        // Units that came up meanwhile, and those that may have come up and are down again.
        var come = own
        for unit in now.all where !before.contains(unit) && !come.contains(unit) { come.append(unit) }
        let dependencies = Dependencies(self)
        try dependencies.load(down + come)
        var fallen: [Fallen] = []
        for unit in down {
            let status = try dependencies.status(unit)
            if status.endsByItself || status.hasTimer || !status.isLoaded { continue }
            var found: Fallen?
            for other in come where found == nil {
                // systemd may have unloaded a unit that is down, and with it the references in other units.
                let conflicts = status.conflicts + (try dependencies.status(other)).conflicts
                if conflicts.contains(other) || conflicts.contains(unit) {
                    found = Fallen(
                        unit: unit, cause: other, isConflict: now.up.contains(other), isPart: false, hasRestarted: status.restarts > 0)
                }
            }
            if found == nil, let cause = try dependencies.cause(of: unit, among: own) {
                found = Fallen(
                    unit: unit, cause: cause, isConflict: false, isPart: status.partOf.contains(cause), hasRestarted: status.restarts > 0)
            }
            if let found { fallen.append(found) }
        }
        return fallen
    }

    /// Units that are newly up or failed, and came up with the ones that the steps name.
    func come(_ journal: Journal, _ now: HostUnits) throws(AgentError) -> [UnitName] {
        let own = journal.units.map { $0.name }
        let before = journal.others.all
        let new = now.all.filter { !before.contains($0) && !own.contains($0) }
        guard !new.isEmpty else { return [] }
        return try Dependencies(self).started(new, by: own)
    }

    /// Starts the fallen units again and checks that they stay up.
    func raise(_ fallen: [Fallen], _ interruption: any Interruption) throws(AgentError) {
        guard !fallen.isEmpty else { return }
        resetFailed(fallen.map { $0.unit })
        _ = try bringUp(start: fallen.map { Job(unit: $0.unit, limit: Self.usualLimit) }, restart: [])
        for one in fallen {
            do {
                try UnitCheck(systemd: self, interruption: interruption).check([
                    .init(unit: one.unit, settle: nil, limit: Self.usualLimit, invocation: nil)
                ])
            } catch {
                guard case .unit(_, let problem, let journal) = error.problem else { throw error }
                // It is as healthy as it was.
                if case .restarting = problem, one.hasRestarted { continue }
                let state = (try? show([one.unit]))?.first?.activeState ?? ""
                throw AgentError(.unit(one.unit, .draggedDown(with: one.cause, state: state), journal: journal))
            }
        }
    }
}
