import CSystem
import Foundation
import Model
import Testing
import Wire

@testable import AgentCore

/// Files, and symlinks to files, that are there already with the content that a deploy brings.
@Suite struct AdoptionTests {
    private func app(_ links: [String: String] = ["/etc/a": "a"], executable: Bool = false) -> Wanted {
        Wanted(["dns": .init(["a": .init("one", executable: executable), "b": .init("b")], links: links)])
    }

    private let other = Wanted(["other": .init(["x": .init("x")])])

    /// Deploys to a host with Deptool's own directories, and returns the obstacles; the host must stay unchanged.
    private func obstacles(_ host: TestHost, _ wanted: Wanted) throws -> [Problem] {
        if !host.exists("/var/lib/deptool/store/record") { try host.deploy(other, 1) }
        let before = try host.listing()
        var both = wanted
        both.apps["other"] = other.apps["other"]
        switch try host.deploy(Plan(from: (other, 1), to: both, 2)) {
        case .refused(let failure):
            try host.expect(unchangedSince: before)
            return [failure.problem]
        case .obstructed(let failures, _):
            try host.expect(unchangedSince: before)
            return failures.map(\.problem)
        case .finished(.deployed):
            try host.expect(running: both, 2)
            return []
        case let ending:
            Issue.record("\(ending)")
            return []
        }
    }

    // MARK: Modes and owners

    /// The access that a user has to a file. Root may always read and write, and can run a file that anybody can run.
    private func rights(_ file: Drift.Attributes, uid: UInt32, group: UInt32?) -> UInt32 {
        file.uid == uid ? file.mode >> 6 & 6 : file.gid == group ? file.mode >> 3 & 6 : file.mode & 6
    }

    @Test(
        arguments: [(0o444, 0, 0), (0o555, 0, 0), (0o440, 0, 0), (0o440, 0, 5), (0o4755, 0, 0), (0o640, 0, 5), (0o400, 5, 5)]
            as [(UInt32, UInt32, UInt32)])
    func `two modes are equivalent when they give everybody the same access`(mode: UInt32, uid: UInt32, gid: UInt32) {
        let wanted = Drift.Attributes(mode: mode, uid: uid, gid: gid)
        for mode in UInt32(0)...0o7777 {
            for (uid, gid) in [(0, 0), (0, 5), (5, 0), (5, 5)] as [(UInt32, UInt32)] {
                let found = Drift.Attributes(mode: mode, uid: uid, gid: gid)
                var isSame = found.uid == wanted.uid && (found.mode & 0o111 == 0) == (wanted.mode & 0o111 == 0)
                isSame = isSame && found.mode & 0o6000 == wanted.mode & 0o6000
                for (uid, group) in [(7, nil), (7, 5), (5, 5)] as [(UInt32, UInt32?)] {
                    isSame = isSame && rights(found, uid: uid, group: group) == rights(wanted, uid: uid, group: group)
                }
                #expect(found.means(wanted) == isSame, "\(String(mode, radix: 8)) \(uid):\(gid)")
            }
        }
    }

    @Test(arguments: [0o644, 0o444, 0o664, 0o600, 0o640, 0o666, 0o755, 0o4644, 0o604])
    func `a file becomes a link if nobody's access changes`(mode: Int) throws {
        let host = try TestHost()
        try host.write("/etc/a", "one", mode: mode)
        let isSame = [0o644, 0o444, 0o664, 0o604].contains(mode)
        let link = Link(path: try AbsolutePath("/etc/a"), app: try #require(AppName("dns")), source: try RelativePath("a"))
        let problem = Problem.otherAccess(
            link.path, found: FileAccess(mode: UInt32(mode)), wanted: FileAccess(mode: 0o444), link)
        #expect(try obstacles(host, app()) == (isSame ? [] : [problem]))
    }

    /// user::r-- user:5:r-- group::r-- mask::r-- other::--- (acl(5)), as the kernel keeps it.
    private static let list: [UInt8] = [
        2, 0, 0, 0, 1, 0, 4, 0, 255, 255, 255, 255, 2, 0, 4, 0, 5, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255,
        32, 0, 0, 0, 255, 255, 255, 255,
    ]
    /// cap_net_raw+ep (capabilities(7)).
    private static let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]

