import CSystem
import Model
import Wire

extension System {
    /// Makes a durable copy of a file with its mode, owner, modification time and extended attributes.
    func duplicate(_ source: AbsolutePath, to destination: AbsolutePath) throws(AgentError) {
        try removeIfThere(destination)
        let from = try open(source)
        let status = try from.status()
        var (size, available): (UInt64, UInt64) = (0, 0)
        // A hole in the file takes no space, but takes it in the copy.
        if let parent = destination.parent, unsafe csys_disk(real(parent), &size, &available) == 0, status.size > available {
            throw AgentError(.write, destination.text, code: Int32(csys_enospc))
        }
        let to = try create(destination, mode: 0o600)
        // A file that grows meanwhile must not fill the disk.
        try unsafe from.read(limit: status.size) { piece throws(AgentError) in try unsafe to.write(piece) }
        try to.setOwner(uid: status.uid, gid: status.gid)
        try to.setMode(status.mode)
        for attribute in try from.extendedAttributes() { try to.setExtendedAttribute(attribute) }
        try to.setModificationTime(status.mtime_ns)
        try to.sync()
    }

    /// The blob id of a file's content. Where others can change the file, `limit` is the size that was seen before.
    func hash(_ path: AbsolutePath, limit: UInt64 = .max) throws(AgentError) -> ObjectID {
        let file = try open(path)
        return try hash(file, limit: limit)
    }

    func hash(_ file: borrowing File, limit: UInt64 = .max) throws(AgentError) -> ObjectID {
        // A file that grows meanwhile must not keep the agent.
        let size = try file.status().size
        if size > limit { throw file.failed(.read, -27) }  // EFBIG
        var hasher = ObjectHasher(.blob, size: size)
        var told = csys_monotonic_ns()
        try unsafe file.read(limit: size) { piece throws(AgentError) in
            unsafe hasher.update(piece)
            if csys_monotonic_ns() - told > 5_000_000_000 {
                told = csys_monotonic_ns()
                pulse?.beat()
            }
        }
        return hasher.finish()
    }
}
