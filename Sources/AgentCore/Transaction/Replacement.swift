import CSystem
import Model
import Wire

/// The expected object at a path, according to an earlier look.
enum Expected {
    /// Anything, for paths where only Deptool creates objects.
    case anything
    case nothing
    /// One of Deptool's symlinks.
    case ours
    case symlink(to: String)
    /// The original of a copy with these attributes.
    case file(csys_stat)
    /// A file with this content.
    case content(Content)
}

/// Changes in places that belong to others. Anyone may act between a check and a change, so the agent checks an object
/// again after it has moved it aside, and puts it back unless it is as expected.
extension System {
    /// Makes `path` a symlink atomically: a reader finds the old object or the link, never nothing.
    @inline(never) func replaceSymlink(_ path: AbsolutePath, target: String, over expected: Expected = .anything) throws(AgentError) {
        try pass(.symlink, path)
        let directory = try holder(of: path, .symlink)
        if case .nothing = expected {
            let result = directory.symlink(path.name, to: target)
            if result == -Int32(csys_eexist) { throw occupied(path) }
            return try check(.symlink, path, result)
        }
        var (aside, result) = ("", -Int32(csys_eexist))
        for _ in 0..<16 where result == -Int32(csys_eexist) {
            aside = path.aside()
            result = directory.symlink(aside, to: target)
        }
        try check(.symlink, path, result)
        try replace(path, by: aside, in: directory, over: expected)
    }

    /// Renames `aside` to `path` in the same directory and removes the old object. If that is not as expected, changes nothing.
    @inline(never) func replace(_ path: AbsolutePath, by aside: String, in directory: Directory, over expected: Expected) throws(AgentError)
    {
        try pass(.rename, path)
        let name = path.name
        var how = csys_rename_exchange
        switch expected {
        case .anything: how = csys_rename_over
        case .nothing: how = csys_rename_exclusive
        default: break
        }
        var result = directory.rename(aside, to: name, how)
        if how == csys_rename_exchange && result == -Int32(csys_enoent) {
            how = csys_rename_exclusive
            result = directory.rename(aside, to: name, how)
        }
        if isUnable(result) {
            // This file system can only rename over the old object, so check before.
            guard holds(.nothing, name, directory) || holds(expected, name, directory) else {
                throw refuse(path, aside, directory)
            }
            how = csys_rename_over
            result = directory.rename(aside, to: name, how)
        }
        if result == -Int32(csys_eexist) { throw refuse(path, aside, directory) }
        try check(.rename, path, result)
        forget()
        guard how == csys_rename_exchange else { return }
        guard holds(expected, aside, directory) else {
            try check(.rename, path, directory.rename(aside, to: name, csys_rename_exchange))
            throw refuse(path, aside, directory)
        }
        try pass(.remove, path)
        try check(.remove, path, directory.unlink(aside))
    }

    /// Gives a file a second name; false if it cannot have one there.
    @inline(never) func link(_ path: AbsolutePath, to name: String, in directory: Directory) throws(AgentError) -> Bool {
        let origin = try holder(of: path, .symlink)
        let result = unsafe csys_link_at(origin.descriptor, path.name, directory.descriptor, name)
        // EPERM: the file system has no hard links.
        if result == -Int32(csys_exdev) || result == -1 { return false }
        try check(.symlink, path, result)
        return true
    }

    /// Removes the object at `path` if it is as expected; otherwise returns false.
    @discardableResult
    @inline(never) func remove(_ path: AbsolutePath, if expected: Expected) throws(AgentError) -> Bool {
        guard let directory = try reach(path.parent), holds(expected, path.name, directory) else { return false }
        try pass(.remove, path)
        var (aside, result) = ("", -Int32(csys_eexist))
        for _ in 0..<16 where result == -Int32(csys_eexist) {
            aside = path.aside()
            result = directory.rename(path.name, to: aside, csys_rename_exclusive)
        }
        forget()
        if isUnable(result) {
            aside = path.name
        } else {
            try check(.remove, path, result)
            guard holds(expected, aside, directory) else {
                try check(.rename, path, directory.rename(aside, to: path.name, csys_rename_exclusive))
                return false
            }
        }
        try check(.remove, path, directory.unlink(aside))
        return true
    }

    /// Whether the file system or the kernel cannot rename without replacing: EINVAL, ENOSYS.
    @inline(never) private func isUnable(_ result: Int32) -> Bool { result == -Int32(csys_einval) || result == -38 }

    @inline(never) private func refuse(_ path: AbsolutePath, _ aside: String, _ directory: Directory) -> AgentError {
        _ = directory.unlink(aside)
        return occupied(path)
    }

    @inline(never) private func occupied(_ path: AbsolutePath) -> AgentError {
        AgentError(.occupied(path, by: ((try? occupant(of: path)) ?? nil) ?? .other, for: nil))
    }

