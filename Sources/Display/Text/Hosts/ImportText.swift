import Model
import Planning

/// The apps made of a host's files, with the files left out.
package struct ImportText {
    private let style: Style
    private let host: Hostname

    package init(_ host: Hostname, style: Style) { (self.host, self.style) = (host, style) }

    /// Each app with its files.
    package func render(_ apps: [ImportedApp]) -> String {
        apps.map { app in
            let width = min(60, app.files.map { visible($0.path.text).count }.max() ?? 0)
            let files = app.files.map { file in
                let path = visible(file.path.text)
                return "    \(path)\(String(repeating: " ", count: max(0, width - path.count)))  \(style.faint(remark(file, app)))\n"
            }
            let lost = app.leftOut.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }.map { file in
                "    \(style.changed("left out")) \(visible(file.path)): \(phrase(file.reason, app.name))\n"
            }
            return style.heading(app.name.text) + "\n" + files.joined() + lost.joined()
        }.joined(separator: "\n")
    }

    private func remark(_ file: FoundFile, _ app: ImportedApp) -> String {
        let origin =
            switch file.origin {
            case .changed(let package): "changed, of \(visible(package))"
            case .unchanged(""): "as its package made it"
            case .unchanged(let package): "unchanged, of \(visible(package))"
            case .own: "of no package"
            }
        return file.target.map { "\(origin); leads to \(visible($0.text))" } ?? origin
    }

    func phrase(_ reason: LeftOut.Reason, _ app: AppName) -> String {
        switch reason {
        case .secret(let status, let name):
            "not everybody may read it (\(access(status))); if it is a secret: deptool secret set \(host.text)/\(app.text)/\(name)"
        case .tooLarge(let bytes): "too large (\(size(bytes)) of at most \(size(ImportLimits.file)))"
        case .badName(let problem): "Deptool has no such names: \(problem?.phrase ?? "it is not UTF-8")"
        case .sameName(let other): "a Mac cannot distinguish it from \(visible(other))"
        case .gitName: "Git, or a Mac, has such names for itself"
        case .notAFile: "neither a file nor a symlink to one"
        case .symlink: "a symlink that does not lead to a file"
        case .masked: "a masked unit, which a config tree cannot have"
        case .deployed: "a symlink of Deptool's, from an app that the config tree does not have"
        case .known: "the config tree has it already"
        case .mountPoint: "something is mounted over it"
        case .accessControlList: "it has an access control list, which a deploy cannot keep"
        case .placedOtherwise(let status, let directory):
            "a deploy places files of \(directory.name)/ with mode 0644 for root, and this one has \(access(status)); change it on the host first"
        case .namelessOwner: "its owner or group has no name"
        case .unreadable: "it cannot be read"
        case .changedMeanwhile: "it changed while Deptool read it"
        case .tooMuch: "the total would exceed \(size(UInt64(ImportLimits.all)))"
        case .mistake(let phrase): visible(phrase)
        case .appExists(let app): "the config tree has an app '\(app.text)' already; import it with --app and another name"
        }
    }

    private func access(_ status: HostSurvey.Status) -> String {
        let mode = String(status.permissions, radix: 8)
        return "\(String(repeating: "0", count: max(0, 4 - mode.count)))\(mode) \(visible(status.owner)):\(visible(status.group))"
    }
}
