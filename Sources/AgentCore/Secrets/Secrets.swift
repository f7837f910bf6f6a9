import Age
import CSystem
import Model
import Wire

/// The sealed files of the apps, opened for their units in `Layout.secrets`: in memory that is never written to a disk. The
/// content follows from each app's current version, so that every step can be repeated.
struct Secrets {
    let system: System

    /// The names of the sealed files of a version.
    func names(in version: AbsolutePath) throws(AgentError) -> [String] {
        var names: [String] = []
        for name in try system.list(version.appending(name: RelativePath.secrets)) {
            if let path = try? RelativePath(RelativePath.secrets + "/" + name), let name = path.secretName { names.append(name) }
        }
        return names
    }

    private func sealed(_ name: String, in version: AbsolutePath) -> AbsolutePath {
        version.appending(name: RelativePath.secrets).appending(name: name + ".age")
    }

    private func current(_ app: AppName) throws(AgentError) -> AbsolutePath? {
        try system.target(of: app.current).flatMap { Version($0) }.map { app.version($0) }
    }

    /// Opens the sealed files of a new version, or of the current one if there is no new one, without a trace.
    func check(_ app: AppName, _ staged: AbsolutePath, count: Int) throws(AgentError) {
        let version = try system.status(of: staged) == nil ? try current(app) ?? staged : staged
        let names = try names(in: version)
        guard names.count == count else { throw AgentError(.corrupt(path: version.text)) }
        let identity = try HostIdentity(system)
        for name in names { _ = try open(name, of: version, identity) }
    }

    private func open(_ name: String, of version: AbsolutePath, _ identity: borrowing HostIdentity) throws(AgentError) -> SecretBytes {
        let path = sealed(name, in: version)
        guard let bytes = try system.contents(of: path, limit: SealedFile.limit) else { throw AgentError(.corrupt(path: path.text)) }
        return try identity.open(bytes, path: path)
    }

    // MARK: Opening

    /// Opens the sealed files of the app's current version, and removes the opened ones of other versions. With `kept`, restores
    /// the secrets that were open of that version instead, unless the host has booted since. It may be interrupted and run
    /// again.
    func settle(_ app: AppName, kept: Bool = false) throws(AgentError) {
        guard let version = try current(app), case let names = try names(in: version), !names.isEmpty else {
            return try system.removeTree(app.secrets)
        }
        var kept = kept
        if try system.status(of: app.keptSecrets) == nil { kept = false }
        let identity = try HostIdentity(system)
        try system.makeMemory(at: Layout.secrets)
        try system.makeDirectories(app.secrets, mode: 0o700)
        let readers = try readers(version)
        // One that does not open leaves the others to their units.
        var failure: AgentError?
        for name in names {
            let path = app.secrets.appending(name: name)
            var draft = app.secrets.appending(name: "." + name)
            do throws(AgentError) {
                if kept {
                    draft = app.keptSecrets.appending(name: name)
                    // Else it was brought back before an interruption.
                    if try system.status(of: draft) == nil { continue }
                } else {
                    try system.removeIfThere(draft)
                    let content = try open(name, of: version, identity)
                    try system.create(draft, mode: 0o600).write(content)
                    try system.setReaders(draft, gid: readers.gid, mode: readers.mode & 0o440)
                }
                try system.rename(draft, to: path)
            } catch {
                failure = error
            }
        }
        for name in try system.list(app.secrets) where !has(names, name) { try system.removeTree(app.secrets.appending(name: name)) }
        try system.setReaders(app.secrets, gid: readers.gid, mode: readers.mode)
        if let failure { throw failure }
    }

    /// Keeps the open secrets until the deploy is over, since the host's key may have changed after it opened them. The copy is
    /// complete as soon as it has its name.
    func keep(_ app: AppName) throws(AgentError) {
        try forget(app)
        guard try system.status(of: app.secrets) != nil else { return }
        let draft = app.keptSecretsDraft
        try system.makeDirectory(draft, mode: 0o700)
        let directory = try system.holder(of: draft.appending(name: "."), .symlink)
        for name in try system.list(app.secrets) { _ = try system.link(app.secrets.appending(name: name), to: name, in: directory) }
        try system.rename(draft, to: app.keptSecrets)
    }

    func forget(_ app: AppName) throws(AgentError) {
        try system.removeTree(app.keptSecretsDraft)
        guard try system.status(of: app.keptSecrets) != nil else { return }
        try system.rename(app.keptSecrets, to: app.keptSecretsDraft)
        try system.removeTree(app.keptSecretsDraft)
    }

