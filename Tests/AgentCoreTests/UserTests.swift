import CSystem
import Foundation
import Model
import TestSupport
import Testing
import Wire

@testable import AgentCore

/// The uids of two users of a host who are not root.
private let (alice, bob): (UInt32, UInt32) = (4711, 4712)

/// Below a home directory everything may become anything at any time. It takes root to play the users.
@Suite(.enabled(if: csys_getuid() == 0)) struct UserTests {
    private let key = Wanted(["keys": .init(["key": .init("ssh-ed25519 hers")], links: ["/home/alice/.ssh/authorized_keys": "key"])])

    /// A host with root's keys and a home directory.
    private func host() throws -> TestHost {
        let host = try TestHost()
        try host.write("/root/.ssh/authorized_keys", "ssh-ed25519 root's", mode: 0o600)
        try host.makeDirectory("/home/alice", owner: alice)
        return host
    }

    private func refusal(_ path: String, _ target: String) throws -> Client.Ending {
        .refused(AgentError(step: 2, .occupied(try AbsolutePath(path), by: .symlink(to: target), for: nil)))
    }

    private func expectRefusal(_ host: TestHost, _ ending: Client.Ending, _ wanted: Wanted? = nil) throws {
        try host.deploy(Wanted(), 1)
        let before = try host.listing()
        #expect(try host.deploy(Plan(from: (Wanted(), 1), to: wanted ?? key, 2)) == ending)
        try host.expect(unchangedSince: before)
    }

    @Test(arguments: ["/root/.ssh", "../../root/.ssh", "/home/alice/real"])
    func `a user's symlink on the way is not followed`(target: String) throws {
        let host = try host()
        try host.makeDirectory("/home/alice/real", owner: alice)
        try host.symlink("/home/alice/.ssh", to: target)
        try #require(lchown(host.real("/home/alice/.ssh"), alice, alice) == 0)
        try expectRefusal(host, refusal("/home/alice/.ssh", target))
    }

    @Test func `a symlink of root's in a user's directory is not followed, because the user can rename it`() throws {
        let host = try host()
        try host.symlink("/home/alice/.ssh", to: "/root/.ssh")
        try expectRefusal(host, refusal("/home/alice/.ssh", "/root/.ssh"))
    }

    @Test func `a symlink in a directory where everybody can write is not followed`() throws {
        let host = try host()
        try host.makeDirectory("/home/all")
        try #require(chmod(host.real("/home/all"), 0o1777) == 0)
        try host.symlink("/home/all/here", to: "/etc")
        var wanted = key
        wanted.apps["keys"]?.links = ["/home/all/here/key": "key"]
        try expectRefusal(host, refusal("/home/all/here", "/etc"), wanted)
    }

    /// user::rwx user:alice:rwx group::r-x mask::rwx other::r-x (acl(5)), as the kernel keeps it. The mode then says 775.
    private static let list: [UInt8] =
        [2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 7, 0] + [UInt8(alice & 255), UInt8(alice >> 8), 0, 0]
        + [4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 5, 0, 255, 255, 255, 255]

    @Test func `a symlink in a directory where an access control list lets a user write is not followed`() throws {
        let host = try host()
        try host.makeDirectory("/srv/www")
        let descriptor = open(host.real("/srv/www"), O_RDONLY)
        defer { close(descriptor) }
        let result = csys_fsetxattr(descriptor, "system.posix_acl_access", Self.list, Self.list.count)
        if result == -EOPNOTSUPP { return }
        try #require(result == 0)
        try host.symlink("/srv/www/conf", to: "/etc/cron.d")
        try #require(lchown(host.real("/srv/www/conf"), alice, alice) == 0)
        var wanted = key
        wanted.apps["keys"]?.links = ["/srv/www/conf/key": "key"]
        try expectRefusal(host, refusal("/srv/www/conf", "/etc/cron.d"), wanted)
    }

    @Test func `one user's directory inside another's is refused`() throws {
        let host = try host()
        try host.makeDirectory("/home/alice/.ssh", owner: bob)
        let problem = Problem.system(operation: "look at", path: "/home/alice/.ssh", code: 67)
        try expectRefusal(host, .refused(AgentError(step: 2, problem)))
    }

    @Test(arguments: ["/srv/homes", "../srv/homes", "/srv/../srv/./homes/"])
    func `a symlink that only root can have made is followed, also into a home directory`(target: String) throws {
        let host = try TestHost()
        try host.makeDirectory("/srv/homes")
        try host.symlink("/home", to: target)
        try host.makeDirectory("/srv/homes/alice", owner: alice)
        try host.makeDirectory("/srv/var")
        try host.symlink("/var", to: "/srv/var")
        try host.deploy(key, 1)
        #expect(host.target("/srv/homes/alice/.ssh/authorized_keys") == "/var/lib/deptool/apps/keys/current/key")
        #expect(host.names("/srv/var/lib/deptool") == ["apps", "bin", "store"])
        try host.deploy(Wanted(), 2, after: (key, 1))
        #expect(host.names("/srv/homes/alice") == [])
    }

    @Test func `created directories get the owner of the parent, and no wider permissions`() throws {
        let host = try TestHost()
        try host.makeDirectory("/home/alice", owner: alice)
        try #require(chmod(host.real("/home/alice"), 0o710) == 0)
        var wanted = key
        wanted.apps["keys"]?.links = ["/home/alice/.config/app/key": "key", "/srv/app/key": "key"]
        try host.deploy(wanted, 1)
        let listing = try host.listing()
        for path in ["/home/alice/.config", "/home/alice/.config/app"] { #expect(listing[path] == "directory 710 \(alice):\(alice)") }
        #expect(listing["/srv/app"] == "directory 755 0:0")
        // They go with the last link, and come back as they were when that is undone.
        let gate = Breaker(error: 5) { $0 == .write && $1 == "/var/lib/deptool/store/record.new" }
        guard case .finished(.rolledBack) = try host.deploy(Plan(from: (wanted, 1), to: Wanted(), 2), gate: gate) else {
            Issue.record("not rolled back")
            return
        }
        try host.expect(unchangedSince: listing)
    }
}

/// A user puts a symlink on the path at every moment of a deploy and of its rollback.
@Suite(.enabled(if: csys_getuid() == 0)) struct UserLinkRaceTests {
    private func keys(_ content: String, _ links: [String: String]) -> Wanted {
        Wanted(["keys": .init(["key": .init(content)], links: links)])
    }

    @Test(arguments: [false, true], ["/home/alice/.ssh", "/home/alice/.ssh/deep", "/home/alice/.ssh/deep/key"])
    func `a user who swaps directories during a deploy changes nothing of root's`(isUndone: Bool, place: String) throws {
        let old = keys("one", ["/home/alice/.ssh/deep/key": "key", "/home/alice/.ssh/other": "key"])
        let new = keys("two", ["/home/alice/.ssh/other": "key", "/home/alice/.ssh/more/key": "key"])
        for number in 1... {
            let host = try TestHost()
            try host.write("/root/.ssh/deep/key", "root's")
            try host.makeDirectory("/home/alice", owner: alice)
            try host.deploy(old, 1)
            let others = try host.listing().filter { !$0.key.hasPrefix("/home") && !$0.key.hasPrefix("/var") }
            var (count, isPut) = (0, false)
            let gate = Intruder { operation, path in
                count += 1
                if count == number {
                    isPut = true
                    try? FileManager.default.moveItem(atPath: host.real(place), toPath: host.real("/home/alice/aside"))
                    if host.exists((place as NSString).deletingLastPathComponent) {
                        try host.symlink(place, to: "/root/.ssh")
                        #expect(lchown(host.real(place), alice, alice) == 0)
                    }
                }
                return isUndone && operation == .write && path == "/var/lib/deptool/store/record.new" ? 28 : 0
            }
            let ending = try host.deploy(Plan(from: (old, 1), to: new, 2), gate: gate)
            let what: Comment = "operation \(number): \(ending)"
            #expect(!host.exists("/var/lib/deptool/store/journal"), what)
            let now = try host.listing().filter { !$0.key.hasPrefix("/home") && !$0.key.hasPrefix("/var") }
            #expect(now == others, what)
            guard isPut else { return }
        }
    }
}

/// Changes made in the moment between a check and an action.
@Suite struct FileRaceTests {
    private func app(_ content: String, links: [String: String] = ["/etc/a": "a"]) -> Wanted {
        Wanted(["dns": .init(["a": .init(content), "b": .init("b")], links: links)])
    }

    private func expectRollback(_ ending: Client.Ending, _ path: String, _ occupant: Occupant, step: Int?) throws {
        let problem = Problem.occupied(try AbsolutePath(path), by: occupant, for: nil)
        #expect(ending == .finished(.rolledBack(AgentError(step: step, problem))))
    }

    @Test func `a file that appears in a free place stays`() throws {
        let host = try TestHost()
        let gate = Intruder { operation, path in
            if operation == .symlink && path == "/etc/a" { try host.write("/etc/a", "theirs") }
            return 0
        }
        try expectRollback(host.deploy(Plan(from: nil, to: app("one"), 1), gate: gate), "/etc/a", .file, step: 2)
        #expect(host.read("/etc/a") == "theirs" && host.names("/etc") == ["a", "hostname"])
    }

    @Test(arguments: ["file", "symlink", "directory", "nothing"])
    func `a file is not displaced once it has been replaced`(what: String) throws {
        let host = try TestHost()
        try host.write("/etc/a", "one")
        try host.deploy(Wanted(), 1)
        let gate = Intruder { operation, path in
            guard operation == .rename && path == "/etc/a" && host.read("/etc/a") == "one" else { return 0 }
            try host.remove("/etc/a")
            switch what {
            case "file": try host.write("/etc/a", "two")
            case "symlink": try host.symlink("/etc/a", to: "hostname")
            case "directory": try host.makeDirectory("/etc/a")
            default: break
            }
            return 0
        }
        let ending = try host.deploy(Plan(from: (Wanted(), 1), to: app("one"), 2), gate: gate)
        switch what {
        case "file":
            try expectRollback(ending, "/etc/a", .file, step: 2)
            #expect(host.read("/etc/a") == "two")
        // Root's own doing is for root to sort out, and nothing of it is lost.
        case "symlink": #expect(host.target("/etc/a") == "hostname")
        case "directory": #expect(host.exists("/etc/a") && host.read("/etc/a") == nil)
        default: try host.expect(running: app("one"), 2)
        }
        #expect(host.names("/etc") == ["a", "hostname"])
    }

    @Test func `a link is not removed once it has been replaced`() throws {
        let host = try TestHost()
        try host.deploy(app("one"), 1)
        let gate = Intruder { operation, path in
            if operation == .remove && path == "/etc/a" && host.target("/etc/a") != nil {
                try host.remove("/etc/a")
                try host.write("/etc/a", "theirs")
            }
            return 0
        }
        let plan = Plan(from: (app("one"), 1), to: app("one", links: [:]), 2)
        #expect(try host.deploy(plan, gate: gate) == .finished(.deployed))
        #expect(host.read("/etc/a") == "theirs" && host.names("/etc") == ["a", "hostname"])
    }
}

@Suite(.enabled(if: csys_getuid() == 0)) struct UserObstacleTests {
    private let one = Wanted(["keys": .init(["key": .init("one"), "b": .init("b")], links: ["/home/alice/.ssh/authorized_keys": "key"])])
    private var two: Wanted {
        var two = one
        two.apps["keys"]?.links = ["/home/alice/.ssh/authorized_keys": "b", "/home/alice/.ssh/new/key": "key"]
        return two
    }

    private func host() throws -> TestHost {
        let host = try TestHost()
        try host.write("/root/.ssh/authorized_keys", "root's", mode: 0o600)
        try host.makeDirectory("/home/alice", owner: alice)
        return host
    }

    @Test func `a user who occupies Deptool's temporary names blocks no deploy`() throws {
        let host = try host()
        try host.makeDirectory("/home/alice/.ssh/.deptool-new/full", owner: alice)
        try host.deploy(one, 1)
        let ending = try host.deploy(Plan(from: (one, 1), to: two, 2), gate: Breaker { $0 == .write && $1.hasSuffix("/record.new") })
        guard case .finished(.rolledBack) = ending else {
            Issue.record("\(ending)")
            return
        }
        try host.deploy(two, 3, after: (one, 1))
        #expect(host.target("/home/alice/.ssh/authorized_keys") == "/var/lib/deptool/apps/keys/current/b")
        #expect(host.exists("/home/alice/.ssh/.deptool-new/full"))
    }

    @Test func `a file that a user lets grow keeps no agent, and fills no disk`() throws {
        let host = try host()
        let path = try AbsolutePath("/home/alice/key")
        try host.write(path.text, "one")
        let system = System(root: host.root)
        #expect(try system.hash(path, limit: 3) == .of(.blob, Array("one".utf8)))
        // A sparse file, which takes years to read.
        try #require(truncate(host.real(path.text), 1 << 62) == 0 || truncate(host.real(path.text), 1 << 43) == 0)
        #expect(throws: AgentError(.read, path.text, code: 27)) { try system.hash(path, limit: 3) }

        try host.write(path.text, "one")
        try host.deploy(Wanted(), 1)
        var sizes: [UInt64] = []
        let gate = Intruder { operation, changed in
            guard changed.hasPrefix("/var/lib/deptool/store/undo/") else { return 0 }
            if operation == .create { try #require(truncate(host.real(path.text), 100_000) == 0) }
            if operation == .setAttributes { sizes.append(UInt64(try Data(contentsOf: URL(filePath: host.real(changed))).count)) }
            return 0
        }
        var wanted = one
        wanted.apps["keys"]?.links = [path.text: "key"]
        let before = try host.listing().filter { !$0.key.hasPrefix("/home") }
        _ = try host.deploy(Plan(from: (Wanted(), 1), to: wanted, 2), gate: gate)
        #expect(!sizes.isEmpty && sizes.allSatisfy { $0 == 3 })
        #expect(try host.listing().filter { !$0.key.hasPrefix("/home") } == before)
    }

    @Test func `a user's symlink makes no deploy of other apps fail`() throws {
        let host = try host()
        var one = one
        one.apps["keys"]?.links = ["/home/alice/.ssh/deep/key": "key"]
        try host.deploy(one, 1)
        try run(["mv", host.real("/home/alice/.ssh"), host.real("/home/alice/away")])
        try host.symlink("/home/alice/.ssh", to: "/root/.ssh")
        var both = one
        both.apps["other"] = .init(["x": .init("x")])
        try host.deploy(both, 2, after: (one, 1))
        try host.remove("/home/alice/.ssh")
        try run(["mv", host.real("/home/alice/away"), host.real("/home/alice/.ssh")])
        // The directory still goes with its last link.
        try host.deploy(Wanted(), 3, after: (both, 2))
        #expect(host.names("/home/alice/.ssh") == [])
    }

    @Test func `a user who holds a lease on a file cannot prevent a rollback`() throws {
        let host = try host()
        func copy(_ content: String) -> Wanted {
            Wanted(["keys": .init(["key": .init(content)], placed: ["/home/alice/key": .init(source: "key")])])
        }
        try host.deploy(copy("one"), 1)
        // The kernel sends it to the holder of a lease when somebody else opens the file.
        signal(SIGIO, SIG_IGN)
        var lease: Int32 = -1
        defer { close(lease) }
        let gate = Intruder { operation, path in
            guard operation == .write && path.hasSuffix("/record.new") else { return 0 }
            lease = open(host.real("/home/alice/key"), O_RDWR)
            #expect(fcntl(lease, 1024, Int32(F_WRLCK)) == 0)  // F_SETLEASE
            return 5
        }
        let ending = try host.deploy(Plan(from: (copy("one"), 1), to: copy("two"), 2), gate: gate)
        guard case .finished(.rolledBack) = ending else {
            Issue.record("\(ending)")
            return
        }
        #expect(!host.exists("/var/lib/deptool/store/journal"))
        let kept = "/var/lib/deptool/store/kept/\(host.names("/var/lib/deptool/store/kept").first ?? "")/home/alice/key"
        #expect(host.read(kept) == "one")
    }

    @Test(arguments: ["symlink", "file", "nothing", "other"], [false, true])
    func `a user who moves a directory away cannot prevent a rollback`(what: String, isLater: Bool) throws {
        let host = try host()
        try host.makeDirectory("/home/alice/.ssh", owner: alice)
        try host.write("/home/alice/.ssh/authorized_keys", "one")
        try host.deploy(Wanted(), 1)
        let gate = Intruder { operation, path in
            guard operation == .write && path.hasSuffix("/record.new") else { return 0 }
            try run(["mv", host.real("/home/alice/.ssh"), host.real("/home/alice/away")])
            switch what {
            case "symlink": try host.symlink("/home/alice/.ssh", to: "../../root/.ssh")
            case "file": try host.write("/home/alice/.ssh", "mine")
            case "other": try host.makeDirectory("/home/alice/.ssh/authorized_keys", owner: alice)
            default: break
            }
            // By then the agent no longer holds the directory.
            if isLater { usleep(1_200_000) }
            return 5
        }
        let ending = try host.deploy(Plan(from: (Wanted(), 1), to: one, 2), gate: gate)
        guard case .finished(.rolledBack) = ending else {
            Issue.record("\(ending)")
            return
        }
        #expect(host.read("/root/.ssh/authorized_keys") == "root's" && host.names("/root/.ssh") == ["authorized_keys"])
        #expect(!host.exists("/var/lib/deptool/store/journal"))
        // The file that the link had displaced is back in its directory, even a renamed one, or kept.
        let kept =
            isLater
            ? "/var/lib/deptool/store/kept/\(host.names("/var/lib/deptool/store/kept").first ?? "")/home/alice/.ssh" : "/home/alice/away"
        #expect(host.read(kept + "/authorized_keys") == "one")
        // No other deploy is blocked by the user.
        let other = Wanted(["other": .init(["x": .init("x")])])
        try host.deploy(other, 3, after: (Wanted(), 1))
    }
}
