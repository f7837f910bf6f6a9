import Age
import CSystem
import Model
import Wire

/// The sealed files of the apps, opened for their units in `Layout.secrets`: in memory that is never written to a disk. What is
/// there follows from each app's current version, so that any step of it can be repeated.
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

    /// Opens the sealed files of a version, without a trace.
    func check(_ version: AbsolutePath) throws(AgentError) {
        let identity = try HostIdentity(system)
        for name in try names(in: version) { _ = try open(name, of: version, identity) }
    }

    private func open(_ name: String, of version: AbsolutePath, _ identity: borrowing HostIdentity) throws(AgentError) -> SecretBytes {
        let path = sealed(name, in: version)
        guard let bytes = try system.contents(of: path, limit: SealedFile.limit) else { throw AgentError(.corrupt(path: path.text)) }
        return try identity.open(bytes, path: path)
    }

    // MARK: Opening

    /// Opens the sealed files of the app's current version, and removes what was opened of others.
    func settle(_ app: AppName) throws(AgentError) {
        guard let version = try current(app), case let names = try names(in: version), !names.isEmpty else {
            return try system.removeTree(app.secrets)
        }
        let identity = try HostIdentity(system)
        try system.makeMemory(at: Layout.secrets)
        try system.makeDirectories(app.secrets, mode: 0o700)
        let readers = try readers(version)
        for name in names {
            let draft = app.secrets.appending(name: "." + name)
            try system.removeIfThere(draft)
            let content = try open(name, of: version, identity)
            try system.create(draft, mode: 0o600).write(content)
            try system.setReaders(draft, gid: readers.gid, mode: readers.mode & 0o440)
            try system.rename(draft, to: app.secrets.appending(name: name))
        }
        try system.setReaders(app.secrets, gid: readers.gid, mode: readers.mode)
        for name in try system.list(app.secrets) where !has(names, name) { try system.removeTree(app.secrets.appending(name: name)) }
    }

    /// Root, and the group that may read a private app.
    private func readers(_ version: AbsolutePath) throws(AgentError) -> (gid: UInt32, mode: UInt32) {
        guard let status = try system.status(of: version), status.mode & 0o007 == 0, status.mode & 0o050 != 0 else {
            return (UInt32(truncatingIfNeeded: csys_getgid()), 0o700)
        }
        return (status.gid, 0o750)
    }

    /// Opens those of all apps, as at boot. One that does not open leaves the others alone.
    func settleAll() -> [AgentError] {
        var failures: [AgentError] = []
        do throws(AgentError) {
            for app in try apps() { do { try settle(app) } catch { failures.append(error) } }
        } catch {
            failures.append(error)
        }
        return failures
    }

    private func apps() throws(AgentError) -> [AppName] { try system.list(Layout.apps).compactMap { AppName($0) } }

    /// Has the next boot open them with this agent. If no app has any, removes the unit that does, and the memory.
    func arrangeBoot(_ agent: String, hasSystemd: Bool) throws(AgentError) {
        let unit = BootUnit(system: system, .secrets)
        for app in try apps() {
            guard let version = try current(app), try !names(in: version).isEmpty else { continue }
            if hasSystemd, !agent.isEmpty { try unit.install(agent) }
            return
        }
        try unit.remove()
        try system.removeMemory(at: Layout.secrets)
    }

    // MARK: Comparing

    /// Reports the sealed files whose opened content is missing or another.
    func compare(_ app: AppName, _ report: (Drift.Finding) -> Void) throws(AgentError) {
        guard let version = try current(app), case let names = try names(in: version), !names.isEmpty else { return }
        let identity = try HostIdentity(system)
        let readers = try readers(version)
        for name in names {
            let path = app.secrets.appending(name: name)
            guard let source = try? RelativePath(RelativePath.secrets + "/" + name + ".age") else { continue }
            guard let status = try system.status(of: path) else {
                report(.secret(source, isThere: false))
                continue
            }
            let wanted = try open(name, of: version, identity)
            var isSame = false
            if status.kind == csys_kind_regular, status.mode == readers.mode & 0o440, status.gid == readers.gid,
                let found = try system.secret(path, limit: wanted.count)
            {
                isSame = found.isSame(as: wanted)
            }
            if !isSame { report(.secret(source, isThere: true)) }
        }
    }
}

extension System {
    /// A file's content that must not stay in memory; nil if it is larger than `limit` bytes.
    func secret(_ path: AbsolutePath, limit: Int) throws(AgentError) -> SecretBytes? {
        let file = try open(path)
        var result: Int64 = 0
        let content = SecretBytes(upTo: limit + 1) { buffer in
            var count = 0
            repeat {
                result = csys_read(file.descriptor, buffer.baseAddress.map { $0 + count }, limit + 1 - count)
                count += max(0, Int(result))
            } while result > 0 && count <= limit
            return count > limit ? nil : count
        }
        if result < 0 { throw file.failed(.read, result) }
        return content
    }

    /// Mounts memory that the kernel does not write to swap (ramfs), unless it is there. Only root reaches into it by names that it
    /// knows.
    func makeMemory(at path: AbsolutePath) throws(AgentError) {
        try makeDirectories(path, mode: 0o711)
        guard root.isEmpty, let directory = try reach(path), csys_is_ramfs(directory.descriptor) == 0 else { return }
        try pass(.mount, path)
        try check(.mount, path, csys_mount_ramfs(path.text))
        forget()
    }

    func removeMemory(at path: AbsolutePath) throws(AgentError) {
        guard let directory = try reach(path) else { return }
        if csys_is_ramfs(directory.descriptor) == 1 {
            forget()
            try pass(.mount, path)
            try check(.mount, path, csys_unmount(path.text))
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
                secret.withBytes { csys_write(descriptor, $0.baseAddress.map { $0 + written }, count) }
            }
        }
    }
}
