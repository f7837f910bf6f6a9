import Git
import Model
import Planning
import SSH

/// Files of a host on their way into the config tree.
package struct HostImport: Sendable {
    /// The files to import.
    package enum Wanted: Hashable, Sendable {
        /// All that somebody made or changed, each file in the app of its unit or program.
        case everything
        /// Only the files of the unit, in an app of this name, or that of its group.
        case unit(UnitName, app: AppName?)
        /// These files, and all below these directories.
        case paths([AbsolutePath], app: AppName)
    }

    package let wanted: Wanted
    /// The host's part of the config tree.
    package let existing: HostTree
    private let claimed: Set<AbsolutePath>
    /// The names in the host's directory, in lower case, since a Mac does not distinguish case.
    private let taken: Set<String>

    package init(_ wanted: Wanted, existing: HostTree, taken: [String] = []) {
        self.wanted = wanted
        self.existing = existing
        self.taken = Set((taken + existing.apps.map(\.name.text)).map { $0.lowercased() })
        claimed = Set(existing.apps.flatMap { $0.links.map(\.path) + $0.placed.map(\.path) })
    }

    package var places: [AbsolutePath] {
        if case .paths(let paths, _) = wanted { return paths }
        return [Layout.etc]
    }

    /// Paths that the operator named, and where the host has nothing.
    package func missing(_ survey: HostSurvey) -> [AbsolutePath] {
        guard case .paths(let paths, _) = wanted else { return [] }
        return paths.filter { path in !survey.entries.contains { $0.path?.isInside(path) ?? false } }
    }

    /// The apps made of the files, and the files left out.
    package func apps(_ survey: HostSurvey) -> [ImportedApp] {
        var apps: [ImportedApp]
        switch wanted {
        case .everything: apps = ImportedApp.grouped(Selection(survey, claimed: claimed))
        case .unit(let unit, let name):
            apps = ImportedApp.grouped(Selection(survey, claimed: claimed)).filter { $0.concerns(unit) }
            if let name, !apps.isEmpty {
                apps = [ImportedApp(name, files: apps.flatMap(\.files), leftOut: apps.flatMap(\.leftOut))]
            }
        case .paths(let paths, let name):
            let selection = Selection(survey, below: paths, claimed: claimed)
            apps = [ImportedApp(name, files: selection.files, leftOut: selection.leftOut)]
        }
        var bytes: UInt64 = 0
        for index in apps.indices {
            apps[index].dropClashes()
            if taken.contains(apps[index].name.text.lowercased()) {
                apps[index].drop(Set(apps[index].files.map(\.path)), because: .appExists(apps[index].name))
            }
            var excess: Set<AbsolutePath> = []
            for file in apps[index].files {
                bytes += file.status.size
                if bytes > UInt64(ImportLimits.all) { excess.insert(file.path) }
            }
            apps[index].drop(excess, because: .tooMuch)
        }
        return apps
    }

    /// The files to read of the host.
    package func files(_ survey: HostSurvey) -> [FoundFile] { apps(survey).flatMap(\.stored) }

    /// An app, and its files as the config tree has them.
    package struct Written: Sendable {
        package var app: ImportedApp
        package var files: [(path: RelativePath, isExecutable: Bool, content: [UInt8])]
    }

    /// The apps with the contents that were read.
    package func finished(_ survey: HostSurvey, _ contents: [FoundContent]) throws(ClusterError) -> [Written] {
        var apps = apps(survey)
        var known: [AbsolutePath: [UInt8]] = [:]
        var lost: [AbsolutePath: LeftOut.Reason] = [:]
        for (file, content) in zip(apps.flatMap(\.stored), contents) {
            switch content {
            case .whole(let bytes): known[file.path] = bytes
            case .leftOut(let reason): lost[file.path] = reason
            }
        }
        for index in apps.indices {
            for file in apps[index].files {
                if let reason = lost[file.path] { apps[index].drop([file.path], because: reason) }
            }
        }
        do {
            apps = try ImportedApp.settle(apps, with: existing, survey) { known[$0.path] }
        } catch {
            throw .tree(error)
        }
        return apps.map { app in
            var files = app.stored.map { ($0.source, $0.isExecutable, known[$0.path] ?? []) }
            if let text = app.manifest(survey, content: { known[$0.path] }), let path = try? RelativePath(Manifest.fileName) {
                files.append((path, false, Array(text.utf8)))
            }
            return Written(app: app, files: files)
        }
    }
}

extension ClusterReader {
    /// The host's tree in a root tree.
    package func hostTree(of host: Hostname, in root: ObjectID) throws(ClusterError) -> HostTree {
        guard let id = try hosts(in: root).first(where: { $0.host == host })?.tree else {
            return HostTree(host: host, id: root, apps: [])
        }
        return try hostTree(host, id)
    }
}
