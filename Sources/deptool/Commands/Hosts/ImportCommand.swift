import ArgumentParser
import CSystem
import Deployment
import Display
import Model
import Planning
import Platform
import SSH

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Import the configuration of an existing host into the config tree.",
        discussion: """
            Import looks at a host over SSH, as root like a deploy, and changes nothing there. It writes new apps into the config \
            tree: the configuration files of packages that somebody changed, files in /etc that no package has, units and \
            drop-ins, quadlets, cron files. The deploy after it replaces them by the same content, and restarts nothing.

            Files that not everybody may read are left out, since they may be secrets.

            Example: `deptool import web1 && deptool deploy`
            """)

    @Argument(help: "The host.", completion: Complete.hosts)
    var host: String
    @Argument(
        help: "Files and directories of the host for the app, instead of everything that was changed. Needs '--app'.")
    var paths: [String] = []
    @Option(help: ArgumentHelp("The name of the new app.", valueName: "name"))
    var app: String?
    @Option(help: ArgumentHelp("Import only the files of this unit, such as 'nginx.service'.", valueName: "unit"))
    var unit: String?
    @Flag(help: "Show what would be imported, and write nothing.")
    var list = false
    @Option(
        help: ArgumentHelp("The cluster's directory.", discussion: "If omitted, the last cluster you used.", valueName: "dir"),
        completion: .directory)
    var cluster: String?
    @OptionGroup var rendering: RenderOption
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption

    func validate() throws {
        guard Hostname(host) != nil else { throw ValidationError("'\(visible(host))' is not the name of a host.") }
        guard app.map({ AppName($0) != nil }) ?? true else { throw ValidationError("'\(visible(app ?? ""))' is not the name of an app.") }
        guard unit.map({ UnitName($0) != nil }) ?? true else {
            throw ValidationError("'\(visible(unit ?? ""))' is not the name of a unit, such as 'nginx.service'.")
        }
        guard list || !output.json else { throw ValidationError("'--json' needs '--list'.") }
        guard paths.isEmpty || unit == nil else { throw ValidationError("Name a unit or paths, not both.") }
        guard paths.isEmpty || app != nil else { throw ValidationError("Name the new app, as in '--app nginx'.") }
        guard app == nil || !paths.isEmpty || unit != nil else { throw ValidationError("'--app' needs paths or '--unit'.") }
        for path in paths {
            do throws(PathError) {
                guard try Self.place(path).isInside(Layout.root) else { continue }
            } catch {
                throw ValidationError("'\(visible(path))' is no path of a host: \(error.phrase).")
            }
            throw ValidationError("'\(visible(path))' is Deptool's own, and cannot be imported.")
        }
    }

    /// Without the slash that a shell's completion adds to a directory.
    private static func place(_ path: String) throws(PathError) -> AbsolutePath {
        try AbsolutePath(path.utf8.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path)
    }

    private var wanted: HostImport.Wanted {
        let app = app.flatMap { AppName($0) }
        if let unit = unit.flatMap({ UnitName($0) }) { return .unit(unit, app: app) }
        guard let app, !paths.isEmpty else { return .everything }
        return .paths(paths.compactMap { try? Self.place($0) }, app: app)
    }

    func run() async throws {
        guard let host = Hostname(host) else { preconditionFailure("validate() has checked it") }
        let workspace = try Workspace(directory: cluster)
        guard workspace.isThere else { throw workspace.absence }
        if !list, !rendering.noRender { try workspace.checkNotRendered() }
        try workspace.checkIsOnlyHere(host)
        let existing = try workspace.importTree(of: host)
        if let app, !list { try workspace.checkFree(app, on: host) }
        let work = HostImport(wanted, existing: existing, taken: namesOfEntries(in: "\(workspace.directory)/\(host.text)"))
        let (survey, contents) = try await look(at: host, work)
        if paths.isEmpty, !survey.hasPackages {
            Terminal.writeError(
                "\(host.text) has no dpkg, so Deptool cannot determine the owners of files, and takes only units. Name other files.\n")
        }
        if let path = work.missing(survey).first { throw CommandError("\(host.text) has no file \(visible(path.text)), nor any below it") }
        if let unit = unit.flatMap({ UnitName($0) }), !survey.has(unit) {
            throw CommandError(
                "\(host.text) has no unit '\(unit.text)'",
                near(unit.text, among: Array(survey.enablement.keys)).map { "Did you mean '\(visible($0))'?" })
        }
        let text = ImportText(host, style: Terminal.style)
        if list {
            let apps = work.apps(survey).filter(\.isSomething)
            if apps.isEmpty, wanted != .everything { throw nothing(on: host, existing, "") }
            return output.write(
                importJSON(host, apps), or: apps.isEmpty ? "\(Self.nothing(on: host))\n" : text.render(apps))
        }
        let done = try workspace.reporting { try work.finished(survey, contents) }
        let apps = done.filter { !$0.app.files.isEmpty }
        let found = text.render(done.map(\.app).filter(\.isSomething))
        guard !apps.isEmpty else {
            if wanted != .everything { throw nothing(on: host, existing, found) }
            return Terminal.write(found + (found.isEmpty ? "" : "\n") + Self.nothing(on: host) + "\n")
        }
        let writer = AppWriter(workspace, host)
        let options = options(of: host, survey, existing: existing, in: workspace)
        // Ctrl-C must not leave a part of it.
        try uninterrupted {
            try writer.write(apps, options: options) { draft in
                let root = try Workspace(store: workspace.store, directory: draft).importDraft()
                _ = try workspace.reporting {
                    try ClusterReader(workspace.store).plan(root: root, cluster: workspace.cluster, filter: HostFilter([host.text]))
                }
            }
        }
        try workspace.reporting { try workspace.remember() }
        let files = apps.map(\.app.files.count).reduce(0, +)
        Terminal.write(
            found
                + "\nImported \(files) file\(files == 1 ? "" : "s") of \(host.text) into \(apps.count) app\(apps.count == 1 ? "" : "s") in "
                + "\(workspace.shownDirectory)/\(host.text). `deptool plan` shows what the first deploy does.\n")
    }

    private static func nothing(on host: Hostname) -> String {
        "Nothing to import: \(host.text) has nothing that packages do not have, or that the config tree lacks."
    }

    /// Why nothing that the operator named can be imported; `found` has the files left out, with the reasons.
    private func nothing(on host: Hostname, _ existing: HostTree, _ found: String) -> CommandError {
        let leftOut = found.isEmpty ? nil : found
        guard let unit = unit.flatMap({ UnitName($0) }) else {
            return CommandError(
                leftOut == nil ? "nothing to import: \(host.text) has no files there" : "nothing to import: every file there is left out",
                leftOut)
        }
        if let app = existing.apps.first(where: { $0.has(unit) }) {
            return CommandError("the config tree has \(unit.text) of \(host.text) already, in the app '\(app.name.text)'", leftOut)
        }
        if leftOut != nil { return CommandError("nothing to import for \(unit.text) on \(host.text): all of it is left out", leftOut) }
        return CommandError(
            "nothing to import for \(unit.text) on \(host.text): it has only what its package has",
            "To manage it, name files, as in `deptool import \(host.text) /etc/nginx --app nginx`.")
    }

    private func look(at host: Hostname, _ work: HostImport) async throws -> (HostSurvey, [FoundContent]) {
        let look: HostLook
        let access = ssh.access(ProgressScreen([host]), asks: !output.json)
        do { look = try HostLook(host, access: access) } catch { throw CommandError(error.phrase) }
        InterruptSignals.handle { count in
            guard count == 1 else { csys_end_by_interrupt() }
            look.cancel()
        }
        defer { InterruptSignals.ignore() }
        let readsFiles = !list
        switch await look.look(at: work.places, { readsFiles ? work.files($0) : [] }) {
        case .success(let found): return found
        case .failure(.ssh(.interrupted)): throw ExitCode(130)
        case .failure(let error): throw CommandError("\(host.text): \(error.phrase)", error.explanation(host))
        }
    }

    /// `host.json`, if the host gives itself another name, and it has none.
    private func options(of host: Hostname, _ survey: HostSurvey, existing: HostTree, in workspace: Workspace) -> String? {
        let isFree = !workspace.exists("\(host.text)/\(HostOptions.fileName)")
        guard existing.options.hostname == nil, isFree, survey.hostname != host.text, let name = Hostname(survey.hostname) else {
            return nil
        }
        return ManifestText.object([("hostname", .text(name.text))]).rendered + "\n"
    }
}

