import CSystem
import Model
import Wire

/// An open directory. Operations reach this directory whatever happens to its path.
final class Directory {
    let descriptor: Int32
    /// Whether only root and the user that the agent runs as can change its entries. Elsewhere the agent follows no
    /// symlink, and relies only on results that it got through a descriptor.
    let isOurs: Bool

    init(_ descriptor: Int32, isOurs: Bool) {
        self.descriptor = descriptor
        self.isOurs = isOurs
    }

    deinit { _ = csys_close(descriptor) }

    // Operations on an entry by its name; a negative result is an errno.

    @inline(never) func status(_ name: String, _ status: inout csys_stat) -> Int32 { unsafe csys_lstat_at(descriptor, name, &status) }
    @inline(never) func openToRead(_ name: String) -> Int32 { unsafe csys_open_read_at(descriptor, name) }
    @inline(never) func unlink(_ name: String) -> Int32 { unsafe csys_unlink_at(descriptor, name) }
    @inline(never) func symlink(_ name: String, to target: String) -> Int32 { unsafe csys_symlink_at(target, descriptor, name) }
    @inline(never) func rename(_ name: String, to other: String, _ how: csys_renaming) -> Int32 {
        unsafe csys_rename_at(descriptor, name, descriptor, other, how)
    }

    /// The target of a symlink; nil for anything else.
    @inline(never) func target(_ name: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let length = unsafe csys_readlink_at(descriptor, name, &buffer, buffer.count)
        return length < 0 ? nil : text(buffer[..<Int(length)])
    }
}

extension System {
    /// The directory at `path`, `/` for nil. Walks component by component and follows no symlink that another user of
    /// the host can have created. Nil if there is none.
    @inline(never) func reach(_ path: AbsolutePath?) throws(AgentError) -> Directory? {
        let now = csys_monotonic_ns()
        // The agent creates and copies files one after the other in the same few directories.
        for place in recent where place.path == path && now - place.at < 1_000_000_000 { return place.directory }
        var isOurs = false
        let descriptor = unsafe csys_walk(real(nil), path?.text ?? "", &isOurs)
        if descriptor == -Int32(csys_enoent) || descriptor == -Int32(csys_enotdir) { return nil }
        if descriptor == -Int32(csys_exdev), let path { throw refusal(path) }
        if descriptor < 0 { throw AgentError(.look, path?.text ?? "/", code: -descriptor) }
        let directory = Directory(descriptor, isOurs: isOurs)
        if recent.count >= 4 { recent.removeFirst() }
        recent.append((path, now, directory))
        return directory
    }

    /// The parent directory of `path`, for an operation.
    @inline(never) func holder(of path: AbsolutePath, _ operation: Operation) throws(AgentError) -> Directory {
        guard let directory = try reach(path.parent) else { throw AgentError(operation, path.text, code: Int32(csys_enoent)) }
        return directory
    }

    /// Looks up every directory again from now on: one may have been replaced, and an open one cannot be unmounted.
    @inline(never) func forget() { recent = [] }

    /// The error for the component on the way to a directory that an unrelated user owns.
    private func refusal(_ directory: AbsolutePath) -> AgentError {
        var here = directory
        var isOurs = false
        while let parent = here.parent {
            let descriptor = unsafe csys_walk(real(nil), parent.text, &isOurs)
            if descriptor >= 0 { _ = csys_close(descriptor) }
            guard descriptor == -Int32(csys_exdev) else { break }
            here = parent
        }
        if let occupant = try? occupant(of: here), case .symlink = occupant {
            return AgentError(.occupied(here, by: occupant, for: nil))
        }
        return AgentError(.look, here.text, code: 67)  // ENOLINK, as systemd has it
    }
}

extension System {
    /// Whether an operation failed because of what a user of the host did in a directory of theirs.
    @inline(never) func isUsersDoing(_ failure: AgentError, at path: AbsolutePath) -> Bool { failure.isObstacle && isChangeable(path) }

    /// Whether an ordinary user of the host can change a component on the way to `path`.
    @inline(never) func isChangeable(_ path: AbsolutePath) -> Bool {
        var here = path.parent
        while let place = here {
            do {
                if let directory = try reach(place) { return !directory.isOurs }
            } catch {
                return true
            }
            here = place.parent
        }
        return false
    }
}
