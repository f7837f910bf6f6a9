import CSystem
import Model
import Wire

/// What on the host may be in the way of a deploy. Only looks: so that it can be asked before any host changes, and is
/// asked again when it is this one's turn.
struct Obstacles {
    let system: System
    let preparation: Preparation

    func check() throws(Failure) {
        for (index, step) in preparation.steps.enumerated() {
            do {
                switch (step.action, step.app) {
                case (.link(let path, let source), let app?):
                    _ = try missingDirectories(above: path)
                    _ = try displaced(by: Link(path: path, app: app, source: source))
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
        if let foreign = foreign(at: link.path), try system.found(at: link.path) == foreign { return occupant }
        switch occupant {
        case .symlink(let target) where Layout.isOurs(target): return occupant
        case .file:
            if let file = newFile(link), try system.hash(link.path) == file.id { return occupant }
        default: break
        }
        throw Failure(.occupied(link.path, by: occupant, for: link))
    }

    /// What the link at `path` may displace, although it is not Deptool's.
    func foreign(at path: AbsolutePath) -> Drift.Found? {
        for step in preparation.steps {
            if case .displace(path, let foreign) = step.action { return foreign }
        }
        return nil
    }

    /// The file that a link will show.
    private func newFile(_ link: Link) -> FileEntry? {
        preparation.record.apps.first { $0.name == link.app }?.files.first { $0.path == link.source }
    }
}
