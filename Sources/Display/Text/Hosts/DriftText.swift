import Deployment
import Git
import Model

extension Drift {
    /// The finding, for people.
    var phrase: String {
        switch finding {
        case .file(let path, .file): "\(visible(path.text)) was edited"
        case .file(let path, let found): "\(visible(path.text)) \(found.phrase)"
        case .extra(let path): "\(visible(path)) was added"
        case .attributes(let path, let found, let recorded):
            "\(path == "." ? "its directory" : visible(path)) " + found.difference(from: recorded)
        case .link(let path, _, let found): "\(visible(path.text)) \(found.phrase)"
        case .placed(let path, _, .file): "\(visible(path.text)) was edited"
        case .placed(let path, _, let found): "\(visible(path.text)) \(found.phrase)"
        case .secret(let path, let isThere): "\(visible(path.text)) is \(isThere ? "different from its sealed content" : "not unsealed")"
        case .current(let found): "current " + (found.isSymlink ? "points to no version" : found.phrase)
        case .disabled(let unit): "unit \(unit.text) is disabled"
        case .enabledBy(let unit, let path): "unit \(unit.text) is also enabled by \(visible(path.text))"
        case .unwell(let unit, .exited): "unit \(unit.text) is stopped"
        case .unwell(let unit, let problem): "unit \(unit.text) \(problem.phrase)"
        case .leftover(let path): "\(visible(path)) is left over"
        }
    }

    /// A line diff of a file found in place of a link or a placed file, from the found content to the recorded one;
    /// nil for other findings.
    func file(instead files: [FileEntry], on host: Hostname) -> ChangedFile? {
        let (path, source, id): (AbsolutePath, RelativePath, ObjectID)
        switch finding {
        case .link(let here, let file, .file(let content, _)), .placed(let here, let file, .file(let content, _)):
            (path, source, id) = (here, file, content)
        default: return nil
        }
        return ChangedFile(
            path: host.text + path.text, old: ChangedFile.Version(id: id, isExecutable: false),
            new: files.first { $0.path == source }.map { ChangedFile.Version(id: $0.id, isExecutable: false) })
    }
}

extension Drift.Found {
    fileprivate var isSymlink: Bool { if case .symlink = self { true } else { false } }

    fileprivate var phrase: String {
        switch self {
        case .nothing: "is missing"
        case .file: "was replaced by a file"
        case .symlink(let target): "was replaced by a symlink to \(visible(target))"
        case .directory: "was replaced by a directory"
        case .other: "was replaced by something that is no file"
        }
    }
}

extension Drift.Attributes {
    fileprivate func difference(from recorded: Self) -> String {
        let mode = mode == recorded.mode ? nil : "has mode \(octal) instead of \(recorded.octal)"
        let owner = owner == recorded.owner ? nil : "belongs to \(owner) instead of \(recorded.owner)"
        return [mode, owner].compactMap { $0 }.joined(separator: " and ")
    }

    var octal: String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// User and group, in chown(1)'s notation.
    var owner: String { uid == 0 && gid == 0 ? "root" : "\(uid):\(gid)" }
}
