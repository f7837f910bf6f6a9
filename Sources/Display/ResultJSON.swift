import Deployment
import Git
import Model

/// What happens to a host in the course of a deploy, as JSON.
public func progressJSON(_ host: Hostname, _ event: HostEvent) -> JSONValue {
    if case .ended(let result) = event { return resultJSON(host, result) }
    var members: [(key: String, value: JSONValue)] = [("type", "progress"), ("host", .string(host.text))]
    switch event {
    case .connecting: members.append(("state", "connecting"))
    case .installingAgent: members.append(("state", "installing-agent"))
    case .connected(let deployed): members += [("state", "connected"), ("stale", .bool(deployed != .asPlanned))]
    case .warning(let warning): members += [("state", "warning"), ("message", .string(warning.phrase))]
    case .locking: members.append(("state", "locking"))
    case .staging(let bytes, let total):
        members += [("state", "staging"), ("bytes", JSONValue(Int(bytes))), ("total", JSONValue(Int(total)))]
    case .staged: members.append(("state", "ready"))
    case .applying(let step): members += [("state", "applying"), ("step", stepJSON(step))]
    case .waiting(let waiting):
        members += [
            ("state", "waiting"), ("message", .string(waiting.phrase)), ("unit", .string(waiting.unit.text)),
            ("elapsed_ms", JSONValue(waiting.elapsed * 1000)), ("limit_ms", JSONValue(waiting.limit * 1000)),
        ]
    case .undoing(let failure): members += [("state", "rolling-back"), ("message", .string(failure.phrase))]
    case .ended: break
    }
    return .object(members)
}

private func resultJSON(_ host: Hostname, _ result: HostResult) -> JSONValue {
    var members: [(key: String, value: JSONValue)] = [
        ("type", "result"), ("host", .string(host.text)), ("outcome", .string(result.word)), ("message", .string(result.phrase)),
        ("help", JSONValue(result.explanation(host, next: .nothing))),
    ]
    if case .failed(.obstructed(let failures, _)) = result {
        members.append(("obstacles", .list(failures.map { .string($0.phrase) })))
    }
    return .object(members)
}

extension HostResult {
    /// How it ended, in a word.
    var word: String {
        switch self {
        case .deployed: DeployEnd.done.rawValue
        case .rolledBack, .lockedOut: DeployEnd.rolledBack.rawValue
        case .broken: DeployEnd.broken.rawValue
        case .failed: DeployEnd.failed.rawValue
        case .stale: "stale"
        case .unknown: DeployEnd.unknown.rawValue
        }
    }
}

/// The last line of a deploy, as JSON. The commit is nil when nothing was to be done.
public func summaryJSON(commit: ObjectID?, exit: Int32, took: Duration) -> JSONValue {
    ["type": "summary", "commit": JSONValue(commit?.hex), "exit": .number(Int64(exit)), "milliseconds": milliseconds(took)]
}

/// What the hosts said they run, as JSON.
public func syncJSON(_ results: [(host: Hostname, result: Result<SyncResult, HostError>)]) -> JSONValue {
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

/// Round-trip times in microseconds, as JSON.
public func pingJSON(_ results: [(host: Hostname, result: Result<RoundTrips, HostError>)]) -> JSONValue {
    func microseconds(_ duration: Duration?) -> JSONValue {
        duration.map { .number(Int64($0 / .microseconds(1))) } ?? .null
    }
    let rows = results.map { host, result -> JSONValue in
        switch result {
        case .success(let trips):
            row(
                host, nil, ("count", JSONValue(trips.count)), ("min_us", microseconds(trips.least)),
                ("p50_us", microseconds(trips.percentile(50))), ("p95_us", microseconds(trips.percentile(95))))
        case .failure(let error): row(host, error)
        }
    }
    return ["type": "ping", "hosts": .list(rows)]
}

/// A host, what went wrong if anything did, and what there is to say else.
func row(_ host: Hostname, _ error: HostError?, _ members: (key: String, value: JSONValue)...) -> JSONValue {
    let problem: JSONValue = error.map { ["message": .string($0.phrase), "help": JSONValue($0.explanation(host))] } ?? .null
    return .object([("host", .string(host.text)), ("error", problem)] + members)
}

/// What happened on the hosts, as JSON.
public func logJSON(_ events: [PastEvent]) -> JSONValue {
    ["type": "log", "events": .list(events.map(json))]
}

private func json(_ event: PastEvent) -> JSONValue {
    switch event {
    case .deploy(let deploy):
        let note = deploy.note
        let hosts = note.hosts.map { host -> JSONValue in
            let end = deploy.ends[host.host]
            return [
                "host": .string(host.host.text), "before": JSONValue(host.before?.hex),
                "apps": .list(host.apps.map { ["app": .string($0.name.text), "change": .string($0.change.word)] }),
                "outcome": JSONValue((end?.end ?? .unknown).rawValue), "message": JSONValue(end?.phrase),
            ]
        }
        return [
            "event": .string(note.kind.rawValue), "time": .number(note.time), "commit": .string(note.commit.hex),
            "cluster": .string(note.cluster), "author": .string(note.author), "hosts": .list(hosts),
        ]
    case .found(let time, let host, let commit, let before):
        return [
            "event": "found", "time": .number(time), "commit": JSONValue(commit?.hex), "host": .string(host.text),
            "before": JSONValue(before?.hex),
        ]
    case .forgotten(let time, let host, let commit):
        return [
            "event": "forgotten", "time": .number(time), "commit": .string(commit.hex), "host": .string(host.text),
        ]
    }
}

extension HostNote.App.Change {
    var word: String {
        switch self {
        case .added: "add"
        case .updated: "update"
        case .removed: "remove"
        }
    }
}

/// The logs of the hosts themselves, as JSON.
public func hostLogJSON(_ results: [(host: Hostname, result: Result<[HostLogEntry], HostError>)]) -> JSONValue {
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
