import Git
import Model
import Planning

/// Renders the line diff of a plan, one file after the other, as the lines of it come: nothing is held as a whole.
public struct DiffText {
    private let style: Style

    public init(style: Style) { self.style = style }

    /// Hands the text of each changed file to `print`.
    public func render<Problem: Error>(
        _ plan: Plan, diff: (FileChange) throws(Problem) -> FileDiff, print: (String) -> Void
    ) throws(Problem) {
        for host in plan.hosts {
            for change in host.changes {
                for file in change.files {
                    print(render(file, place: "\(host.host.text)/\(change.app.text)", try diff(file)))
                }
            }
        }
    }

    func render(_ file: FileChange, place: String, _ diff: FileDiff) -> String {
        let path = "\(place)/\(visible(file.path.text))"
        var text = style.heading("--- \(file.old == nil ? "/dev/null" : path)") + "\n"
        text += style.heading("+++ \(file.new == nil ? "/dev/null" : path)") + "\n"
        if let old = file.old, let new = file.new, old.isExecutable != new.isExecutable {
            text += "mode \(mode(old)) -> \(mode(new))\n"
        }
        switch diff {
        case .binary(let old, let new):
            text += "binary file, " + [old.map { size($0) } ?? "absent", new.map { size($0) } ?? "absent"].joined(separator: " -> ") + "\n"
        case .text(let diff):
            for hunk in diff.hunks {
                text += style.faint(visible(hunk.header)) + "\n"
                for line in hunk.lines { text += render(line) + "\n" }
            }
        }
        return text
    }

    private func mode(_ file: FileEntry) -> String { file.isExecutable ? "0555" : "0444" }

    private func render(_ line: TextDiff.Line) -> String {
        let text = visible(line.text)
        let shown =
            switch line.kind {
            case .context: " " + text
            case .added: style.added("+" + text)
            case .removed: style.removed("-" + text)
            }
        return line.endsWithNewline ? shown : shown + "\n\\ No newline at end of file"
    }

    /// One line per file with counts of lines, and a sum.
    public func stat<Problem: Error>(
        _ plan: Plan, diff: (FileChange) throws(Problem) -> FileDiff
    ) throws(Problem) -> String {
        var rows: [(path: String, counts: String)] = []
        var (files, added, removed) = (0, 0, 0)
        for host in plan.hosts {
            for change in host.changes {
                for file in change.files {
                    files += 1
                    let path = "\(host.host.text)/\(change.app.text)/\(visible(file.path.text))"
                    switch try diff(file) {
                    case .text(let diff):
                        added += diff.added
                        removed += diff.removed
                        rows.append((path, style.added("+\(diff.added)") + " " + style.removed("-\(diff.removed)")))
                    case .binary: rows.append((path, "binary"))
                    }
                }
            }
        }
        let width = rows.map(\.path.count).max() ?? 0
        return rows.map { " \($0.path)\(String(repeating: " ", count: width - $0.path.count)) | \($0.counts)\n" }.joined()
            + " \(count(files, "file")) changed, \(count(added, "line")) added, \(count(removed, "line")) removed\n"
    }
}
