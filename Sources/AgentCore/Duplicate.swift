import CSystem
import Model
import Wire

extension System {
    /// A copy of a file with its mode, owner, modification time and extended attributes, durable.
    func duplicate(_ source: AbsolutePath, to destination: AbsolutePath) throws(Failure) {
        try removeIfThere(destination)
        let from = try open(source)
        let status = try from.status()
        let to = try create(destination, mode: 0o600)
        try from.read { piece throws(Failure) in try to.write(piece) }
        try to.setOwner(uid: status.uid, gid: status.gid)
        try to.setMode(status.mode)
        for attribute in try from.extendedAttributes() { try to.setExtendedAttribute(attribute) }
        try to.setModificationTime(status.mtime_ns)
        try to.sync()
    }

    /// The blob id of a file's content.
    func hash(_ path: AbsolutePath) throws(Failure) -> ObjectID {
        let file = try open(path)
        var hasher = ObjectHasher(.blob, size: try file.status().size)
        try file.read { hasher.update($0) }
        return hasher.finish()
    }
}