    @Test(arguments: ["system.posix_acl_access", "security.capability"])
    func `rights beside the mode are not lost`(attribute: String) throws {
        let value = attribute.hasPrefix("system") ? Self.list : Self.capability
        for isPlaced in [false, true] {
            let host = try TestHost()
            try host.write("/etc/a", "one", mode: 0o444)
            let descriptor = open(host.real("/etc/a"), O_RDONLY)
            defer { close(descriptor) }
            let result = csys_fsetxattr(descriptor, attribute, value, value.count)
            // A file system without such attributes has no files that would lose one.
            if result == -EOPNOTSUPP { return }
            #expect(result == 0)
            var wanted = app()
            if isPlaced {
                wanted.apps["dns"]?.links["/etc/a"] = nil
                wanted.apps["dns"]?.placed["/etc/a"] = .init(source: "a", mode: 0o444)
            }
            #expect(try obstacles(host, wanted) == [.extendedAccess(try AbsolutePath("/etc/a"), attribute: attribute)])
        }
    }

    @Test func `a script becomes a link to one that can be run`() throws {
        let host = try TestHost()
        try host.write("/etc/a", "one", mode: 0o755)
        #expect(try obstacles(host, app(executable: true)) == [])
    }

    @Test func `owners have names, or numbers`() throws {
        let host = try TestHost()
        try host.write("/etc/passwd", "root:x:0:0::/:/bin/sh\nwww-data:x:33:34::/:/bin/sh\n")
        try host.write("/etc/group", "root:x:0:\nweb:x:34:\n")
        let link = Link(path: try AbsolutePath("/etc/a"), app: try #require(AppName("dns")), source: try RelativePath("a"))
        for (uid, gid, owner, group) in [(33, 34, "www-data", "web"), (4711, 0, "4711", nil), (0, 4712, nil, "4712")]
            as [(UInt32, UInt32, String?, String?)]
        {
            try? host.remove("/etc/a")
            try host.write("/etc/a", "one", mode: 0o640)
            try #require(lchown(host.real("/etc/a"), uid, gid) == 0)
            let found = FileAccess(mode: 0o640, owner: owner.flatMap { UserName($0) }, group: group.flatMap { GroupName($0) })
            #expect(try obstacles(host, app()) == [.otherAccess(link.path, found: found, wanted: FileAccess(mode: 0o444), link)])
        }
    }

    @Test func `a placed file that is Deptool's already changes its mode`() throws {
        let host = try TestHost()
        func wanted(_ mode: UInt32) -> Wanted {
            Wanted(["dns": .init(["a": .init("one")], placed: ["/etc/a": .init(source: "a", mode: mode)])])
        }
        try host.write("/etc/a", "one", mode: 0o644)
        try host.deploy(wanted(0o644), 1)
        try host.deploy(wanted(0o600), 2, after: (wanted(0o644), 1))
        try host.expect(running: wanted(0o600), 2)
        try host.deploy(app(), 3, after: (wanted(0o600), 2))
        try host.expect(running: app(), 3)
    }

    // MARK: Symlinks

    @Test(arguments: ["../srv/real", "/srv/real", "../srv/second", "../srv/dir/../real"])
    func `a symlink to a file with the same content is taken over, and a rollback restores it`(target: String) throws {
        let host = try TestHost()
        try host.write("/srv/real", "one")
        try host.makeDirectory("/srv/dir")
        try host.symlink("/srv/second", to: "real")
        try host.symlink("/etc/a", to: target)
        for isPlaced in [false, true] {
            var wanted = app(["/etc/a": "a", "/etc/second": "b"])
            if isPlaced {
                wanted.apps["dns"]?.links["/etc/a"] = nil
                wanted.apps["dns"]?.placed["/etc/a"] = .init(source: "a")
            }
            let gate = Breaker { $0 == .write && $1 == "/var/lib/deptool/store/record.new" }
            if !host.exists("/var/lib/deptool/store/record") { try host.deploy(other, 1) }
            let before = try host.listing()
            var both = wanted
            both.apps["other"] = other.apps["other"]
            guard case .finished(.rolledBack) = try host.deploy(Plan(from: (other, 1), to: both, 2), gate: gate) else {
                Issue.record("not rolled back")
                return
            }
            try host.expect(unchangedSince: before)
            #expect(host.target("/etc/a") == target)
        }
        #expect(try obstacles(host, app()) == [])
        #expect(host.read("/srv/real") == "one")
    }

    @Test(arguments: ["other", "fifo", "directory", "loop", "itself", "/proc/self/mem", "sparse", "secret", "missing/", "real/"])
    func `a symlink to anything else is an obstacle`(target: String) throws {
        let host = try TestHost()
        try host.write("/etc/real", "one")
        try host.write("/etc/other", "two")
        #expect(mkfifo(host.real("/etc/fifo"), 0o600) == 0)
        try host.makeDirectory("/etc/directory")
        try host.symlink("/etc/itself", to: "itself")
        try host.symlink("/etc/loop", to: "a")
        try host.write("/etc/sparse", "")
        #expect(truncate(host.real("/etc/sparse"), 1 << 24) == 0)
        try host.write("/etc/secret", "one", mode: 0o600)
        try host.symlink("/etc/a", to: target)
        let problems = try obstacles(host, app())
        #expect(problems.count == 1)
        switch problems.first {
        case .otherAccess?: #expect(target == "secret")
        case .occupied(_, by: .symlink(to: target), for: _?)?: break
        default: Issue.record("\(problems)")
        }
    }

    @Test(arguments: [[0xff], Array("real\u{fffd}".utf8), Array("é".utf8)] as [[UInt8]])
    func `a symlink that could not be restored is an obstacle`(name: [UInt8]) throws {
        let host = try TestHost()
        let target = name.map { CChar(bitPattern: $0) } + [0]
        try host.write("/etc/real", "one")
        let directory = open(host.real("/etc"), O_RDONLY | O_DIRECTORY)
        defer { close(directory) }
        #expect(renameat(directory, "real", directory, target) == 0)
        #expect(symlinkat(target, directory, "a") == 0)
        try host.deploy(other, 1)
        var both = app()
        both.apps["other"] = other.apps["other"]
        let ending = try host.deploy(Plan(from: (other, 1), to: both, 2))
        if name == Array("é".utf8) { return #expect(ending == .finished(.deployed)) }
        guard case .refused(let failure) = ending, case .occupied(_, by: .symlink, for: _) = failure.problem else {
            Issue.record("\(ending)")
            return
        }
        var found = [CChar](repeating: 0, count: 20)
        #expect(readlinkat(directory, "a", &found, found.count) == name.count)
        #expect(Array(found.prefix(name.count)) == Array(target.prefix(name.count)))
    }

    @Test func `a symlink of another user is not followed`() throws {
        let host = try TestHost()
        try host.write("/etc/real", "one")
        try host.makeDirectory("/home/eve", owner: 1234)
        try host.symlink("/home/eve/a", to: "/etc/real")
        #expect(lchown(host.real("/home/eve/a"), 1234, 1234) == 0)
        #expect(try obstacles(host, app(["/home/eve/a": "a"])).count == 1)
        // Nor on the way, or at the end of the way, that one of root's leads.
        try host.symlink("/etc/a", to: "/home/eve/a")
        #expect(try obstacles(host, app()).count == 1)
    }

    // MARK: Reported together

    @Test func `up to a hundred obstacles are reported at once`() throws {
        let host = try TestHost()
        for number in 0..<103 { try host.write("/etc/many/\(number)", "foreign") }
        try host.deploy(other, 1)
        let before = try host.listing()
        var wanted = app(Dictionary(uniqueKeysWithValues: (0..<103).map { ("/etc/many/\($0)", "a") }))
        wanted.apps["dns"]?.group = "nobody-is-in-this"
        wanted.apps["other"] = other.apps["other"]
        guard case .obstructed(let failures, more: 4) = try host.deploy(Plan(from: (other, 1), to: wanted, 2)) else {
            Issue.record("not obstructed")
            return
        }
        #expect(failures.count == 100)
        #expect(Set(failures.map(\.problem)).count == 100)
        try host.expect(unchangedSince: before)
    }

    @Test func `an obstacle is reported for every link that it blocks`() throws {
        let host = try TestHost()
        try host.write("/etc/file", "x")
        let obstacle = Problem.occupied(try AbsolutePath("/etc/file"), by: .file, for: nil)
        #expect(try obstacles(host, app(["/etc/file/a": "a", "/etc/file/b": "b"])) == [obstacle, obstacle])
    }
}
