import CSystem
import Model
import Wire

/// The links that enable units: symlinks in `/etc/systemd/system`, in its `.wants`, `.requires` and `.upholds`
/// directories, and in the `rcN.d` directories of System V scripts. systemctl(1) creates and removes them as the
/// `[Install]` sections specify. The agent notes their prior state, which a rollback restores and `verify` compares.
/// systemd's own answer may come from its memory.
package struct EnabledLinks {
    let system: System

    /// All links that enable units.
    package struct Snapshot: Hashable, Sendable {
        var directories: [AbsolutePath]
        var links: [Symlink]
    }

    struct Symlink: Hashable, Sendable {
        var path: AbsolutePath
        var target: String

        static func == (a: Self, b: Self) -> Bool { a.path == b.path && isSameText(a.target, b.target) }
    }

    /// The directories that hold such links.
    func directories() throws(AgentError) -> [AbsolutePath] {
        var directories: [AbsolutePath] = []
        if try system.isDirectory(Layout.unitLinks) { directories.append(Layout.unitLinks) }
        for name in try system.list(Layout.unitLinks) {
            guard [".wants", ".requires", ".upholds"].contains(where: { ends(name, $0) }), let path = try? RelativePath(name),
                case let directory = Layout.unitLinks.appending(path), try system.status(of: directory)?.kind == csys_kind_directory
            else { continue }
            directories.append(directory)
        }
        for directory in Layout.runlevels where try system.status(of: directory)?.kind == csys_kind_directory {
            directories.append(directory)
        }
        return directories
    }

    func snapshot() throws(AgentError) -> Snapshot {
        var snapshot = Snapshot(directories: try directories(), links: [])
        for directory in snapshot.directories {
            for name in try system.list(directory) {
                // Those of Deptool's own units come and go as it needs them.
                guard !begins(name, Layout.unitPrefix), let name = try? RelativePath(name), case let path = directory.appending(name),
                    let target = try system.target(of: path)
                else { continue }
                snapshot.links.append(Symlink(path: path, target: target))
            }
        }
        return snapshot
    }

    /// Restores the links. Removes directories that were made for newer links, if they are empty.
    func restore(_ old: Snapshot) throws(AgentError) {
        let now = try snapshot()
        for link in now.links where !old.links.contains(where: { $0.path == link.path }) { try system.remove(link.path) }
        for directory in now.directories where !old.directories.contains(directory) { try system.removeDirectory(directory) }
        try restore(old.links)
    }

    /// Creates these links where there is nothing, or another symlink.
    func restore(_ links: [Symlink]) throws(AgentError) {
        for link in links {
            switch try system.occupant(of: link.path) {
            case .symlink(let target) where isSameText(target, link.target): continue
            case nil, .symlink:
                if let parent = link.path.parent { try system.makeDirectories(parent, mode: 0o755) }
                try system.replaceSymlink(link.path, target: link.target)
            // Someone has replaced the link.
            case .file, .directory, .other: continue
            }
        }
    }
}

/// A symlink that existed after a unit was enabled.
struct EnabledLink: Hashable, Sendable {
    /// The enabled unit. The link may be that of another unit, named by its `Also=`.
    var unit: UnitName
    var link: EnabledLinks.Symlink
}

extension EnabledLinks.Symlink {
    /// Whether the link enables this unit: by its own name or, like an alias, by that of its target. Among the unit
    /// files, a link with the unit's own name is the unit, or masks it.
    func enables(_ unit: UnitName) -> Bool {
        if isSameText(path.name, unit.text) { return path.parent != Layout.unitLinks }
        return ends(target, "/" + unit.text)
    }
}

extension EnabledLinks.Symlink: WireCodable {
    func encode(to writer: inout ByteWriter) {
        path.encode(to: &writer)
        writer.text(target)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        path = try AbsolutePath(from: &reader)
        target = try reader.text()
    }
}

extension EnabledLink: WireCodable {
    func encode(to writer: inout ByteWriter) {
        unit.encode(to: &writer)
        link.encode(to: &writer)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        unit = try UnitName(from: &reader)
        link = try EnabledLinks.Symlink(from: &reader)
    }
}

extension EnabledLinks.Snapshot: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        writer.list(directories)
        writer.list(links)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        directories = try reader.list(of: AbsolutePath.self)
        links = try reader.list(of: EnabledLinks.Symlink.self)
    }
}
