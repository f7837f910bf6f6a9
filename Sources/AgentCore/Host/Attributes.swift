import CSystem
import Model
import Wire

/// An extended attribute of a file (xattr(7)), such as an access control list or a security label.
package struct ExtendedAttribute: Hashable, Sendable {
    package var name: String
    package var value: [UInt8]
}

extension System {
    /// Sets the mode of the file or directory at `path`.
    func setMode(_ path: AbsolutePath, _ mode: UInt32) throws(AgentError) { try open(path).setMode(mode) }

    func setOwner(_ path: AbsolutePath, uid: UInt32, gid: UInt32) throws(AgentError) { try open(path).setOwner(uid: uid, gid: gid) }
}

extension File {
    func setMode(_ mode: UInt32) throws(AgentError) { try set { csys_fchmod($0, mode) } }

    func setOwner(uid: UInt32, gid: UInt32) throws(AgentError) { try set { csys_fchown($0, uid, gid) } }

    func setModificationTime(_ nanoseconds: Int64) throws(AgentError) { try set { csys_fset_mtime($0, nanoseconds) } }

    func setExtendedAttribute(_ attribute: ExtendedAttribute) throws(AgentError) {
        try set { unsafe csys_fsetxattr($0, attribute.name, attribute.value, attribute.value.count) }
    }

    private func set(_ call: (Int32) -> Int32) throws(AgentError) {
        try pass(.setAttributes)
        let result = call(descriptor)
        if result < 0 { throw failed(.setAttributes, Int64(result)) }
    }

    /// All extended attributes; empty if the file system supports none.
    func extendedAttributes() throws(AgentError) -> [ExtendedAttribute] {
        var names = [UInt8](repeating: 0, count: 65536)
        let length = unsafe csys_flistxattr(descriptor, &names, names.count)
        if length < 0 { throw failed(.read, length) }
        var attributes: [ExtendedAttribute] = []
        for name in pieces(names[..<Int(length)], at: 0) {
            let name = text(name)
            var value = [UInt8](repeating: 0, count: 65536)
            let size = unsafe csys_fgetxattr(descriptor, name, &value, value.count)
            if size < 0 { throw failed(.read, size) }
            attributes.append(ExtendedAttribute(name: name, value: Array(value[..<Int(size)])))
        }
        return attributes
    }
}
