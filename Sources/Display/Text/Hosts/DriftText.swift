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
        case .secret(let path, let isThere): "\(visible(path.text)) is \(isThere ? "not what its units read" : "not unsealed")"
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

/// Renders the findings on the hosts.
package struct VerifyText {
    private let style: Style

    package init(style: Style) { self.style = style }

    package typealias Results = [(host: Hostname, result: Result<Verification, HostError>)]

    package func render(_ results: Results) -> String {
        var blocks = results.compactMap(render)
        let verified = results.compactMap { try? $0.result.get() }
        let clean = verified.count(where: \.isClean)
        let failed = results.count - verified.count
        var parts = ["\(count(clean, "host")) as deployed"]
        if clean < verified.count { parts.append("\(verified.count - clean) not") }
        if failed > 0 { parts.append("\(failed) could not be asked") }
        blocks.append(parts.joined(separator: ", ") + ".\n")
        if verified.contains(where: { !$0.drift.isEmpty }) {
            blocks.append("`deptool deploy --repair` shows what restores them, and does so.\n")
        }
        return blocks.joined(separator: "\n")
    }

    private func render(_ host: Hostname, _ result: Result<Verification, HostError>) -> String? {
        switch result {
        case .failure(let error):
            return style.heading(host.text) + "\n    \(error.phrase)\n" + (error.explanation(host).map { $0 + "\n" } ?? "")
        case .success(let found):
            if found.isClean { return nil }
            return style.heading(host.text) + "\n" + news(found) + drift(found.drift) + unanswered(found.unanswered)
        }
    }

    private func news(_ found: Verification) -> String {
        if found.commit == found.known { return "" }
        guard let commit = found.commit else {
            return "    \(style.bad("nothing is deployed on it any more")): it has been wiped or reinstalled\n"
        }
        return "    runs \(commit.short)\(found.known.map { ", not \($0.short)" } ?? ""): somebody else deployed to it since\n"
    }

    private func unanswered(_ probes: [ProbeResult]) -> String {
        var text = ""
        var app: AppName?
        for result in probes {
            if result.app != app { text += "    \(result.app.text)\n" }
            app = result.app
            text += "        " + style.bad("! \(result.probe.phrase) \(result.answer.verdict)") + "\n"
        }
        return text
    }

    private func drift(_ drift: [Drift]) -> String {
        var text = ""
        var app: AppName?
        for drift in drift {
            if let name = drift.app, name != app { text += "    \(name.text)\n" }
            app = drift.app
            text += (app == nil ? "    " : "        ") + style.changed("! " + drift.phrase) + "\n"
        }
        if drift.count == Drift.most { text += "    and maybe more\n" }
        return text
    }
}

extension Verification {
    /// Files of the host that were edited or replace links, from the recorded content to the found one.
    package func editedFiles(_ host: Hostname) -> [ChangedFile] {
        drift.compactMap { drift in
            guard let app = drift.app, let files = files[app] else { return nil }
            if var file = drift.file(instead: files, on: host) {
                swap(&file.old, &file.new)
                return file
            }
            guard case .file(let path, let found) = drift.finding, let file = files.first(where: { $0.path == path }) else { return nil }
            var new: ChangedFile.Version?
            switch found {
            case .nothing: break
            case .file(let id, _): new = ChangedFile.Version(id: id, isExecutable: file.isExecutable)
            case .symlink, .directory, .other: return nil
            }
            return ChangedFile(path: "\(host.text)/\(app.text)/\(path.text)", old: ChangedFile.Version(file), new: new)
        }
    }
}
