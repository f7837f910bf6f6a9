import Model
import Wire

/// What `systemctl show` says of one unit (the names are those of org.freedesktop.systemd1(5)).
struct UnitStatus: Equatable {
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
    var remainsAfterExit = false
    /// Whether systemd has looked at its conditions since it knows the unit.
    var wasTried = false
    /// The number of the job that systemd has for it; nil for none.
    var job: String?

    static let properties =
        "Id,Type,LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,InvocationID,UnitFileState,ConditionResult,"
        + "AssertResult,ConditionTimestampMonotonic,RemainAfterExit,Job"

    /// Active, or on the way there: what a rollback has to bring back.
    var isUp: Bool { activeState == "active" || activeState == "reloading" || activeState == "activating" }

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
            var status = current ?? UnitStatus()
            status.set(String(decoding: line[..<equals], as: UTF8.self), String(decoding: line[line.index(after: equals)...], as: UTF8.self))
            current = status
        }
        if let status = current { statuses.append(status) }
        return statuses
    }

    private mutating func set(_ property: String, _ value: String) {
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
        case "ConditionResult", "AssertResult": conditionsHold = conditionsHold && value != "no"
        case "ConditionTimestampMonotonic": wasTried = value != "0"
        case "RemainAfterExit": remainsAfterExit = value == "yes"
        case "Job": job = value.isEmpty || value == "0" ? nil : value
        default: break
        }
    }
}

/// What a look at a unit says.
enum UnitVerdict: Equatable {
    case healthy
    /// Not there yet, but on its way.
    case pending
    case unwell(UnitProblem)
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
        if subState == "auto-restart" || subState == "auto-restart-queued" || restarted {
            return .unwell(.restarting(times: restarts))
        }
        switch activeState {
        case "active", "reloading", "refreshing": return .healthy
        case "activating": return .pending
        case "failed": return .unwell(.failed(result: result, status: mainStatus))
        default:
            // A oneshot that is done, or a unit whose conditions do not hold here, is as it should be.
            if result == "success" && (type == "oneshot" || !conditionsHold) { return .healthy }
            return result == "success" || result.isEmpty
                ? .unwell(.exited(status: mainStatus)) : .unwell(.failed(result: result, status: mainStatus))
        }
    }
}
