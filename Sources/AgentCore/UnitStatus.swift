import CSystem
import Model
import Wire

/// What `systemctl show` says of one unit (the names are those of org.freedesktop.systemd1(5)).
///
/// A class, since it is large and passed about.
final class UnitStatus {
    /// The unit's own name.
    var id = ""
    var type = ""
    var loadState = ""
    var activeState = ""
    var subState = ""
    var result = ""
    var restarts = 0
    var mainStatus = 0
    var invocation = ""
    var unitFileState = ""
    var conditionsHold = true
    var assertionsHold = true
    var remainsAfterExit = false
    /// When systemd last looked at its conditions and at its assertions, and when it came up, by the monotonic clock in
    /// microseconds; zero for never since systemd knows the unit, which it forgets when nothing refers to it and it is down.
    var conditionsSeen: Int64 = 0
    var assertionsSeen: Int64 = 0
    var activeSince: Int64 = 0
    var refusesStart = false
    var refusesStop = false
    /// The number of the job that systemd has for it; nil for none.
    var job: String?
    /// What the unit cannot be up without, what it starts, and what it stops or is stopped by when either of them starts. Only of
    /// `dependencies`.
    var needs: [UnitName] = []
    var pulls: [UnitName] = []
    var conflicts: [UnitName] = []
    /// What the unit stops with, by its own will.
    var partOf: [UnitName] = []
    /// What a socket, path or timer starts.
    var triggers: [UnitName] = []
    /// Whether a timer or a path starts it: it comes and goes.
    var hasTimer = false
    /// Whether a socket starts a service for each connection.
    var acceptsConnections = false

    /// What `systemctl show` is asked for.
    enum Properties: String {
        case state =
            "Id,Type,LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,InvocationID,UnitFileState,ConditionResult,AssertResult,ConditionTimestampMonotonic,AssertTimestampMonotonic,ActiveEnterTimestampMonotonic,RemainAfterExit,RefuseManualStart,RefuseManualStop,Job"
        case dependencies =
            "Type,LoadState,ActiveState,SubState,NRestarts,RemainAfterExit,Accept,Requires,Requisite,BindsTo,PartOf,StopPropagatedFrom,TriggeredBy,Triggers,Wants,Upholds,OnFailure,OnSuccess,Conflicts,ConflictedBy"
    }

    /// Active, or on the way there.
    var isUp: Bool { isActive || activeState == "activating" }
    var isActive: Bool { activeState == "active" || activeState == "reloading" || activeState == "refreshing" }

    /// Failed, or waiting for systemd to try again after a crash.
    var isFailing: Bool { activeState == "failed" || subState.utf8.starts(with: "auto-restart".utf8) }

    /// Whether being down is how it ends when all went well.
    var endsByItself: Bool { type == "oneshot" && !remainsAfterExit }

    /// What `systemctl enable` made so; not what is `static`, `generated` or `linked`.
    var isEnabled: Bool { unitFileState == "enabled" || unitFileState == "enabled-runtime" }

