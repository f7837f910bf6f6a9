import Git
import Model

/// The status of the hosts, according to the store, as JSON.
package func statusJSON(_ hosts: [HostStatus], cluster: String) -> JSONValue {
    let rows = hosts.map { host -> JSONValue in
        [
            "host": .string(host.host.text), "commit": JSONValue(host.deployed?.id.hex),
            "time": host.deployed.map { .number($0.time) } ?? .null, "author": JSONValue(host.deployed?.author.text),
            "in_tree": .bool(host.isInTree), "held": host.hold.map { holdJSON($0) } ?? .null,
            "changes": .list(host.changed.map { ["app": .string($0.app.text), "change": .string($0.word)] }),
        ]
    }
    return ["type": "status", "cluster": .string(cluster), "hosts": .list(rows)]
}
