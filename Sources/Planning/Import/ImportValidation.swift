import Model

extension ImportedApp {
    /// The app as the config tree has it. `content` is that of a stored file.
    package func tree(_ survey: HostSurvey, content: (FoundFile) -> [UInt8]?) throws(FormatError) -> AppTree {
        let manifest = try manifest(survey, content: content).map { text throws(FormatError) in try Manifest(parsing: Array(text.utf8)) }
        let files = stored.map {
            FileEntry(path: $0.source, isExecutable: $0.isExecutable, id: .of(.blob, content($0) ?? []))
        }
        return AppTree(name: name, id: .of(.tree, []), manifest: manifest ?? Manifest(), files: files.sorted { $0.path < $1.path })
    }

    /// Drops files that would make the host's part of the config tree invalid, with the reasons.
    package static func settle(
        _ apps: [ImportedApp], with existing: HostTree, _ survey: HostSurvey, content: (FoundFile) -> [UInt8]?
    ) throws(TreeError) -> [ImportedApp] {
        var apps = apps
        while true {
            var tree = existing
            for app in apps where !app.files.isEmpty {
                do throws(FormatError) {
                    tree.apps.append(try app.tree(survey, content: content))
                } catch {
                    throw TreeError(host: existing.host, app: app.name, file: Manifest.fileName, .format(error))
                }
            }
            do throws(TreeError) {
                try tree.validate()
                return apps
            } catch {
                // Each round drops a file.
                let culprits = apps.map { $0.culprits(error) }
                guard let index = culprits.firstIndex(where: { !$0.isEmpty }) else { throw error }
                apps[index].drop(culprits[index], because: .mistake(error.phrase))
            }
        }
    }

    /// The files that the error is about.
    private func culprits(_ error: TreeError) -> Set<AbsolutePath> {
        let path: AbsolutePath? =
            switch error.kind {
            case .linkTwice(let path, _), .nestedLinks(let path, _, _), .missingSource(let path, _), .copyOfDirectory(let path, _),
                .managedDirectory(let path, _), .aboveOwnDirectory(let path), .linkToSecret(let path, _):
                path
            default: nil
            }
        return Set(files.filter { $0.path == path || error.app == name && $0.source.text == error.file }.map(\.path))
    }
}
