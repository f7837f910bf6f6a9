/// The secrets of a config tree as JSON.
package func secretsJSON(_ rows: [SecretRow]) -> JSONValue {
    let secrets = rows.map { row -> JSONValue in
        [
            "host": .string(row.host.text), "app": .string(row.app.text), "name": .string(row.name),
            "recipients": .list(row.recipients.map { .string($0) }), "unknown_keys": JSONValue(row.unknown),
            "problems": .list(row.problems.map { .string($0) }),
        ]
    }
    return ["type": "secrets", "secrets": .list(secrets)]
}
