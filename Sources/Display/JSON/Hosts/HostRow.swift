import Deployment
import Model

/// A host's name, its error if any, and further members.
func row(_ host: Hostname, _ error: HostError?, _ members: (key: String, value: JSONValue)...) -> JSONValue {
    let problem: JSONValue = error.map { ["message": .string($0.phrase), "help": JSONValue($0.explanation(host))] } ?? .null
    return .object([("host", .string(host.text)), ("error", problem)] + members)
}
