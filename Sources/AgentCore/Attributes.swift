import CSystem
import Model
import Wire

/// An extended attribute of a file (xattr(7)), such as an access control list or a security label.
public struct ExtendedAttribute: Hashable, Sendable {
    public var name: String
    public var value: [UInt8]
}

extension System {
    func setMode(_ path: AbsolutePath, _ mode: UInt32) throws(Failure) {
        try pass(.setAttributes, path)
        try check(.setAttributes, path, csys_chmod(real(path), mode))
    }

    func setOwner(_ path: AbsolutePath, uid: UInt32, gid: UInt32) throws(Failure) {
        try pass(.setAttributes, path)
        try check(.setAttributes, path, csys_lchown(real(path), uid, gid))
    }

    func setModificationTime(_ path: AbsolutePath, _ nanoseconds: Int64) throws(Failure) {
        try pass(.setAttributes, path)
        try check(.setAttributes, path, csys_set_mtime(real(path), nanoseconds))
    }

    func setExtendedAttribute(_ path: AbsolutePath, _ attribute: ExtendedAttribute) throws(Failure) {
        try pass(.setAttributes, path)
        try check(
            .setAttributes, path, csys_setxattr(real(path), attribute.name, attribute.value, attribute.value.count))
    }

    /// All extended attributes of what is at `path`; none where the file system has none.
    func extendedAttributes(of path: AbsolutePath) throws(Failure) -> [ExtendedAttribute] {
        var names = [CChar](repeating: 0, count: 65536)
        let length = csys_listxattr(real(path), &names, names.count)
        try check(.read, path, length)
        var attributes: [ExtendedAttribute] = []
        for name in names[..<Int(length)].split(separator: 0) {
            let text = String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            var value = [UInt8](repeating: 0, count: 65536)
            let size = csys_getxattr(real(path), text, &value, value.count)
            try check(.read, path, size)
            attributes.append(ExtendedAttribute(name: text, value: Array(value[..<Int(size)])))
        }
        return attributes
    }
}
