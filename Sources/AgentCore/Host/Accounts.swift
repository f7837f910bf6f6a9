import CSystem
import Model
import Wire

extension System {
    /// The number of a group in `/etc/group` (group(5)).
    func id(of group: GroupName) throws(AgentError) -> UInt32 {
        guard let id = try id(of: group.text, in: Layout.groups) else { throw AgentError(.noGroup(group)) }
        return id
    }

    /// The number of a user in `/etc/passwd` (passwd(5)).
    func id(of user: UserName) throws(AgentError) -> UInt32 {
        guard let id = try id(of: user.text, in: Layout.users) else { throw AgentError(.noUser(user)) }
        return id
    }

    /// The number of a name; nil if there is none, or if it cannot be parsed.
    private func id(of name: String, in file: AbsolutePath) throws(AgentError) -> UInt32? {
        // To chown(2), the highest number means "leave unchanged".
        guard let text = try field(2, where: 0, is: name, in: file), let id = decimal(text.bytes[...]), 0..<Int64(UInt32.max) ~= id else {
            return nil
        }
        return UInt32(id)
    }

    /// A field of the first line in which another field has this value.
    private func field(_ index: Int, where other: Int, is value: String, in file: AbsolutePath) throws(AgentError) -> String? {
        for line in pieces((try contents(of: file, limit: 16 << 20) ?? [])[...], at: 10) {
            let fields = pieces(line, at: UInt8(ascii: ":"), maximum: 4, withEmpty: true)
            if fields.count == 4, isSameText(text(fields[other]), value) { return text(fields[index]) }
        }
        return nil
    }

    /// The same attributes with names, or with numbers that have no name.
    func access(_ attributes: Drift.Attributes) throws(AgentError) -> FileAccess {
        var access = FileAccess(mode: attributes.mode)
        let (user, group) = (String(attributes.uid), String(attributes.gid))
        if attributes.uid != 0 {
            access.owner = UserName(try field(0, where: 2, is: user, in: Layout.users) ?? user) ?? UserName(user)
        }
        if attributes.gid != 0 {
            access.group = GroupName(try field(0, where: 2, is: group, in: Layout.groups) ?? group) ?? GroupName(group)
        }
        return access
    }

    /// The attributes of a placed file. Only root runs agents, except in tests.
    func attributes(_ access: FileAccess) throws(AgentError) -> Drift.Attributes {
        var attributes = Drift.Attributes(
            mode: access.mode, uid: UInt32(truncatingIfNeeded: csys_getuid()), gid: UInt32(truncatingIfNeeded: csys_getgid()))
        if let owner = access.owner { attributes.uid = try id(of: owner) }
        if let group = access.group { attributes.gid = try id(of: group) }
        return attributes
    }

    /// Lets only root and perhaps a group read a directory or file. At no moment does the mode admit anyone else.
    func setReaders(_ path: AbsolutePath, gid: UInt32, mode: UInt32) throws(AgentError) {
        guard try status(of: path) != nil else { return }
        let file = try open(path)
        let status = try file.status()
        guard status.mode != mode || status.gid != gid else { return }
        try file.setMode(status.mode & mode & 0o700)
        try file.setOwner(uid: status.uid, gid: gid)
        try file.setMode(mode)
    }
}
