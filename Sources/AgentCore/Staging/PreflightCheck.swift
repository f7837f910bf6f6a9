import CSystem
import Model
import Wire

/// The obstacles found on this host: the first `AgentError.maximumTold`, and the number of further ones.
final class FoundObstacles {
    private(set) var failures: [AgentError] = []
    private(set) var more = 0

    func add(_ failure: AgentError) {
        if failures.count < AgentError.maximumTold { failures.append(failure) } else { more += 1 }
    }
}

/// Checks a host for obstacles to a deploy. It changes nothing, so it can run before any host changes, and again when
/// it is this host's turn.
final class PreflightCheck {
    let system: System
    let preparation: Preparation
    /// The record of the current deploy.
    let old: StoredRecord?

    init(system: System, preparation: Preparation, old: StoredRecord?) {
        self.system = system
        self.preparation = preparation
        self.old = old
    }

    func check(_ found: FoundObstacles) {
        var room = Room(system: system)
        for index in preparation.steps.indices {
            let step = preparation.steps[index]
            do throws(AgentError) {
                // The agent copies files before it replaces them.
                if case .file? = try check(step), let path = step.action.path { try room.take(path, in: Layout.store) }
                if case .place(let path, let source, _, _) = step.action, let app = step.app {
                    try room.take(app.version(preparation.version).appending(source), in: path)
                }
            } catch {
                found.add(AgentError(step: index, error.problem))
            }
        }
        for shortage in room.shortages { found.add(AgentError(shortage)) }
    }

    /// The object that the step replaces or removes.
    private func check(_ step: Step) throws(AgentError) -> Occupant? {
        switch (step.action, step.app) {
        case (.link(let path, let source), let app?):
            _ = try missingDirectories(above: path)
            try checkChangeable(path)
            return try displaced(by: Link(path: path, app: app, source: source))
        case (.place(let path, let source, let access, _), let app?):
            _ = try missingDirectories(above: path)
            try checkChangeable(path)
            // A missing user cannot be compared with an owner.
            try check(access)
            return try displaced(by: PlacedFile(path: path, app: app, source: source, access: access))
        case (.unlink(let path), _):
            if let target = try system.target(of: path), Layout.isOurs(target) { try checkChangeable(path) }
        case (.unplace(let path), _):
            let occupant = try removed(at: path)
            if occupant != nil { try checkChangeable(path) }
            return occupant
        case (.grant(let group), _): try check(group)
        case (.unseal(let count), let app?) where count > 0:
            try BootUnit(system: system, .secrets).check()
            if try system.status(of: Layout.systemdRunning) != nil { try checkChangeable(Layout.secretsUnit) }
            try Secrets(system: system).check(app, app.version(preparation.version), count: count)
        case (.activate, let app?): try check(app)
        case (.remove, let app?): try checkChangeable(app.directory)
        default: break
        }
        return nil
    }

    /// Checks that something can be put at `path`, in place of an existing object: the kernel does not replace a mount point.
    private func checkChangeable(_ path: AbsolutePath) throws(AgentError) {
        var here = path
        while let parent = here.parent {
            if let directory = try system.reach(parent) {
                let code = unsafe csys_hindrance(directory.descriptor, here.name)
                if code != 0 { throw AgentError(.fixed(here, code: Int(code))) }
                return
            }
            here = parent
        }
    }

    /// Checks that the boot unit can be installed. A deploy of files alone works without it where the directory is read-only.
    func checkBootUnit() throws(AgentError) {
        try BootUnit(system: system).check()
        if preparation.needsUnits { try checkChangeable(Layout.bootUnit) }
    }

    /// Checks that a group exists, unless systemd-sysusers may create it.
    func check(_ group: GroupName) throws(AgentError) {
        if !preparation.makesUsers { _ = try system.id(of: group) }
    }

    /// Checks that the owners of a placed file exist, unless systemd-sysusers may create them.
    private func check(_ access: FileAccess) throws(AgentError) {
        if !preparation.makesUsers { _ = try system.attributes(access) }
    }

