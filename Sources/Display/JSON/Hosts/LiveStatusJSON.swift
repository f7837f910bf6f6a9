import Deployment
import Model

/// The status of the hosts as JSON; `now` is in seconds since the epoch.
package func liveStatusJSON(_ results: [(host: Hostname, result: Result<LiveStatus, HostError>)], now: Int64) -> JSONValue {
    func space(_ space: LiveStatus.Space?) -> JSONValue {
        space.map { ["total_bytes": number($0.total), "available_bytes": number($0.available)] } ?? .null
    }
    let rows = results.map { host, result -> JSONValue in
        switch result {
        case .failure(let error): row(host, error)
        case .success(let status):
            row(
                host, nil, ("commit", JSONValue(status.commit?.hex)), ("agent", .string(status.agent)),
                ("uptime_s", status.uptime.map { .number($0) } ?? .null),
                ("load", status.load.isEmpty ? .null : .list(status.load.map { .string($0) })), ("memory", space(status.memory)),
                ("root", space(status.root)), ("var", space(status.var)), ("reboot_required", .bool(status.needsReboot)),
                ("failed", .list(status.failed.map { .string($0) })),
                (
                    "units",
                    .list(
                        status.units.map { unit in
                            [
                                "app": .string(unit.app.text), "unit": .string(unit.name.text), "state": JSONValue(unit.state),
                                "substate": JSONValue(unit.substate), "since": unit.age.map { .number(now - $0) } ?? .null,
                            ]
                        })
                ), ("probes", .list(status.probes.map(probeJSON))))
        }
    }
    return ["type": "live-status", "hosts": .list(rows)]
}

private func number(_ bytes: UInt64) -> JSONValue { .number(Int64(clamping: bytes)) }
