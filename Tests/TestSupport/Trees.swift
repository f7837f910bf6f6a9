import Model
import Planning

/// A host's tree from the contents of its files, by app and path; a path with `*` behind it is executable.
package func tree(_ apps: [String: [String: String]], host: String = "web1") throws -> HostTree {
    var trees: [AppTree] = []
    for (name, files) in apps { trees.append(try app(name, files)) }
    trees.sort { $0.name < $1.name }
    return HostTree(host: try hostname(host), id: fakeTree(trees.map { "\($0.name.text) \($0.id.hex)" }), apps: trees)
}

package func app(_ name: String, _ files: [String: String]) throws -> AppTree {
    guard let appName = AppName(name) else { throw BadName(name: name) }
    var entries: [FileEntry] = []
    for (path, content) in files { entries.append(try file(path, content)) }
    entries.sort { $0.path < $1.path }
    return AppTree(
        name: appName, id: fakeTree(entries.map { "\($0.path.text) \($0.isExecutable) \($0.id.hex)" }),
        manifest: try Manifest(parsing: Array((files[Manifest.fileName] ?? "{}").utf8)), files: entries)
}

package func file(_ path: String, _ content: String) throws -> FileEntry {
    let isExecutable = path.hasSuffix("*")
    return FileEntry(
        path: try RelativePath(isExecutable ? String(path.dropLast()) : path), isExecutable: isExecutable,
        id: .of(.blob, Array(content.utf8)))
}

package func hostname(_ name: String) throws -> Hostname {
    guard let host = Hostname(name) else { throw BadName(name: name) }
    return host
}

package func unitName(_ name: String) throws -> UnitName {
    guard let unit = UnitName(name) else { throw BadName(name: name) }
    return unit
}

package struct BadName: Error {
    package var name: String
}

/// A manifest with these units and links.
/// The copies have the content of `conf/x`; with their modes.
package func manifest(
    units: [String] = [], links: [String: String] = [:], copies: [String: String] = [:],
    onChange: [String: [String: [String]]] = [:]
) -> String {
    let units = units.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
    let links = links.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \"\($0.value)\"" }.joined(separator: ", ")
    let modes = copies.sorted { $0.key < $1.key }.map { "\"\($0.key)\": {\"source\": \"conf/x\", \"mode\": \"\($0.value)\"}" }
    let rules = onChange.sorted { $0.key < $1.key }.map { unit, rules in
        let lists = rules.sorted { $0.key < $1.key }.map { word, paths in
            "\"\(word)\": [" + paths.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
        }
        return "\"\(unit)\": {\(lists.joined(separator: ", "))}"
    }
    let onChange = rules.isEmpty ? "" : ", \"on_change\": {\(rules.joined(separator: ", "))}"
    return "{\"systemd\": {\"units_enabled\": [\(units)]\(onChange)}, \"symlinks\": {\(links)}"
        + (copies.isEmpty ? "" : ", \"copies\": {\(modes.joined(separator: ", "))}") + "}"
}

/// Not Git's id of the tree, but one that is the same for the same content alone.
private func fakeTree(_ entries: [String]) -> ObjectID { .of(.tree, Array(entries.joined(separator: "\n").utf8)) }
