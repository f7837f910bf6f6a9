import CSystem
import Deployment
import Model
import Planning
import Sealing

/// Writes new apps of a host into the config tree: all of them, or none. It makes them in a directory beside the hosts, which
/// Deptool ignores, and moves them to their places when they are whole.
struct AppWriter {
    let workspace: Workspace
    let host: Hostname
    private let draft: String

    init(_ workspace: Workspace, _ host: Hostname) {
        (self.workspace, self.host) = (workspace, host)
        draft = "\(workspace.directory)/.deptool-import-\(csys_getpid())"
    }

    /// `options` is `host.json` for a host that has none. Has `check` judge the draft, which is a cluster's directory.
    func write(_ apps: [HostImport.Written], options: String?, check: (String) throws -> Void) throws {
        defer { _ = csys_remove_tree(draft) }
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

    /// Moves the directory of a new host, or what is new in that of another one; takes all back if one cannot be moved.
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
            for name in moved { _ = csys_rename("\(directory)/\(name)", "\(new)/\(name)") }
            throw error
        }
    }

    /// Never over anything.
    private func rename(_ from: String, _ to: String) throws {
        let here = csys_open_directory("/")
        guard here >= 0 else { throw CommandError("cannot open /: \(String(cString: csys_strerror(-here)))") }
        defer { csys_close(here) }
        let (old, new) = (String(from.dropFirst()), String(to.dropFirst()))
        var result = csys_rename_at(here, old, here, new, csys_rename_exclusive)
        // The file system may not have this. A directory replaces only an empty one even so.
        if result < 0, result != -Int32(csys_eexist) {
            var status = csys_stat()
            result = csys_lstat(to, &status) == 0 ? -Int32(csys_eexist) : csys_rename(from, to)
        }
        if result == -Int32(csys_eexist) {
            throw CommandError(
                "there is \(visible(to)) already", "Deptool imports only new apps. Choose another name with `--app`, or remove it.")
        }
        try attempt(result, to)
    }

    private func make(_ directory: String) throws { try attempt(csys_make_directory_plain(directory), directory) }

    private func write(_ bytes: [UInt8], to path: String, isExecutable: Bool) throws {
        let descriptor = csys_create_new(path, isExecutable ? 0o755 : 0o644)
        try attempt(descriptor, path)
        defer { csys_close(descriptor) }
        try attempt(-bytes.withUnsafeBytes { Sealing.write(all: $0, to: descriptor) }, path)
    }

    private func attempt(_ result: Int32, _ path: String) throws(CommandError) {
        guard result < 0 else { return }
        throw CommandError("cannot write \(visible(path)): \(String(cString: csys_strerror(-result)))")
    }
}
