import Deployment
import Git
import Model

/// A deploy that ended, for the operator's command.
package struct EndedDeploy: Sendable {
    package var kind: HistoryEntry.Kind
    package var cluster: String
    package var author: String
    package var commit: ObjectID
    /// Ordered.
    package var hosts: [Hostname]
    /// Of the hosts that reported one.
    package var results: [Hostname: HostResult] = [:]

    package init(kind: HistoryEntry.Kind, cluster: String, author: String, commit: ObjectID, hosts: [Hostname]) {
        self.kind = kind
        self.cluster = cluster
        self.author = author
        self.commit = commit
        self.hosts = hosts
    }
}

/// The end of a deploy as JSON. A host without a result was left by the operator.
package func endedJSON(_ deploy: EndedDeploy, exit: Int32, took: Duration) -> JSONValue {
    let hosts = deploy.hosts.map { host -> JSONValue in
        let result = deploy.results[host]
        return [
            "host": .string(host.text), "outcome": .string(result?.word ?? DeployEnd.unknown.rawValue),
            "message": .string(result?.phrase ?? "you left before the host reported the outcome"),
        ]
    }
    return [
        "type": "ended", "kind": .string(deploy.kind.rawValue), "cluster": .string(deploy.cluster), "author": .string(deploy.author),
        "commit": .string(deploy.commit.hex), "exit": .number(Int64(exit)), "milliseconds": milliseconds(took), "hosts": .list(hosts),
    ]
}
