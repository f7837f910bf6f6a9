import Testing

/// Compares texts, and shows both when they differ; of long ones, the lines that do.
func expect(_ actual: String, is expected: String, sourceLocation: SourceLocation = #_sourceLocation) {
    guard actual != expected else { return }
    let (old, new) = (expected.split(separator: "\n"), actual.split(separator: "\n"))
    let text =
        if max(old.count, new.count) > 80 {
            new.difference(from: old).map { change in
                switch change {
                case .remove(_, let line, _): "- \(line)\n"
                case .insert(_, let line, _): "+ \(line)\n"
                }
            }.joined()
        } else {
            "expected:\n\(expected)\n--- but there is:\n\(actual)"
        }
    Issue.record("\(text)", sourceLocation: sourceLocation)
}

/// The output of `plan`, `diff` and `deploy` when there is nothing to do.
let nothingToDo = "Nothing to do: every host of cluster 'prod' matches the config tree.\n"
