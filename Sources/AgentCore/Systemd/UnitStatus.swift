import CSystem
import Model
import Wire

/// The output of `systemctl show` for one unit, with the names of org.freedesktop.systemd1(5).
///
/// Kept as text. Each property parses the part that it needs.
final class UnitStatus {
    private var properties: [(name: String, value: String)] = []

    /// Empty if systemd does not report the property.
    @inline(never) private subscript(name: String) -> String {
        for property in properties where isSameText(property.name, name) { return property.value }
        return ""
    }

    @inline(never) private func number(_ name: String) -> Int64 { decimal(self[name].bytes[...]) ?? 0 }
    @inline(never) private func says(_ name: String, _ value: String) -> Bool { isSameText(self[name], value) }

    func set(_ name: String, _ value: String) {
        for index in properties.indices where isSameText(properties[index].name, name) {
            properties[index].value = value
            return
        }
        properties.append((name, value))
    }

    /// The unit's own name.
    var id: String { self["Id"] }
    var loadState: String { self["LoadState"] }
    var activeState: String { self["ActiveState"] }
    var subState: String { self["SubState"] }
    var result: String { self["Result"] }
    var restarts: Int { Int(clamping: number("NRestarts")) }
    var mainStatus: Int { Int(clamping: number("ExecMainStatus")) }
    var invocation: String { self["InvocationID"] }
    var isReloading: Bool { says("ActiveState", "reloading") }
    var canReload: Bool { says("CanReload", "yes") }
    var reloadResult: String { self["ReloadResult"] }
    /// False where there is no result, as for a mount of an old systemd.
    var hasFailedReload: Bool { !says("ReloadResult", "") && !says("ReloadResult", "success") }
    var refusesStart: Bool { says("RefuseManualStart", "yes") }
    var refusesStop: Bool { says("RefuseManualStop", "yes") }
    /// The number of the unit's job in systemd; nil if there is none.
    var job: String? {
        let job = self["Job"]
        return job.utf8.isEmpty || isSameText(job, "0") ? nil : job
    }
    var isMissing: Bool { says("LoadState", "not-found") }
    var isLoaded: Bool { says("LoadState", "loaded") }
    var hasFailed: Bool { says("ActiveState", "failed") }
    var isActivating: Bool { says("ActiveState", "activating") }
    var isDeactivating: Bool { says("ActiveState", "deactivating") }

    /// The units that several properties list.
    private func units(_ names: [String]) -> [UnitName] {
        var units: [UnitName] = []
        for name in names {
            for word in pieces(self[name], at: 32) { if let unit = UnitName(text(word)) { units.append(unit) } }
        }
        return units
    }

    /// Units that this one requires, units that it starts, and units that it stops, or that stop it, when either
    /// starts. These properties and those below are only in `dependencies`.
    var needs: [UnitName] {
        // A restarted socket stops its service, and a service that does not start stops its socket.
        units(["Requires", "BindsTo", "Requisite", "StopPropagatedFrom", "PartOf", "Triggers"])
            + units(["TriggeredBy"]).filter { $0.isSocket }
    }
    var pulls: [UnitName] { units(["Requires", "BindsTo", "Triggers", "Wants", "Upholds", "OnFailure", "OnSuccess"]) }
    var conflicts: [UnitName] { units(["Conflicts", "ConflictedBy"]) }
    /// The units with which this one stops, as it requests itself.
    var partOf: [UnitName] { units(["PartOf"]) }
    /// The units that a socket, path or timer starts.
    var triggers: [UnitName] { units(["Triggers"]) }
    /// Whether a timer or path starts it, so that it comes and goes.
    var hasTimer: Bool { units(["TriggeredBy"]).contains { !$0.isSocket } }
    /// Whether a socket starts a service for each connection.
    var acceptsConnections: Bool { says("Accept", "yes") }

    /// The properties to request from `systemctl show`.
    enum Properties: String {
        case state =
            "Id,Type,LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,InvocationID,UnitFileState,ConditionResult,AssertResult,ConditionTimestampMonotonic,AssertTimestampMonotonic,ActiveEnterTimestampMonotonic,RemainAfterExit,RefuseManualStart,RefuseManualStop,CanReload,ReloadResult,Job"
        case dependencies =
            "Type,LoadState,ActiveState,SubState,NRestarts,RemainAfterExit,Accept,Requires,Requisite,BindsTo,PartOf,StopPropagatedFrom,TriggeredBy,Triggers,Wants,Upholds,OnFailure,OnSuccess,Conflicts,ConflictedBy"
    }

