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

/// What on the host may be in the way of a deploy. Only looks: so that it can be asked before any host changes, and is
/// asked again when it is this one's turn.
struct PreflightCheck {
    let system: System
    let preparation: Preparation
    /// What is deployed so far.
    let old: Record?

    func check(_ found: FoundObstacles) {
        var room = Room(system: system)
        for (index, step) in preparation.steps.enumerated() {
            do throws(AgentError) {
                // Files are copied before they are replaced.
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

    /// What the step replaces or removes.
    private func check(_ step: Step) throws(AgentError) -> Occupant? {
        switch (step.action, step.app) {
        case (.link(let path, let source), let app?):
            _ = try missingDirectories(above: path)
            try checkChangeable(path)
            return try displaced(by: Link(path: path, app: app, source: source))
        case (.place(let path, let source, let access, _), let app?):
            _ = try missingDirectories(above: path)
            try checkChangeable(path)
            // Who is not there cannot be compared with an owner.
            try check(access)
            return try displaced(by: PlacedFile(path: path, app: app, source: source, access: access))
        case (.unlink(let path), _):
            if let target = try system.target(of: path), Layout.isOurs(target) { try checkChangeable(path) }
        case (.unplace(let path), _):
            let occupant = try removed(at: path)
            if occupant != nil { try checkChangeable(path) }
            return occupant
        case (.grant(let group), _): try check(group)
        case (.activate, let app?): try check(app)
        case (.remove, let app?): try checkChangeable(app.directory)
        default: break
        }
        return nil
    }

    /// Whether something can be put at `path`, in the place of what is there: the kernel lets nobody replace a mount point.
    private func checkChangeable(_ path: AbsolutePath) throws(AgentError) {
        var here = path
        while let parent = here.parent {
            if let directory = try system.reach(parent) {
                let code = csys_hindrance(directory.descriptor, here.name)
                if code != 0 { throw AgentError(.fixed(here, code: Int(code))) }
                return
            }
            here = parent
        }
    }

    /// The unit for the boot can be put where it belongs. Files alone do without, where nothing can be written there.
    func checkBootUnit() throws(AgentError) {
        try BootUnit(system: system).check()
        if preparation.needsUnits { try checkChangeable(Layout.bootUnit) }
    }

    /// A group has to be there, unless systemd-sysusers may make it.
    func check(_ group: GroupName) throws(AgentError) {
        if !preparation.makesUsers { _ = try system.id(of: group) }
    }

    /// The owners of a placed file have to be there, unless systemd-sysusers may make them.
    private func check(_ access: FileAccess) throws(AgentError) {
        if !preparation.makesUsers { _ = try system.attributes(access) }
    }

    /// Where an app's two links are, there may be nothing else.
    func check(_ app: AppName) throws(AgentError) {
        for link in [app.current, app.previous] where try system.target(of: link) == nil {
            if let occupant = try system.occupant(of: link) { throw AgentError(.occupied(link, by: occupant, for: nil)) }
        }
    }

    /// The directories that a link at `path` takes; the one that holds them has to be there.
    func missingDirectories(above path: AbsolutePath) throws(AgentError) -> [AbsolutePath] {
        guard let parent = path.parent else { return [] }
        let missing = try system.missingDirectories(parent)
        if let existing = missing.isEmpty ? parent : missing[0].parent, try !system.isDirectory(existing) {
            throw AgentError(.occupied(existing, by: try system.occupant(of: existing) ?? .other, for: nil))
        }
        return missing
    }

    /// What a link will take the place of; nil for nothing. A file with the same content is adopted, and so is a symlink to
    /// one; anything else that is not ours is an error, unless it is what a step allows it to displace.
    func displaced(by link: Link) throws(AgentError) -> Occupant? { try displaced(by: link, nil) }

    func displaced(by file: PlacedFile) throws(AgentError) -> Occupant? {
        try displaced(by: Link(path: file.path, app: file.app, source: file.source), file.access)
    }

    private func displaced(by link: Link, _ access: FileAccess?) throws(AgentError) -> Occupant? {
        guard let occupant = try system.occupant(of: link.path) else { return nil }
        if let foreign = foreign(at: link.path), try isThere(foreign, at: link.path) { return occupant }
        switch occupant {
        case .symlink(let target) where Layout.isOurs(target): return occupant
        case .file, .symlink:
            // Nobody could make a symlink anew whose target is no text.
            if case .symlink(let target) = occupant, target.utf8.contains(0xef) { break }
            let descriptor = csys_open_target(system.real(nil), link.path.text)
            var isFile = false
            if case .file = occupant { isFile = true }
            if isFile { try system.check(.read, link.path, descriptor) }
            // Where it leads through what somebody else can change, or to no file.
            guard descriptor >= 0 else { break }
            let file = File(descriptor: descriptor, path: link.path, gate: nil)
            let placed = isFile ? old?.placedContent(at: link.path) : nil
            // How large a placed file was is not known for sure.
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

    /// The hash of a file if it is as large as one of those with the contents that matter, or nobody knows how large those are.
    private func hash(_ file: borrowing File, ifAsLargeAs files: [AbsolutePath]) throws(AgentError) -> ObjectID? {
        let status = try file.status()
        guard status.kind == csys_kind_regular else { return nil }
        var sizes: [UInt64] = []
        for file in files { if let status = try system.status(of: file) { sizes.append(status.size) } }
        guard sizes.contains(status.size) || sizes.isEmpty && status.size <= Drift.maximumHashed else { return nil }
        return try system.hash(file)
    }

    /// Whether a file that is adopted still means what it meant: `access` is that of a placed file, nil for a link.
    private func checkAccess(_ file: borrowing File, _ link: Link, _ access: FileAccess?) throws(AgentError) {
        try checkExtended(file, link.path)
        let found = try file.status().attributes
        var wanted: Drift.Attributes
        if let access {
            wanted = try system.attributes(access)
        } else {
            wanted = try system.attributes(FileAccess(mode: preparation.record.mode(of: link.source, in: link.app)))
            // What is above the file in a private app lets nobody else in.
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

    /// What is no mode, and lets others in, or gives rights to who runs it.
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

    /// What is at the path of a placed file that goes; nil when nothing of it is there, but perhaps something else.
    func removed(at path: AbsolutePath) throws(AgentError) -> Occupant? {
        guard let occupant = try system.occupant(of: path) else { return nil }
        switch occupant {
        case .symlink(let target) where Layout.isOurs(target): return occupant
        case .file:
            if foreign(at: path) != nil { return occupant }
            let content = try hash(system.open(path), ifAsLargeAs: [])
            guard let content, content == old?.placedContent(at: path) else {
                throw AgentError(.placedChanged(path))
            }
            return occupant
        default: return nil
        }
    }

    /// What the link at `path` may displace, although it is not Deptool's.
    func foreign(at path: AbsolutePath) -> Drift.Found? {
        for step in preparation.steps {
            if case .displace(path, let foreign) = step.action { return foreign }
        }
        return nil
    }
}

extension Preparation {
    /// Whether users and groups may come with it.
    fileprivate var makesUsers: Bool {
        for step in steps { if case .sysusers = step.action { return true } }
        return false
    }
}

extension Drift.Attributes {
    /// Whether a file with these attributes can be used as one with `other`, by whom else than root, and whether it can be run.
    func means(_ other: Drift.Attributes) -> Bool {
        let difference = mode ^ other.mode
        return difference & 0o6006 == 0 && uid == other.uid && (mode & 0o111 == 0) == (other.mode & 0o111 == 0)
            && (uid == 0 || difference & 0o600 == 0) && ofGroup == other.ofGroup && (ofGroup == 0 || gid == other.gid)
    }

    /// In what the rights of the group to read and write are not those of all others.
    private var ofGroup: UInt32 { gid == 0 ? 0 : (mode >> 3 ^ mode) & 0o6 }
}

extension Record {
    /// Of a file in the app's version.
    fileprivate func mode(of source: RelativePath, in app: AppName) -> UInt32 {
        for deployed in apps where deployed.name == app {
            for file in deployed.files where file.path == source { return file.mode }
        }
        return 0
    }
}

/// How much room files will take, by the file system that they come to.
private struct Room {
    let system: System
    private var places: [(directory: AbsolutePath, device: UInt64, bytes: UInt64)] = []

    init(system: System) {
        self.system = system
        if let status = (try? system.status(of: Layout.root)) ?? nil { places.append((Layout.root, status.device, 0)) }
    }

    /// Notes a copy of `file`, if that is there, in the nearest directory above `path` that is.
    mutating func take(_ file: AbsolutePath, in path: AbsolutePath) throws(AgentError) {
        guard let size = try system.status(of: file)?.size else { return }
        var directory = path.parent
        while let here = directory {
            guard let status = try system.status(of: here) else {
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
