import CSystem
import Model
import Wire

/// What on the host may be in the way of a deploy. Only looks: so that it can be asked before any host changes, and is
/// asked again when it is this one's turn.
struct Obstacles {
    let system: System
    let preparation: Preparation
    /// What is deployed so far.
    let old: Record?

    func check() throws(Failure) {
        for (index, step) in preparation.steps.enumerated() {
            do {
                switch (step.action, step.app) {
                case (.link(let path, let source), let app?):
                    _ = try missingDirectories(above: path)
                    _ = try displaced(by: Link(path: path, app: app, source: source))
                case (.place(let path, let source, let access, _), let app?):
                    _ = try missingDirectories(above: path)
                    _ = try displaced(by: PlacedFile(path: path, app: app, source: source, access: access))
                    try check(access)
                case (.unplace(let path), _): _ = try removed(at: path)
                case (.grant(let group), _): try check(group)
                case (.activate, let app?): try check(app)
                default: break
                }
            } catch {
                throw Failure(step: index, error.problem)
            }
        }
    }

    /// A group has to be there, unless systemd-sysusers may make it.
    func check(_ group: GroupName) throws(Failure) {
        if !preparation.steps.contains(where: { $0.action == .sysusers }) { _ = try system.id(of: group) }
    }

    /// The owners of a placed file have to be there, unless systemd-sysusers may make them.
    private func check(_ access: FileAccess) throws(Failure) {
        if !preparation.steps.contains(where: { $0.action == .sysusers }) { _ = try system.attributes(access) }
    }

    /// Where an app's two links are, there may be nothing else.
    func check(_ app: AppName) throws(Failure) {
        for link in [app.current, app.previous] where try system.target(of: link) == nil {
            if let occupant = try system.occupant(of: link) { throw Failure(.occupied(link, by: occupant, for: nil)) }
        }
    }

    /// The directories that a link at `path` takes; the one that holds them has to be there.
    func missingDirectories(above path: AbsolutePath) throws(Failure) -> [AbsolutePath] {
        guard let parent = path.parent else { return [] }
        let missing = try system.missingDirectories(parent)
        if let existing = missing.isEmpty ? parent : missing[0].parent, try !system.isDirectory(existing) {
            throw Failure(.occupied(existing, by: try system.occupant(of: existing) ?? .other, for: nil))
        }
        return missing
    }

    /// What a link will take the place of; nil for nothing. A file with the same content is adopted; anything else that is
    /// not ours is an error, unless it is what a step allows it to displace.
    func displaced(by link: Link) throws(Failure) -> Occupant? {
        guard let occupant = try system.occupant(of: link.path) else { return nil }
        if let foreign = foreign(at: link.path), try isThere(foreign, at: link.path) { return occupant }
        switch occupant {
        case .symlink(let target) where Layout.isOurs(target): return occupant
        case .file:
            let new = link.app.version(preparation.version).appending(link.source)
            var files = [new, link.app.current.appending(link.source)]
            if let file = old?.placed.first(where: { $0.path == link.path }) { files.append(file.app.current.appending(file.source)) }
            let content = try hash(link.path, ifAsLargeAs: files)
            if content == preparation.record.content(of: link.source, in: link.app) { return occupant }
            if let placed = old?.placedContent(at: link.path) {
                if placed == content { return occupant }
                throw Failure(.placedChanged(link.path))
            }
        default: break
        }
        throw Failure(.occupied(link.path, by: occupant, for: link))
    }

    /// The hash of a file if it is as large as one of those with the contents that matter, or nobody knows how large those are.
    private func hash(_ path: AbsolutePath, ifAsLargeAs files: [AbsolutePath]) throws(Failure) -> ObjectID? {
        let size = try system.status(of: path)?.size ?? 0
        var sizes: [UInt64] = []
        for file in files { if let status = try system.status(of: file) { sizes.append(status.size) } }
        guard sizes.contains(size) || sizes.isEmpty && size <= Drift.largestHashed else { return nil }
        return try system.hash(path)
    }

    private func isThere(_ found: Drift.Found, at path: AbsolutePath) throws(Failure) -> Bool {
        if case .file(_, let size) = found, try system.status(of: path)?.size != size { return false }
        return try system.found(at: path) == found
    }

    func displaced(by file: PlacedFile) throws(Failure) -> Occupant? {
        try displaced(by: Link(path: file.path, app: file.app, source: file.source))
    }

    /// What is at the path of a placed file that goes; nil when nothing of it is there, but perhaps something else.
    func removed(at path: AbsolutePath) throws(Failure) -> Occupant? {
        guard let occupant = try system.occupant(of: path) else { return nil }
        switch occupant {
        case .symlink(let target) where Layout.isOurs(target): return occupant
        case .file:
            if foreign(at: path) == nil, try system.hash(path) != old?.placedContent(at: path) { throw Failure(.placedChanged(path)) }
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
