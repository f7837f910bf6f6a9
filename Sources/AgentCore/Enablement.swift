import CSystem
import Model
import Wire

/// The symlinks that `systemctl enable` makes in `/etc/systemd/system` and the `.wants` and `.requires` directories there.
///
/// It resolves them to the end, so they name the version directory of an app and dangle once that version is gone.
/// Led through `current` they stay right, and a unit has to be enabled again only when its own file changes.
struct Enablement {
    let system: System

    /// The directories that hold such links.
    func directories() throws(Failure) -> [AbsolutePath] {
        var directories = [Layout.unitLinks]
        for name in try system.list(Layout.unitLinks) where name.utf8.ends(with: ".wants") || name.utf8.ends(with: ".requires") {
            if let path = try? RelativePath(name) { directories.append(Layout.unitLinks.appending(path)) }
        }
        return directories
    }

    func leadThroughCurrent() throws(Failure) {
        for directory in try directories() {
            for name in try system.list(directory) {
                guard let path = try? RelativePath(name) else { continue }
                let link = directory.appending(path)
                if let target = try system.target(of: link), let better = throughCurrent(target) {
                    try system.replaceSymlink(link, target: better)
                }
            }
        }
    }

    /// Removes what `leadThroughCurrent` leaves when it is killed.
    func removeUnfinished() throws(Failure) {
        for directory in try directories() { try system.removeIfThere(directory.withSuffix("/any").temporary) }
    }

    /// Removes links to units of apps that are gone: systemd knows nothing of such a unit any more, so it cannot be disabled.
    func removeDangling() throws(Failure) {
        for directory in try directories() {
            for name in try system.list(directory) {
                guard let path = try? RelativePath(name), let target = try system.target(of: directory.appending(path)),
                    let file = try? AbsolutePath(target), file.below(Layout.apps) != nil, try system.status(of: file) == nil
                else { continue }
                try system.remove(directory.appending(path))
            }
        }
    }

    /// The same path through the app's `current`; nil if it does not lead through a version.
    private func throughCurrent(_ target: String) -> String? {
        guard var parts = (try? AbsolutePath(target))?.below(Layout.apps)?.components, parts.count > 2, Version(parts[1]) != nil
        else { return nil }
        parts[1] = "current"
        return Layout.apps.text + "/" + parts.joined(separator: "/")
    }
}