extension AppTree {
    /// Whether it enables the unit, or has its file or a drop-in for it.
    fileprivate func has(_ unit: UnitName) -> Bool {
        manifest.units.contains(unit) || (links.map(\.path) + placed.map(\.path)).contains(where: unit.isSetUp)
    }
}

extension ImportedApp {
    fileprivate var isSomething: Bool { !files.isEmpty || !leftOut.isEmpty }
}

extension Workspace {
    /// The host's part of the config tree.
    fileprivate func importTree(of host: Hostname) throws -> HostTree {
        let root = try importTree(quietly: true)
        return try reporting { try ClusterReader(store).hostTree(of: host, in: root) }
    }

    fileprivate func importDraft() throws -> ObjectID {
        do {
            return try store.importCluster(at: directory)
        } catch {
            throw CommandError(error.phrase, error.explanation)
        }
    }

    fileprivate func checkFree(_ app: String, on host: Hostname) throws {
        guard exists("\(host.text)/\(app)") else { return }
        throw CommandError(
            "\(shownDirectory)/\(host.text)/\(visible(app)) is there already",
            "Deptool imports only new apps. Choose another name with `--app`, or remove it.")
    }

    fileprivate func exists(_ path: String) -> Bool { Platform.exists("\(directory)/\(path)") }

    /// As the operator would type it.
    fileprivate var shownDirectory: String {
        let here = workingDirectory() + "/"
        return visible(directory.hasPrefix(here) ? String(directory.dropFirst(here.count)) : directory)
    }
}
