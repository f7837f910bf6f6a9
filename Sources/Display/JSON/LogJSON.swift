import Deployment
import Git
import Model

/// The events on the hosts as JSON.
package func logJSON(_ events: [PastEvent]) -> JSONValue {
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
        case .restarted: "restart"
        }
    }
}
