import Deployment
import Model

/// The hosts' commits as JSON.
package func syncJSON(_ results: [(host: Hostname, result: Result<SyncResult, HostError>)]) -> JSONValue {
    let rows = results.map { host, result -> JSONValue in
        switch result {
        case .success(.unchanged(let commit)):
            row(host, nil, ("known", .bool(true)), ("commit", JSONValue(commit?.hex)), ("before", JSONValue(commit?.hex)))
        case .success(.updated(let before, let commit)):
            row(host, nil, ("known", .bool(false)), ("commit", JSONValue(commit?.hex)), ("before", JSONValue(before?.hex)))
        case .failure(let error): row(host, error)
        }
    }
    return ["type": "sync", "hosts": .list(rows)]
}