    /// Checks that nothing else occupies the paths of an app's two links.
    func check(_ app: AppName) throws(AgentError) {
        for link in [app.current, app.previous] where try system.target(of: link) == nil {
            if let occupant = try system.occupant(of: link) { throw AgentError(.occupied(link, by: occupant, for: nil)) }
        }
    }

    /// The missing directories for a link at `path`. Their parent must exist.
    func missingDirectories(above path: AbsolutePath) throws(AgentError) -> [AbsolutePath] {
        guard let parent = path.parent else { return [] }
        let missing = try system.missingDirectories(parent)
        if let existing = missing.isEmpty ? parent : missing[0].parent, try !system.isDirectory(existing) {
            throw AgentError(.occupied(existing, by: try system.occupant(of: existing) ?? .other, for: nil))
        }
        return missing
    }

    /// The object that a link will replace; nil if there is none. A file with the same content, or a symlink to one, is
    /// adopted. Any other foreign object is an error, unless a step may displace it.
    func displaced(by link: Link) throws(AgentError) -> Occupant? { try displaced(by: link, nil) }

    func displaced(by file: PlacedFile) throws(AgentError) -> Occupant? {
        try displaced(by: Link(path: file.path, app: file.app, source: file.source), file.access)
    }

    private func displaced(by link: Link, _ access: FileAccess?) throws(AgentError) -> Occupant? {
        guard let occupant = try system.occupant(of: link.path) else { return nil }
        // A symlink whose target is not text could not be restored.
        if case .symlink(let target) = occupant, target.bytes.contains(0xef), !Layout.isOurs(target) {
            throw AgentError(.occupied(link.path, by: occupant, for: link))
        }
        if let foreign = foreign(at: link.path), try isThere(foreign, at: link.path) { return occupant }
        switch occupant {
        case .symlink(let target) where Layout.isOurs(target): return occupant
        case .file, .symlink:
            let descriptor = unsafe csys_open_target(system.real(nil), link.path.text)
            var isFile = false
            if case .file = occupant { isFile = true }
            if isFile { try system.check(.read, link.path, descriptor) }
            // It leads through something that others can change, or not to a file.
            guard descriptor >= 0 else { break }
            let file = File(descriptor: descriptor, path: link.path, gate: nil)
            let placed = isFile ? old?.record.placedContent(at: link.path) : nil
            // The recorded size of a placed file is not reliable.
            let files =
                placed != nil
                ? []
                : [
                    link.app.version(preparation.version).appending(link.source), link.app.current.appending(link.source),
                ]
            let content = try hash(file, ifAsLargeAs: files)
            if let placed, placed == content { return occupant }
            if let content, content == preparation.record.content(of: link.source, in: link.app) {
                try checkAccess(file, link, access)
                return occupant
            }
            if placed != nil { throw AgentError(.placedChanged(link.path)) }
        default: break
        }
        throw AgentError(.occupied(link.path, by: occupant, for: link))
    }

    /// The hash of a file, if its size equals that of a relevant content, or if those sizes are unknown.
    private func hash(_ file: borrowing File, ifAsLargeAs files: [AbsolutePath]) throws(AgentError) -> ObjectID? {
        let status = try file.status()
        guard status.kind == csys_kind_regular else { return nil }
        var sizes: [UInt64] = []
        for file in files { if let status = try system.status(of: file) { sizes.append(status.size) } }
        guard sizes.contains(status.size) || sizes.isEmpty && status.size <= Drift.maximumHashed else { return nil }
        return try system.hash(file, limit: status.size)
    }

    /// Checks that an adopted file keeps its meaning. `access` belongs to a placed file and is nil for a link.
    private func checkAccess(_ file: borrowing File, _ link: Link, _ access: FileAccess?) throws(AgentError) {
        try checkExtended(file, link.path)
        let found = try file.status().attributes
        var wanted: Drift.Attributes
        if let access {
            wanted = try system.attributes(access)
        } else {
            wanted = try system.attributes(FileAccess(mode: preparation.record.mode(of: link.source, in: link.app)))
            // In a private app, the directories above the file exclude all others.
            for step in preparation.steps where step.app == link.app {
                switch step.action {
                case .checkout(for: .root): wanted.mode &= 0o770
                case .grant(let group): if let id = try? system.id(of: group) { wanted.gid = id }
                default: break
                }
            }
        }
        if found.means(wanted) { return }
        throw AgentError(.otherAccess(link.path, found: try system.access(found), wanted: try system.access(wanted), link))
    }

