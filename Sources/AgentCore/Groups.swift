import CSystem
import Model
import Wire

extension System {
    /// The number of a group, as `/etc/group` has it (group(5)).
    func id(of group: GroupName) throws(Failure) -> UInt32 {
        let name = Array(group.text.utf8)
        for line in try contents(of: Layout.groups, limit: 16 << 20)?.split(separator: 10) ?? [] {
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 3, omittingEmptySubsequences: false)
            guard fields.count == 4, fields[0].elementsEqual(name) else { continue }
            // The last of all numbers means "leave it as it is" to chown(2).
            if let id = Int(String(decoding: fields[2], as: UTF8.self)), 0..<Int(UInt32.max) ~= id { return UInt32(id) }
            break
        }
        throw Failure(.noGroup(group))
    }

    /// Lets root and perhaps a group into a directory. At no moment does the mode let anybody in who is not meant.
    func setReaders(_ directory: AbsolutePath, gid: UInt32, mode: UInt32) throws(Failure) {
        guard try status(of: directory) != nil else { return }
        let directory = try open(directory)
        let status = try directory.status()
        guard status.mode != mode || status.gid != gid else { return }
        try directory.setMode(status.mode & mode & 0o700)
        try directory.setOwner(uid: status.uid, gid: gid)
        try directory.setMode(mode)
    }
}
