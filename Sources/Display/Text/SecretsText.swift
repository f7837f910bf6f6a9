import Model

/// A secret of the config tree, and who can open it.
package struct SecretRow {
    package var host: Hostname
    package var app: AppName
    package var name: String
    package var recipients: [String] = []
    /// How many other keys can open it.
    package var unknown = 0
    package var problems: [String] = []

    package init(host: Hostname, app: AppName, name: String) {
        self.host = host
        self.app = app
        self.name = name
    }

    var place: String { "\(host.text)/\(app.text)/\(name)" }
}

package func secretsText(_ rows: [SecretRow]) -> String {
    let width = rows.map(\.place.utf8.count).max() ?? 0
    return rows.map { row in
        let unknown = row.unknown == 0 ? [] : [row.unknown == 1 ? "an unknown key" : "\(row.unknown) unknown keys"]
        let who = (row.recipients.map(visible) + unknown).joined(separator: ", ")
        let problems = row.problems.map { "(\($0))" }.joined(separator: " ")
        let rest = [who, problems].filter { !$0.isEmpty }.joined(separator: "  ")
        return row.place + String(repeating: " ", count: width - row.place.utf8.count) + "  " + rest + "\n"
    }.joined()
}
