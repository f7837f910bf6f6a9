import Deployment
import Model

/// A host, what went wrong if anything did, and what there is to say else.
func row(_ host: Hostname, _ error: HostError?, _ members: (key: String, value: JSONValue)...) -> JSONValue {
    let problem: JSONValue = error.map { ["message": .string($0.phrase), "help": JSONValue($0.explanation(host))] } ?? .null
    return .object([("host", .string(host.text)), ("error", problem)] + members)
}
