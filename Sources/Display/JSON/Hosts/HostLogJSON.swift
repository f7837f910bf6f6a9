import Deployment
import Model

/// The hosts' own logs as JSON.
package func hostLogJSON(_ results: [(host: Hostname, result: Result<[HostLogEntry], HostError>)]) -> JSONValue {
    let rows = results.map { host, result -> JSONValue in
        switch result {
        case .success(let entries): row(host, nil, ("entries", .list(entries.map(json))))
        case .failure(let error): row(host, error)
        }
    }
    return ["type": "host-log", "hosts": .list(rows)]
}

private func json(_ entry: HostLogEntry) -> JSONValue {
    [
        "time": .number(entry.time), "commit": .string(entry.commit.hex), "before": JSONValue(entry.before?.hex),
        "outcome": .string(entry.outcome), "operator": .string(entry.operatorName),
    ]
}
