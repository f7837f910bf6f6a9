import Deployment
import Model
import Planning
import Platform

/// Writes new apps of a host into the config tree: all of them, or none. It makes them in a directory beside the hosts, which
/// Deptool ignores, and moves them to their places when they are whole.
struct AppWriter {
    let workspace: Workspace
    let host: Hostname
    private let draft: String

    init(_ workspace: Workspace, _ host: Hostname) {
        (self.workspace, self.host) = (workspace, host)
        draft = "\(workspace.directory)/.deptool-import-\(processID)"
    }

    /// `options` is `host.json` for a host that has none. Has `check` judge the draft, which is a cluster's directory.
    func write(_ apps: [HostImport.Written], options: String?, check: (String) throws -> Void) throws {
        defer { try? removeTree(draft) }
        try make(draft)
        let new = "\(draft)/\(host.text)"
        try make(new)
        if let options { try write(Array(options.utf8), to: "\(new)/\(HostOptions.fileName)", isExecutable: false) }
        for written in apps {
            let directory = "\(new)/\(written.app.name.text)"
            var made: Set = [directory]
            try make(directory)
            for file in written.files {
                var parent = directory
                for part in file.path.components.dropLast() {
                    parent += "/" + part
                    if made.insert(parent).inserted { try make(parent) }
                }
                try write(file.content, to: "\(directory)/\(file.path.text)", isExecutable: file.isExecutable)
            }
        }
        try check(draft)
        try place(apps.map(\.app.name.text) + (options == nil ? [] : [HostOptions.fileName]), from: new)
    }

    /// Moves the directory of a new host, or the new entries of an existing one; undoes all if one cannot be moved.
    private func place(_ names: [String], from new: String) throws {
        let directory = "\(workspace.directory)/\(host.text)"
        if !workspace.hasDirectory(host.text) { return try rename(new, directory) }
        var moved: [String] = []
        do {
            for name in names {
                try rename("\(new)/\(name)", "\(directory)/\(name)")
                moved.append(name)
            }
        } catch {
            for name in moved { try? Platform.rename("\(directory)/\(name)", to: "\(new)/\(name)") }
            throw error
        }
    }

    /// Never over anything.
    private func rename(_ from: String, _ to: String) throws {
        do throws(Errno) {
            try renameExclusively(from, to: to)
        } catch {
            guard error == .fileExists else { throw CommandError(unwritable(to), error) }
            throw CommandError(
                "there is \(visible(to)) already", "Deptool imports only new apps. Choose another name with `--app`, or remove it.")
        }
    }

    private func make(_ directory: String) throws { try attempt(unwritable(directory), try makeDirectory(directory)) }

    private func write(_ bytes: [UInt8], to path: String, isExecutable: Bool) throws {
        try attempt(
            unwritable(path), try FileDescriptor(creating: path, mode: isExecutable ? 0o755 : 0o644).writeAll(bytes.span))
    }

    private func unwritable(_ path: String) -> String { "cannot write \(visible(path))" }
}
