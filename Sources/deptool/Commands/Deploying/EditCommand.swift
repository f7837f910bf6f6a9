import ArgumentParser
import Deployment
import Git
import Model
import Planning
import Platform

struct EditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit", abstract: "Edit a file of the config tree, and deploy the change.",
        discussion: """
            Edit opens the file in `$VISUAL`, `$EDITOR` or vi. Then it goes on like deploy, with the apps that the edit changes: \
            the file's own, or all that share it by symlinks. Without a change, or if the editor fails, it ends.

            Example: `deptool edit web1/nginx/nginx.conf`
            """)

    @Argument(
        help: "The file: its path, or its path in the default cluster, as in 'web1/nginx/nginx.conf'. It may be new.", completion: .file())
    var file: String
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var safety: SafetyOptions
    @OptionGroup var rendering: RenderOption
    @OptionGroup var flags: DeployFlags
    @Flag(help: "Show the plan and stop, as `deptool plan` does.")
    var planOnly = false

    func run() async throws {
        let edited = try EditedFile(file)
        let workspace = edited.workspace
        if !rendering.noRender { try workspace.checkNotRendered() }
        // A tree with a mistake can be edited, too: that may be why.
        let before = try? workspace.importTree(quietly: true)
        let content = edited.content
        guard try edited.edit() else {
            throw CommandError(
                "the editor failed, so nothing was planned",
                edited.content == content ? nil : "It saved \(edited.shown) before; `deptool plan` shows what that changes.")
        }
        guard edited.content != content else { return Terminal.write("\(edited.shown) is unchanged.\n") }
        let limit = try LimitOption.parse(["--limit", edited.host.text])
        try await DeployRun(ssh, limit, flags, isPlanOnly: planOnly).run {
            let root = try workspace.importTree()
            let changed = try before.map { try Self.changed(from: $0, to: root, workspace) } ?? []
            let filter = HostFilter(places: changed.isEmpty ? [edited.place] : changed)
            let plan = try workspace.plan(root, filter, safety: safety.safety, hostKeys: ssh.hostKeys)
            return try PreparedPlan(workspace: workspace, plan: plan, root: root)
        }
    }
}

extension EditCommand {
    /// The apps, as `HOST/APP`, or hosts that two root trees have different files for.
    private static func changed(from old: ObjectID, to new: ObjectID, _ workspace: Workspace) throws -> [String] {
        try workspace.reporting {
            let reader = ClusterReader(workspace.store)
            let before = try reader.hosts(in: old)
            return try reader.hosts(in: new).filter { now in !before.contains { $0 == now } }.flatMap { host, _ in
                // Before, there may have been a mistake.
                guard let was = try? reader.hostTree(of: host, in: old), let will = try? reader.hostTree(of: host, in: new),
                    was.options == will.options
                else { return [host.text] }
                let apps = will.apps.filter { app in !was.apps.contains { $0.name == app.name && $0.id == app.id } }
                return apps.isEmpty ? [host.text] : apps.map { "\(host.text)/\($0.name.text)" }
            }
        }
    }
}

/// A file of a config tree, to be edited.
private struct EditedFile {
    let workspace: Workspace
    let host: Hostname
    /// The host and the app of the file, or the host alone.
    let place: String
    /// As typed.
    let shown: String
    private let path: String
    /// The directories that are missing, the outermost first.
    private let missing: [String]

    /// Finds the file in the clusters of the store, or in the default one.
    init(_ typed: String) throws {
        shown = visible(typed)
        let store = try Workspace.storeOnly()
        let full = absolute(typed, in: workingDirectory())
        let inside = try Workspace.clusters(of: store).first { full.hasPrefix($0.directory + "/") }
        workspace = try inside ?? Workspace(directory: nil)
        path = inside == nil && !typed.hasPrefix("/") ? absolute(typed, in: workspace.directory) : full
        guard path.hasPrefix(workspace.directory + "/") else {
            throw CommandError(
                "\(shown) is not in \(visible(workspace.directory))",
                "Name a file of the config tree, as in `deptool edit web1/nginx/nginx.conf`.")
        }
        let parts = path.dropFirst(workspace.directory.count + 1).split(separator: "/").map(String.init)
        guard let host = parts.first.flatMap({ Hostname($0) }), workspace.hasDirectory(parts[0]) else {
            throw CommandError(
                "there is no host '\(visible(parts.first ?? ""))' in \(visible(workspace.directory))",
                "Name the file by a host that has it, also if hosts share it, as in 'web1/nginx/nginx.conf'. Make the directory of a new host first."
            )
        }
        self.host = host
        place = parts.count > 2 ? "\(parts[0])/\(parts[1])" : parts[0]
        guard parts.count > 2 && AppName(parts[1]) != nil || parts.count == 2 && parts[1] == HostOptions.fileName else {
            throw CommandError(
                "\(shown) is no file of an app, and not \(HostOptions.fileName)",
                "Its path has a host, an app, and a file in it, as in 'web1/nginx/nginx.conf'.")
        }
        if parts.count > 3, let inner = try? RelativePath(parts.dropFirst(2).joined(separator: "/")), SecretsDirectory.has(inner) {
            let name = inner.secretName ?? inner.name
            throw CommandError(
                "\(shown) is for a sealed file", "Run `deptool secret edit \(visible("\(parts[0])/\(parts[1])/\(name)"))`.")
        }
        // The editor would open or create the target of a hostile symlink.
        do throws(ImportError) {
            try store.checkLinks(on: host, Array(parts.dropFirst()), in: workspace.directory)
        } catch {
            throw CommandError(error, directory: workspace.shown)
        }
        guard !isDirectory(path) else { throw CommandError("\(shown) is a directory", "Name a file in it.") }
        var directory = workspace.directory
        var missing: [String] = []
        for part in parts.dropLast() {
            directory += "/" + part
            if isDirectory(directory) { continue }
            guard !exists(directory) else {
                throw CommandError("\(visible(directory)) is not a directory", "There can be no file in it.")
            }
            missing.append(directory)
        }
        self.missing = missing
    }

    /// Nil if there is no readable file. For a symlink, its target's content.
    var content: [UInt8]? {
        try? FileDescriptor(following: path).readAll()
    }

    /// Runs the editor in the foreground; false if it failed. Directories of a new file that was not saved go again.
    func edit() throws -> Bool {
        for directory in missing { try attempt("cannot create \(visible(directory))", try makeDirectory(directory)) }
        defer { for directory in missing.reversed() { try? removeDirectory(directory) } }
        let editor = environment("VISUAL") ?? environment("EDITOR") ?? "vi"
        // As Git does: the variable may have arguments.
        let arguments = ["sh", "-c", editor + #" "$@""#, editor, path]
        Terminal.flush()
        var hasEnded = false
        // Ctrl-C belongs to the editor, and one whose terminal ends may still save the file there.
        try uninterrupted {
            hasEnded = try attempt(
                "cannot run \(visible(editor))", try ChildProcess(arguments, in: .shared, input: 0, output: 1, error: 2).wait() == 0)
        }
        return hasEnded
    }
}
