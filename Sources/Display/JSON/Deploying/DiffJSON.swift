import Git
import Model

/// The counts of changed lines as JSON.
package func diffJSON<Failure: Error>(
    _ files: [ChangedFile], diff: (ChangedFile) throws(Failure) -> FileDiff
) throws(Failure) -> JSONValue {
    var rows: [JSONValue] = []
    for file in files {
        if file.isSealed {
            rows.append(["path": .string(file.path), "binary": true, "added": .null, "removed": .null])
            continue
        }
        switch try diff(file) {
        case .text(let diff):
            rows.append([
                "path": .string(file.path), "binary": false, "added": JSONValue(diff.added), "removed": JSONValue(diff.removed),
            ])
        case .binary: rows.append(["path": .string(file.path), "binary": true, "added": .null, "removed": .null])
        }
    }
    return ["type": "diff", "files": .list(rows)]
}
