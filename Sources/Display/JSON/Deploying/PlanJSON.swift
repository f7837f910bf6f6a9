import Git
import Model
import Planning

/// A plan as JSON. The manual documents the keys and words, which are stable.
package func planJSON(_ plan: Plan, cluster: String) -> JSONValue {
    [
        "type": "plan", "cluster": .string(cluster), "hosts": .list(plan.hosts.map(json)),
        "orphans": .list(plan.orphans.map { .string($0.text) }),
        "held": .list(plan.held.map { holdJSON($0, [("host", .string($0.host.text))]) }),
    ]
}

/// All holds as JSON.
package func holdsJSON(_ holds: [Hold]) -> JSONValue {
    ["type": "holds", "holds": .list(holds.map { holdJSON($0, [("host", .string($0.host.text))]) })]
}

/// A hold as JSON, behind other members.
func holdJSON(_ hold: Hold, _ members: [(key: String, value: JSONValue)] = []) -> JSONValue {
    .object(members + [("until", .number(hold.until)), ("author", .string(hold.author)), ("reason", .string(hold.reason))])
}

private func json(_ plan: HostPlan) -> JSONValue {
    [
        "host": .string(plan.host.text), "base": JSONValue(plan.base?.hex), "tree": .string(plan.wanted.id.hex),
        "unreadable": JSONValue(plan.gap),
        "apps": .list(plan.changes.map(json)), "drift": .list(plan.drift.map(driftJSON)),
        "steps": .list(plan.steps.map(stepJSON)), "unproven": .list(plan.unproven.map { .string($0.text) }),
        "also": .list(
            plan.also.sorted { $0.key < $1.key }.map { unit, others in
                ["unit": .string(unit.text), "others": .list(others.map { .string($0.text) })]
            }),
        "limited_to": plan.limit.map { .list($0.apps.map { .string($0.text) }) } ?? .null,
        "left_out": .list((plan.limit?.leftOut ?? []).map { .string($0) }),
        "unjudged": .list(plan.unjudged.map { .string($0.text) }),
        "without_install": .list(plan.withoutInstall.map { .string($0.text) }), "new_identity": JSONValue(plan.newIdentity?.json),
    ]
}

extension HostPlan.Identity {
    /// Empty for the host's SSH key.
    fileprivate var json: String {
        switch self {
        case .hostKey: ""
        case .own(let key): key
        }
    }
}

private func json(_ change: AppChange) -> JSONValue {
    [
        "app": .string(change.app.text), "change": .string(change.word), "files": .list(change.files.map(json)),
        "undone_in": JSONValue(change.undoneIn?.hex),
    ]
}

extension AppChange {
    var word: String {
        switch kind {
        case .add: "add"
        case .update: "update"
        case .remove: "remove"
        case .repair: "repair"
        case .restart: "restart"
        }
    }
}

private func json(_ file: FileChange) -> JSONValue {
    let change: JSONValue = file.old == nil ? "add" : file.new == nil ? "remove" : "update"
    return [
        "path": .string(file.path.text), "change": change, "old": JSONValue(file.old?.id.hex),
        "new": JSONValue(file.new?.id.hex), "executable": .bool((file.new ?? file.old)?.isExecutable ?? false),
        "sealed": .bool(SecretsDirectory.secret(file.path) != nil),
    ]
}