    /// Whether the object with this name is as expected. If it cannot be examined, it is not.
    @inline(never) private func holds(_ expected: Expected, _ name: String, _ directory: Directory) -> Bool {
        var status = csys_stat()
        let result = directory.status(name, &status)
        switch expected {
        case .anything: return true
        case .nothing: return result == -Int32(csys_enoent)
        case .ours: return result == 0 && Layout.isOurs(directory.target(name) ?? "")
        case .symlink(let target): return result == 0 && isSameText(directory.target(name) ?? "", target)
        case .file(let was):
            // A file system may store only whole seconds.
            let isSameTime =
                was.mtime_ns % 1_000_000_000 == 0
                ? was.mtime_ns == status.mtime_ns / 1_000_000_000 * 1_000_000_000 : was.mtime_ns == status.mtime_ns
            return result == 0 && status.kind == csys_kind_regular && status.size == was.size && isSameTime
                && status.mode == was.mode && status.uid == was.uid && status.gid == was.gid
        case .content(let content):
            guard result == 0, status.kind == csys_kind_regular, content.canHave(status.size) else { return false }
            let descriptor = directory.openToRead(name)
            guard descriptor >= 0 else { return false }
            return (try? hash(File(descriptor: descriptor, path: Layout.undo, gate: nil), limit: status.size)) == content.id
        }
    }

    @inline(never) private func isSame(_ name: String, as other: String, in directory: Directory) -> Bool {
        if let target = directory.target(name) { return holds(.symlink(to: target), other, directory) }
        var status = csys_stat()
        return directory.status(name, &status) == 0 && holds(.file(status), other, directory)
    }

    // MARK: After an interruption

    /// Cleans up after an interrupted replacement of one of these paths, given with the contents of the new files: puts
    /// back the objects that were moved aside, and removes their replacements.
    func settle(_ paths: [(path: AbsolutePath, content: Content?)]) throws(AgentError) {
        var places: [AbsolutePath: Int] = [:]
        var parents: [AbsolutePath: Int] = [:]
        for index in paths.indices {
            let path = paths[index].path
            places[path.sibling(name: path.asidePrefix)] = index
            if let parent = path.parent { parents[parent] = index }
        }
        for parent in parents.keys {
            for name in try list(parent) where begins(name, AbsolutePath.asideMark) {
                // Left by an agent of version 1.
                let isOld = isSameText(name, AbsolutePath.asideMark + "new")
                let prefix = text(name.bytes.prefix(AbsolutePath.asideMark.utf8.count + 11))
                let place = places[parent.appending(name: prefix)]
                guard let directory = try reach(parent) else { continue }
                let isDraft = place != nil && begins(text(name.bytes.dropFirst(prefix.utf8.count)), "new")
                if isDraft || (isOld || place != nil) && holds(.ours, name, directory) {
                    try check(.remove, parent, directory.unlink(name))
                } else if let place {
                    try settle(paths[place].path, name, directory, content: paths[place].content)
                }
            }
        }
    }

    /// Removes symlinks that were to replace others, in a directory of root's: all, or those to `target`.
    func removeAsides(in directory: AbsolutePath, to target: AbsolutePath? = nil) throws(AgentError) {
        for name in try list(directory) where begins(name, AbsolutePath.asideMark) {
            let path = directory.appending(name: name)
            if let there = try self.target(of: path), isSameText(target?.text ?? there, there) { try remove(path) }
        }
    }

    @inline(never) private func settle(_ path: AbsolutePath, _ aside: String, _ directory: Directory, content: Content?) throws(AgentError)
    {
        func isNew(_ name: String) -> Bool {
            if holds(.ours, name, directory) { return true }
            guard let content else { return false }
            return holds(.content(content), name, directory)
        }
        if isNew(path.name) {
            try check(.rename, path, directory.rename(aside, to: path.name, csys_rename_exchange))
        } else if !isNew(aside) {
            let result = directory.rename(aside, to: path.name, csys_rename_exclusive)
            // A copy of it may be back already. If there is another object, this one stays beside it.
            guard result == -Int32(csys_eexist), isSame(path.name, as: aside, in: directory) else { return }
        }
        try check(.remove, path, directory.unlink(aside))
    }
}

extension AbsolutePath {
    static var asideMark: String { ".deptool-" }

    /// The prefix of names beside this path, for objects that are to replace it or that it has replaced.
    var asidePrefix: String { Self.asideMark + ObjectID.of(.blob, name.bytes).short + "-" }

    /// Such a name for an incomplete file.
    func draft() -> String { aside("new") }

    /// A temporary name that others cannot predict and occupy.
    @inline(never) func aside(_ infix: String = "") -> String {
        unsafe asidePrefix + infix
            + hex(
                [UInt8](unsafeUninitializedCapacity: 4) {
                    unsafe csys_random($0.baseAddress, 4)
                    $1 = 4
                })
    }
}

/// A journal's entries for the paths of links and placed files.
struct NotedPaths {
    private let priors: [Journal.Prior]
    private var places: [AbsolutePath: Int] = [:]

    init(_ journal: Journal) {
        priors = journal.priors
        for index in priors.indices {
            switch priors[index] {
            case .path(let path, _), .placed(let path, _, _): places[path] = index
            default: break
            }
        }
    }

    /// The object that must still be at a path, as found before the first step.
    @inline(never) func expected(_ path: AbsolutePath, _ system: System) throws(AgentError) -> Expected {
        guard let place = places[path] else { return .ours }
        switch priors[place] {
        case .path(_, let was), .placed(_, let was, _):
            switch was {
            case .nothing: return .nothing
            case .symlink(let target): return Layout.isOurs(target) ? .ours : .symlink(to: target)
            case .file(let copy), .kept(let copy): if let status = try system.status(of: Journal.copy(copy)) { return .file(status) }
            }
        default: break
        }
        return .ours
    }
}
