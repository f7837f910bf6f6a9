import Model
import Planning

/// The files of a host that can be imported, as JSON.
package func importJSON(_ host: Hostname, _ apps: [ImportedApp]) -> JSONValue {
    let text = ImportText(host, style: .plain)
    let rows = apps.map { app -> JSONValue in
        [
            "app": .string(app.name.text), "files": .list(app.files.map(json)),
            "left_out": .list(
                app.leftOut.map {
                    ["path": .string($0.path), "reason": .string($0.reason.word), "message": .string(text.phrase($0.reason, app.name))]
                }),
        ]
    }
    return ["type": "import", "host": .string(host.text), "apps": .list(rows)]
}

private func json(_ file: FoundFile) -> JSONValue {
    let (origin, package): (JSONValue, String?) =
        switch file.origin {
        case .changed(let package): ("changed", package)
        case .unchanged(let package): ("unchanged", package.isEmpty ? nil : package)
        case .own: ("own", nil)
        }
    return ["path": .string(file.path.text), "target": JSONValue(file.target?.text), "origin": origin, "package": JSONValue(package)]
}

extension LeftOut.Reason {
    fileprivate var word: String {
        switch self {
        case .secret: "secret"
        case .tooLarge: "too-large"
        case .badName: "name"
        case .sameName: "same-name"
        case .gitName: "git-name"
        case .notAFile: "not-a-file"
        case .symlink: "symlink"
        case .masked: "masked"
        case .deployed: "deployed"
        case .known: "known"
        case .mountPoint: "mount-point"
        case .accessControlList: "access-control-list"
        case .placedOtherwise: "placed-otherwise"
        case .namelessOwner: "nameless-owner"
        case .unreadable: "unreadable"
        case .changedMeanwhile: "changing"
        case .tooMuch: "too-much"
        case .mistake: "mistake"
        case .appExists: "app-exists"
        }
    }
}
