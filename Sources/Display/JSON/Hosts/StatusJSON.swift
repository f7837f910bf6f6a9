import Deployment
import Git
import Model

/// The status of the hosts as JSON. `mistake` is the config tree's mistake, with the remedy.
package func statusJSON(_ hosts: [HostStatus], cluster: String, mistake: (message: String, help: String?)? = nil) -> JSONValue {
    let rows = hosts.map { host -> JSONValue in
        let condition = host.condition
        func asked(_ list: (HostCondition) -> [JSONValue]) -> JSONValue { condition.map { .list(list($0)) } ?? .null }
        return row(
            host.host, host.error, ("commit", JSONValue(host.deployed?.id.hex)),
            ("time", host.deployed.map { .number($0.time) } ?? .null), ("author", JSONValue(host.deployed?.author.text)),
            ("in_tree", .bool(host.isInTree)), ("held", host.hold.map { holdJSON($0) } ?? .null),
            ("changes", .list(host.changed.map { ["app": .string($0.app.text), "change": .string($0.word)] })),
            ("new_options", .bool(host.hasNewOptions)), ("asked", .bool(host.answer != nil)), ("runs", JSONValue(condition?.commit?.hex)),
            ("failed", asked { $0.failed.map { .string($0) } }), ("unwell", asked { $0.unwell.map(driftJSON) }),
            ("unanswered", asked { $0.unanswered.map(probeJSON) }), ("drift", asked { $0.otherDrift.map(driftJSON) }),
            ("well", .bool(host.isWell)))
    }
    let problem: JSONValue = mistake.map { ["message": .string($0.message), "help": JSONValue($0.help)] } ?? .null
    return ["type": "status", "cluster": .string(cluster), "mistake": problem, "hosts": .list(rows)]
}
