import Deployment
import Git
import Model

/// A host's event during a deploy as JSON.
package func progressJSON(_ host: Hostname, _ event: HostEvent) -> JSONValue {
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
    case .unanswered(let probe, let answer, let elapsed, let limit):
        members += [
            ("state", "probing"), ("message", .string("waiting for \(probe.phrase): \(answer.phrase)")), ("probe", .string(probe.phrase)),
            ("elapsed_ms", JSONValue(elapsed * 1000)), ("limit_ms", JSONValue(limit * 1000)),
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
    if case .rolledBack(_, let answers) = result { members.append(("probes", .list(answers.map(probeJSON)))) }
    return .object(members)
}

extension HostResult {
    /// The outcome in a word.
    var word: String {
        switch self {
        case .deployed: DeployEnd.done.rawValue
        case .checked: "checked"
        case .rolledBack, .lockedOut: DeployEnd.rolledBack.rawValue
        case .broken: DeployEnd.broken.rawValue
        case .failed: DeployEnd.failed.rawValue
        case .stale: "stale"
        case .unknown: DeployEnd.unknown.rawValue
        }
    }
}

/// The last line of a deploy as JSON. The commit is nil if there was nothing to do.
package func summaryJSON(commit: ObjectID?, exit: Int32, took: Duration) -> JSONValue {
    ["type": "summary", "commit": JSONValue(commit?.hex), "exit": .number(Int64(exit)), "milliseconds": milliseconds(took)]
}