    static func parse(_ output: String) -> [UnitStatus] {
        var statuses: [UnitStatus] = []
        var current: UnitStatus?
        for line in output.utf8.split(separator: 10, omittingEmptySubsequences: false) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else {
                if let status = current { statuses.append(status) }
                current = nil
                continue
            }
            let status = current ?? UnitStatus()
            status.set(String(decoding: line[..<equals], as: UTF8.self), String(decoding: line[line.index(after: equals)...], as: UTF8.self))
            current = status
        }
        if let status = current { statuses.append(status) }
        return statuses
    }

    private func set(_ property: String, _ value: String) {
        switch property {
        case "Id": id = value
        case "Type": type = value
        case "LoadState": loadState = value
        case "ActiveState": activeState = value
        case "SubState": subState = value
        case "Result": result = value
        case "NRestarts": restarts = Int(value) ?? 0
        case "ExecMainStatus": mainStatus = Int(value) ?? 0
        case "InvocationID": invocation = value
        case "UnitFileState": unitFileState = value
        case "ConditionResult": conditionsHold = value != "no"
        case "AssertResult": assertionsHold = value != "no"
        case "ConditionTimestampMonotonic": conditionsSeen = Int64(value) ?? 0
        case "AssertTimestampMonotonic": assertionsSeen = Int64(value) ?? 0
        case "ActiveEnterTimestampMonotonic": activeSince = Int64(value) ?? 0
        case "RefuseManualStart": refusesStart = value == "yes"
        case "RefuseManualStop": refusesStop = value == "yes"
        case "Requires", "BindsTo":
            needs += units(value)
            pulls += units(value)
        case "Requisite", "StopPropagatedFrom": needs += units(value)
        case "PartOf":
            partOf = units(value)
            needs += partOf
        // A restarted socket takes its service along, and a service that does not start its socket.
        case "TriggeredBy":
            for unit in units(value) { if unit.isSocket { needs.append(unit) } else { hasTimer = true } }
        case "Accept": acceptsConnections = value == "yes"
        case "Triggers":
            triggers = units(value)
            needs += triggers
            pulls += triggers
        case "Wants", "Upholds", "OnFailure", "OnSuccess": pulls += units(value)
        case "Conflicts", "ConflictedBy": conflicts += units(value)
        case "RemainAfterExit": remainsAfterExit = value == "yes"
        case "Job": job = value.isEmpty || value == "0" ? nil : value
        default: break
        }
    }
}

extension UnitName {
    var isSocket: Bool { text.utf8.ends(with: ".socket") }
}

private func units(_ names: String) -> [UnitName] {
    names.utf8.split(separator: 32).compactMap { UnitName(String(decoding: $0, as: UTF8.self)) }
}

/// What a look at a unit says.
enum UnitVerdict: Equatable {
    case healthy
    /// Not there yet, but on its way.
    case pending
    case unwell(UnitProblem)
    /// Down, and systemd has forgotten why: as it should be if its conditions do not hold, else unwell.
    case forgotten(UnitProblem)
}

extension UnitStatus {
    /// Whether systemd calls the unit up only once it is: for others, being up has to be watched for a while.
    var announcesReadiness: Bool {
        switch type {
        case "simple", "exec", "idle": false
        default: true  // notify, notify-reload, dbus, oneshot, forking; and units that are no services
        }
    }

    /// Judges a unit that was started by hand just now, which sets systemd's count of restarts to zero; unless it was up
    /// already, under the invocation `before`, and is so still.
    func verdict(before: String?) -> UnitVerdict {
        if loadState != "loaded" { return .unwell(.notLoaded(state: loadState)) }
        let restarted = restarts > 0 && invocation != before
        if subState.utf8.starts(with: "auto-restart".utf8) || restarted { return .unwell(.restarting(times: restarts)) }
        if isActive { return .healthy }
        // Such as one that waits for another unit.
        if activeState == "activating" || job != nil { return .pending }
        if activeState == "failed" { return .unwell(.failed(result: result, status: mainStatus)) }
        if result == "exec-condition" || (conditionsSeen > 0 && !conditionsHold) { return .healthy }
        if assertionsSeen > 0 && !assertionsHold { return .unwell(.failed(result: "assert", status: 0)) }
        guard result == "success" || result.isEmpty else { return .unwell(.failed(result: result, status: mainStatus)) }
        if endsByItself { return .healthy }
        return conditionsSeen > 0 ? .unwell(.exited(status: mainStatus)) : .forgotten(.exited(status: mainStatus))
    }
}

extension UnitStatus {
    /// How a unit is before it is touched. One that crashed counts as steady once it has been up for a minute.
    var prior: Journal.PriorUnit.State {
        if activeState == "failed" { return .failed }
        if !isUp { return .down }
        let isYoung = csys_monotonic_ns() / 1000 - activeSince < 60_000_000
        return !isActive || (restarts > 0 && isYoung) ? .unsteady : .up
    }
}