    /// Rejects metadata beyond the mode that admits others, or gives rights to the users who run the file.
    private func checkExtended(_ file: borrowing File, _ path: AbsolutePath) throws(AgentError) {
        for attribute in try file.extendedAttributes() {
            for name in ["system.posix_acl_access", "security.capability"] where isSameText(attribute.name, name) {
                throw AgentError(.extendedAccess(path, attribute: name))
            }
        }
    }

    private func isThere(_ found: Drift.Found, at path: AbsolutePath) throws(AgentError) -> Bool {
        if case .file(_, let size) = found, try system.status(of: path)?.size != size { return false }
        return try system.found(at: path) == found
    }

    /// The object at the path of a placed file that is to go; nil if the placed file is gone, even if something else is there.
    func removed(at path: AbsolutePath) throws(AgentError) -> Occupant? {
        guard let occupant = try system.occupant(of: path) else { return nil }
        switch occupant {
        case .symlink(let target) where Layout.isOurs(target): return occupant
        case .file:
            if foreign(at: path) != nil { return occupant }
            let content = try hash(system.open(path), ifAsLargeAs: [])
            guard let content, content == old?.record.placedContent(at: path) else {
                throw AgentError(.placedChanged(path))
            }
            return occupant
        default: return nil
        }
    }

    /// The foreign object that the link at `path` may displace.
    func foreign(at path: AbsolutePath) -> Drift.Found? {
        for step in preparation.steps {
            if case .displace(path, let foreign) = step.action { return foreign }
        }
        return nil
    }
}

extension Preparation {
    /// Whether the deploy may create users and groups.
    fileprivate var makesUsers: Bool {
        for step in steps { if case .sysusers = step.action { return true } }
        return false
    }
}

extension Drift.Attributes {
    /// Whether a file with these attributes is equivalent to one with `other`, for users other than root and for execution.
    func means(_ other: Drift.Attributes) -> Bool {
        let difference = mode ^ other.mode
        return difference & 0o6006 == 0 && uid == other.uid && (mode & 0o111 == 0) == (other.mode & 0o111 == 0)
            && (uid == 0 || difference & 0o600 == 0) && ofGroup == other.ofGroup && (ofGroup == 0 || gid == other.gid)
    }

    /// The read and write permissions in which the group differs from all others.
    private var ofGroup: UInt32 { gid == 0 ? 0 : (mode >> 3 ^ mode) & 0o6 }
}

extension Record {
    /// The mode of a file in the app's version.
    fileprivate func mode(of source: RelativePath, in app: AppName) -> UInt32 {
        for deployed in apps where deployed.name == app {
            for file in deployed.files where file.path == source { return file.mode }
        }
        return 0
    }
}

/// The space that files will take, by file system.
private struct Room {
    let system: System
    private var places: [(directory: AbsolutePath, device: UInt64, bytes: UInt64)] = []

    init(system: System) {
        self.system = system
        if let status = (try? system.status(of: Layout.root)) ?? nil { places.append((Layout.root, status.device, 0)) }
    }

    /// Adds a copy of `file`, if it exists, to the nearest existing directory above `path`.
    mutating func take(_ file: AbsolutePath, in path: AbsolutePath) throws(AgentError) {
        guard let size = try system.status(of: file)?.size else { return }
        var directory = path.parent
        while let here = directory {
            var status = csys_stat()
            guard let opened = try system.reach(here), unsafe csys_fstat(opened.descriptor, &status) == 0 else {
                directory = here.parent
                continue
            }
            for index in places.indices where places[index].device == status.device {
                let (sum, isTooMuch) = places[index].bytes.addingReportingOverflow(size)
                return places[index].bytes = isTooMuch ? .max : sum
            }
            return places.append((here, status.device, size))
        }
    }

    var shortages: [Problem] { places.compactMap { system.shortage(in: $0.directory, bytes: $0.bytes, inodes: 0) } }
}
