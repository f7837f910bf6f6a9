import Deployment
import Model

/// The findings on the hosts as JSON.
package func verifyJSON(_ results: VerifyText.Results) -> JSONValue {
    let rows = results.map { host, result -> JSONValue in
        switch result {
        case .success(let found):
            row(
                host, nil, ("commit", JSONValue(found.commit?.hex)), ("before", JSONValue(found.known?.hex)),
                ("drift", .list(found.drift.map(driftJSON))), ("unanswered", .list(found.unanswered.map(probeJSON))))
        case .failure(let error): row(host, error)
        }
    }
    return ["type": "verify", "hosts": .list(rows)]
}

/// The answer to a probe.
func probeJSON(_ result: ProbeResult) -> JSONValue {
    [
        "app": .string(result.app.text), "probe": .string(result.probe.phrase), "well": .bool(result.answer == .passed),
        "answer": .string(result.answer.phrase),
    ]
}

/// A drift: a word for it, the app, a phrase for people, and further members.
func driftJSON(_ drift: Drift) -> JSONValue {
    var members: [(key: String, value: JSONValue)] = [
        ("drift", .string(drift.finding.word)), ("app", JSONValue(drift.app?.text)), ("message", .string(drift.phrase)),
    ]
    switch drift.finding {
    case .file(let path, let found): members += [("path", .string(path.text))] + foundJSON(found)
    case .extra(let path), .leftover(let path): members.append(("path", .string(path)))
    case .attributes(let path, let found, let recorded):
        members += [
            ("path", .string(path)), ("mode", .string(found.octal)), ("recorded_mode", .string(recorded.octal)),
            ("owner", .string(found.numbers)), ("recorded_owner", .string(recorded.numbers)),
        ]
    case .link(let path, let source, let found), .placed(let path, let source, let found):
        members += [("path", .string(path.text)), ("source", .string(source.text))] + foundJSON(found)
    case .secret(let path, let isThere): members += [("path", .string(path.text)), ("found", isThere ? "file" : "nothing")]
    case .current(let found): members += foundJSON(found)
    case .enabledBy(let unit, let path): members += [("unit", .string(unit.text)), ("path", .string(path.text))]
    case .disabled(let unit), .unwell(let unit, _): members.append(("unit", .string(unit.text)))
    }
    return .object(members)
}

func foundJSON(_ found: Drift.Found) -> [(key: String, value: JSONValue)] {
    switch found {
    case .nothing: [("found", "nothing")]
    case .file(let id, let size): [("found", "file"), ("content", .string(id.hex)), ("bytes", JSONValue(Int(clamping: size)))]
    case .symlink(let target): [("found", "symlink"), ("target", .string(target))]
    case .directory: [("found", "directory")]
    case .other: [("found", "other")]
    }
}

extension Drift.Attributes {
    fileprivate var numbers: String { "\(uid):\(gid)" }
}

extension Drift.Finding {
    fileprivate var word: String {
        switch self {
        case .file(_, .file): "edited"
        case .file(_, .nothing): "missing"
        case .file: "replaced"
        case .extra: "added"
        case .attributes: "attributes"
        case .link: "link"
        case .placed: "placed"
        case .secret: "secret"
        case .current: "current"
        case .disabled: "disabled"
        case .enabledBy: "enabled-by"
        case .unwell: "unit"
        case .leftover: "leftover"
        }
    }
}
