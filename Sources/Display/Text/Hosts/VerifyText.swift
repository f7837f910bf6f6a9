import Deployment
import Git
import Model

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
        if failed > 0 { parts.append("\(failed) could not be reached") }
        blocks.append(parts.joined(separator: ", ") + ".\n")
        if verified.contains(where: { !$0.drift.isEmpty }) {
            blocks.append("`deptool deploy --repair` shows the plan that restores them, and applies it.\n")
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
        if drift.count == Drift.maximumFindings { text += "    and maybe more\n" }
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
