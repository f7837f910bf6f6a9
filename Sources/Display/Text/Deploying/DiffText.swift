import Git
import Model
import Planning

/// Renders line diffs one file after another, without holding them all in memory.
package struct DiffText {
    private let style: Style

    package init(style: Style) { self.style = style }

    /// Passes the text of each changed file to `print`.
    package func render<Failure: Error>(
        _ files: [ChangedFile], diff: (ChangedFile) throws(Failure) -> FileDiff, print: (String) -> Void
    ) throws(Failure) {
        for file in files { print(try render(file, diff)) }
    }

    /// No content of a sealed file.
    func render<Failure: Error>(_ file: ChangedFile, _ diff: (ChangedFile) throws(Failure) -> FileDiff) throws(Failure) -> String {
        try file.isSealed ? sealed(file) : render(file, diff(file))
    }

    func sealed(_ file: ChangedFile) -> String { heading(file) + "sealed\n" }

    private func heading(_ file: ChangedFile) -> String {
        let path = visible(file.path)
        var text = style.heading("--- \(file.old == nil ? "/dev/null" : path)") + "\n"
        text += style.heading("+++ \(file.new == nil ? "/dev/null" : path)") + "\n"
        if let old = file.old, let new = file.new, old.isExecutable != new.isExecutable {
            text += "mode \(mode(old)) -> \(mode(new))\n"
        }
        return text
    }

    func render(_ file: ChangedFile, _ diff: FileDiff) -> String {
        var text = heading(file)
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

    private func mode(_ file: ChangedFile.Version) -> String { file.isExecutable ? "0555" : "0444" }

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

    /// One line per file with line counts, and a total.
    package func stat<Failure: Error>(
        _ files: [ChangedFile], diff: (ChangedFile) throws(Failure) -> FileDiff
    ) throws(Failure) -> String {
        var rows: [(path: String, counts: String)] = []
        var (added, removed) = (0, 0)
        for file in files {
            let path = visible(file.path)
            if file.isSealed {
                rows.append((path, "sealed"))
                continue
            }
            switch try diff(file) {
            case .text(let diff):
                added += diff.added
                removed += diff.removed
                rows.append((path, style.added("+\(diff.added)") + " " + style.removed("-\(diff.removed)")))
            case .binary: rows.append((path, "binary"))
            }
        }
        let width = rows.map(\.path.count).max() ?? 0
        return rows.map { " \($0.path)\(String(repeating: " ", count: width - $0.path.count)) | \($0.counts)\n" }.joined()
            + " \(count(files.count, "file")) changed, \(count(added, "line")) added, \(count(removed, "line")) removed\n"
    }
}

extension Plan {
    /// Every changed file, with host and app in front of its path, and files found in place of links.
    package var changedFiles: [ChangedFile] {
        hosts.flatMap { host in host.changes.flatMap { Self.changedFiles(of: $0, on: host) } }
    }

    static func changedFiles(of change: AppChange, on host: HostPlan) -> [ChangedFile] {
        let files = change.files.map { file in
            let path = "\(host.host.text)/\(change.app.text)/\(file.path.text)"
            return ChangedFile(path: path, old: file.old.map(ChangedFile.Version.init), new: file.new.map(ChangedFile.Version.init))
        }
        let wanted = host.wanted.apps.first { $0.name == change.app }?.files ?? []
        return files + change.drift.compactMap { $0.file(instead: wanted, on: host.host) }
    }
}

extension ChangedFile.Version {
    init(_ file: FileEntry) { self.init(id: file.id, isExecutable: file.isExecutable) }
}