    /// Root, and the group that may read a private app.
    private func readers(_ version: AbsolutePath) throws(AgentError) -> (gid: UInt32, mode: UInt32) {
        guard let status = try system.status(of: version), status.mode & 0o007 == 0, status.mode & 0o050 != 0 else {
            return (UInt32(truncatingIfNeeded: csys_getgid()), 0o700)
        }
        return (status.gid, 0o750)
    }

    /// Opens those of all apps, as at boot. Returns the apps of which not all open.
    func settleAll() -> [AppName] {
        var failed: [AppName] = []
        for app in (try? apps()) ?? [] where (try? settle(app)) == nil { failed.append(app) }
        return failed
    }

    /// The apps with sealed files.
    private func apps() throws(AgentError) -> [AppName] {
        var apps: [AppName] = []
        for name in try system.list(Layout.apps) {
            if let app = AppName(name), let version = try current(app), try !names(in: version).isEmpty { apps.append(app) }
        }
        return apps
    }

    /// Has the next boot open them with this agent, if an app has any.
    func installBoot(_ agent: String) throws(AgentError) {
        guard !agent.isEmpty, try !apps().isEmpty else { return }
        try BootUnit(system: system, .secrets).install(agent)
    }

    /// Removes the unit that opens them at boot, and the memory, if no app has any.
    func clearBoot() throws(AgentError) {
        guard try apps().isEmpty else { return }
        try BootUnit(system: system, .secrets).remove()
        try system.removeMemory(at: Layout.secrets)
    }

    // MARK: Comparing

    /// Reports the sealed files whose opened content is missing, wrong or cannot be verified.
    func compare(_ app: AppName, _ report: (Drift.Finding) -> Void) throws(AgentError) {
        guard let version = try current(app), case let names = try names(in: version), !names.isEmpty else { return }
        let identity = try HostIdentity(system)
        let readers = try readers(version)
        for name in names {
            let path = app.secrets.appending(name: name)
            guard let source = try? RelativePath(RelativePath.secrets + "/" + name + ".age") else { continue }
            let status = try system.status(of: path)
            var isSame = false
            if let status, status.kind == csys_kind_regular, status.mode == readers.mode & 0o440, status.gid == readers.gid,
                let wanted = try? open(name, of: version, identity), let found = try system.secret(path, limit: wanted.count)
            {
                isSame = found.isSame(as: wanted)
            }
            if !isSame { report(.secret(source, isThere: status != nil)) }
        }
    }
}

extension System {
    /// A file's content that must not stay in memory; nil if it is larger than `limit` bytes.
    func secret(_ path: AbsolutePath, limit: Int) throws(AgentError) -> SecretBytes? {
        let file = try open(path)
        var result: Int64 = 0
        let content = unsafe SecretBytes(upTo: limit + 1) { buffer in
            var count = 0
            repeat {
                result = unsafe csys_read(file.descriptor, buffer.baseAddress.map { unsafe $0 + count }, limit + 1 - count)
                count += max(0, Int(result))
            } while result > 0 && count <= limit
            return count > limit ? nil : count
        }
        if result < 0 { throw file.failed(.read, result) }
        return content
    }

    /// Mounts memory that the kernel does not write to swap (ramfs), unless it is there. Only root can enter it.
    func makeMemory(at path: AbsolutePath) throws(AgentError) {
        try makeDirectories(path, mode: 0o711)
        guard root.isEmpty, let directory = try reach(path), csys_is_ramfs(directory.descriptor) != 1 else { return }
        try pass(.mount, path)
        try unsafe check(.mount, path, csys_mount_ramfs(path.text))
        forget()
    }

    func removeMemory(at path: AbsolutePath) throws(AgentError) {
        guard let directory = try reach(path) else { return }
        if csys_is_ramfs(directory.descriptor) == 1 {
            forget()
            try pass(.mount, path)
            try unsafe check(.mount, path, csys_unmount(path.text))
        }
        for directory in [path, path.parent] {
            if let directory, try status(of: directory) != nil { try removeDirectory(directory) }
        }
    }
}

extension File {
    func write(_ secret: borrowing SecretBytes) throws(AgentError) {
        var written = 0
        while written < secret.count {
            let rest = secret.count - written
            written += try writing(rest) { count in
                unsafe secret.withBytes { unsafe csys_write(descriptor, $0.baseAddress.map { unsafe $0 + written }, count) }
            }
        }
    }
}