    static func parse(_ output: String) -> [UnitStatus] {
        var statuses: [UnitStatus] = []
        var current: UnitStatus?
        for line in pieces(output.bytes[...], at: 10, withEmpty: true) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else {
                if let status = current { statuses.append(status) }
                current = nil
                continue
            }
            let status = current ?? UnitStatus()
            status.properties.append((text(line[..<equals]), text(line[(equals + 1)...])))
            current = status
        }
        if let status = current { statuses.append(status) }
        return statuses
    }

    /// Active, or becoming active.
    var isUp: Bool { isActive || isActivating }
    var isActive: Bool { says("ActiveState", "active") || says("ActiveState", "reloading") || says("ActiveState", "refreshing") }

    /// Failed, or waiting for systemd to restart it after a crash.
    var isFailing: Bool { hasFailed || isAboutToRestart }
    private var isAboutToRestart: Bool { begins(subState, "auto-restart") }

    var isOneshot: Bool { says("Type", "oneshot") }
    /// Whether it goes down after success.
    var endsByItself: Bool { isOneshot && !says("RemainAfterExit", "yes") }

    /// Whether `systemctl enable` enabled it; false if it is `static`, `generated` or `linked`.
    var isEnabled: Bool { says("UnitFileState", "enabled") || says("UnitFileState", "enabled-runtime") }

    /// Whether systemd reports the unit as up only once it is ready; the agent has to watch others for a while. True
    /// for notify, notify-reload, dbus, oneshot and forking, and for units that are not services.
    var announcesReadiness: Bool { !(says("Type", "simple") || says("Type", "exec") || says("Type", "idle")) }

    /// Judges a unit after an explicit start, which resets systemd's count of restarts; or one that was up already,
    /// under the invocation `before`, and still is.
    func verdict(before: String?) -> UnitVerdict {
        if !isLoaded { return .unwell(.notLoaded(state: loadState)) }
        let restarted = restarts > 0 && !isSameText(invocation, before ?? "-")
        if isAboutToRestart || restarted { return .unwell(.restarting(times: restarts)) }
        if isActive { return .healthy }
        // It may be waiting for another unit.
        if isActivating || job != nil { return .pending }
        if hasFailed { return .unwell(.failed(result: result, status: mainStatus)) }
        // The times when systemd last checked conditions and assertions; zero for never since it loaded the unit.
        // systemd unloads a unit that is down and that nothing refers to.
        let conditionsSeen = number("ConditionTimestampMonotonic") > 0
        if says("Result", "exec-condition") || conditionsSeen && says("ConditionResult", "no") { return .healthy }
        if number("AssertTimestampMonotonic") > 0, says("AssertResult", "no") { return .unwell(.failed(result: "assert", status: 0)) }
        guard says("Result", "success") || says("Result", "") else { return .unwell(.failed(result: result, status: mainStatus)) }
        if endsByItself { return .healthy }
        return conditionsSeen ? .unwell(.exited(status: mainStatus)) : .forgotten(.exited(status: mainStatus))
    }

    /// The unit's state before the steps. After a crash, it counts as steady once it has been up for a minute.
    var prior: Journal.PriorUnit.State {
        if hasFailed { return .failed }
        if !isUp { return .down }
        let isYoung = csys_monotonic_ns() / 1000 &- number("ActiveEnterTimestampMonotonic") < 60_000_000
        return !isActive || (restarts > 0 && isYoung) ? .unsteady : .up
    }
}

extension UnitName {
    var isSocket: Bool { ends(text, ".socket") }
}

/// The result of checking a unit.
enum UnitVerdict: Equatable {
    case healthy
    /// Not up yet, but starting.
    case pending
    case unwell(UnitProblem)
    /// Down, and systemd has forgotten the reason: healthy if its conditions do not hold, otherwise unwell.
    case forgotten(UnitProblem)
}