/// A step: its name, its app, and further members.
func stepJSON(_ step: Step) -> JSONValue {
    var members: [(key: String, value: JSONValue)] = [
        ("step", .string(step.action.name)), ("app", JSONValue(step.app?.text)),
    ]
    switch step.action {
    case .activate, .remove, .sysusers, .tmpfiles, .daemonReload: break
    case .checkout(let readers): members.append(("private", .bool(readers == .root)))
    case .grant(let group): members.append(("group", .string(group.text)))
    case .link(let path, let source):
        members += [("path", .string(path.text)), ("source", .string(source.text))]
    case .place(let path, let source, let access, let placement):
        members += [
            ("path", .string(path.text)), ("source", .string(source.text)),
            ("mode", .string(access.octal)),
            ("owner", .string(access.owner?.text ?? "root")), ("group", .string(access.group?.text ?? "root")),
            ("again", .bool(placement == .updated)),
        ]
    case .unplace(let path): members.append(("path", .string(path.text)))
    case .displace(let path, let found): members += [("path", .string(path.text))] + foundJSON(found)
    case .unlink(let path): members.append(("path", .string(path.text)))
    case .start(let unit, let ifUp, let limit):
        members += [
            ("unit", .string(unit.text)), ("limit_ms", milliseconds(limit)), ("if_up", ifUp == .restart ? "restart" : "leave"),
        ]
    case .disable(let unit, let limit), .stop(let unit, let limit):
        members += [("unit", .string(unit.text)), ("limit_ms", milliseconds(limit))]
    case .check(let unit, let settle, let limit):
        members += [
            ("unit", .string(unit.text)), ("limit_ms", milliseconds(limit)), ("settle_ms", settle.map(milliseconds) ?? .null),
        ]
    case .enable(let unit, let enablement):
        members += [("unit", .string(unit.text)), ("again", .bool(enablement == .refreshed))]
    case .restart(let unit, let because, let limit), .restartIfUp(let unit, let because, let limit),
        .reload(let unit, let because, _, let limit):
        members += [
            ("unit", .string(unit.text)), ("limit_ms", milliseconds(limit)),
            ("because", because.isAsked ? .null : .string(because.path.text)),
            ("others", JSONValue(because.isAsked ? 0 : because.others)),
        ]
        if case .reload(_, _, let ifDown, _) = step.action { members.append(("if_down", ifDown == .start ? "start" : "leave")) }
    case .validate(let arguments, let limit):
        if let needed = Requirement.parse(arguments) {
            members.append(("requires", .list(needed.map { .string($0.phrase) })))
        } else {
            members.append(("command", .list(OptionalCheck.command(arguments).map { .string($0) })))
        }
        members.append(("limit_ms", milliseconds(limit)))
    case .unseal(let count): members.append(("files", JSONValue(count)))
    case .probe(let probe):
        members += [
            ("probe", .string(probe.phrase)), ("within_ms", milliseconds(probe.within)), ("timeout_ms", milliseconds(probe.timeout)),
            ("successes", JSONValue(probe.successes)),
        ]
    case .test(let test): members.append(("test", .string(test.word)))
    case .confirm(_, .login(let touched)): members += [("confirmation", "login"), ("because", JSONValue(touched))]
    case .confirm(_, .program): members += [("confirmation", "program"), ("because", .null)]
    case .confirm(_, .everyHost): members += [("confirmation", "every-host"), ("because", .null)]
    }
    return .object(members)
}

func milliseconds(_ duration: Duration) -> JSONValue { .number(Int64(duration / .milliseconds(1))) }

extension Step.Action {
    fileprivate var name: String {
        switch self {
        case .checkout: "checkout"
        case .activate: "activate"
        case .remove: "remove"
        case .displace: "displace"
        case .link: "link"
        case .unlink: "unlink"
        case .place: "place"
        case .unplace: "unplace"
        case .sysusers: "sysusers"
        case .grant: "grant"
        case .tmpfiles: "tmpfiles"
        case .disable: "disable"
        case .daemonReload: "daemon-reload"
        case .enable: "enable"
        case .start: "start"
        case .restart: "restart"
        case .check: "check"
        case .restartIfUp: "restart-if-up"
        case .reload: "reload"
        case .stop: "stop"
        case .validate: "validate"
        case .unseal: "unseal"
        case .probe: "probe"
        case .test: "test"
        case .confirm: "confirm"
        }
    }
}

extension Step.Test {
    fileprivate var word: String {
        switch self {
        case .sshdBefore: "sshd-before"
        case .sshd: "sshd"
        case .sudo: "sudo"
        case .nftables: "nftables"
        }
    }
}
