import CSystem
import Foundation
import Model
import TestSupport
import Testing
import Wire

/// The uids of two users of a host who are not root.
private let (alice, bob): (UInt32, UInt32) = (4711, 4712)

/// Below a home directory everything may become anything at any time. It takes root to play the users.
@Suite(.enabled(if: csys_getuid() == 0)) struct `Links in the directories of other users` {
    private let key = Wanted(["keys": .init(["key": .init("ssh-ed25519 hers")], links: ["/home/alice/.ssh/authorized_keys": "key"])])

    /// A host with root's keys and a home directory.
    private func host() throws -> TestHost {
        let host = try TestHost()
        try host.write("/root/.ssh/authorized_keys", "ssh-ed25519 root's", mode: 0o600)
        try host.makeDirectory("/home/alice", owner: alice)
        return host
    }

    private func refusal(_ path: String, _ target: String) throws -> Laptop.Ending {
        .refused(Failure(step: 2, .occupied(try AbsolutePath(path), by: .symlink(to: target), for: nil)))
    }

    private func expectRefusal(_ host: TestHost, _ ending: Laptop.Ending, _ wanted: Wanted? = nil) throws {
        try host.deploy(Wanted(), 1)
        let before = try host.listing()
        #expect(try host.deploy(Plan(from: (Wanted(), 1), to: wanted ?? key, 2)) == ending)
        try host.expect(unchangedSince: before)
    }

    @Test(arguments: ["/root/.ssh", "../../root/.ssh", "/home/alice/real"])
    func `a symlink that a user has put on the way is not followed`(target: String) throws {
        let host = try host()
        try host.makeDirectory("/home/alice/real", owner: alice)
        try host.symlink("/home/alice/.ssh", to: target)
        try #require(csys_lchown(host.real("/home/alice/.ssh"), alice, alice) == 0)
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
        try #require(csys_chmod(host.real("/home/all"), 0o1777) == 0)
        try host.symlink("/home/all/here", to: "/etc")
        var wanted = key
        wanted.apps["keys"]?.links = ["/home/all/here/key": "key"]
        try expectRefusal(host, refusal("/home/all/here", "/etc"), wanted)
    }

    @Test func `a directory of one user in that of another is none to change something in`() throws {
        let host = try host()
        try host.makeDirectory("/home/alice/.ssh", owner: bob)
        let problem = Problem.system(operation: "look at", path: "/home/alice/.ssh", code: 67)
        try expectRefusal(host, .refused(Failure(step: 2, problem)))
    }

    @Test(arguments: ["/srv/homes", "../srv/homes", "/srv/../srv/./homes/"])
    func `a symlink that only root can have put there is followed, into a home directory too`(target: String) throws {
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

    @Test func `directories on the way belong to the owner of the directory above, who may do no more in them`() throws {
        let host = try TestHost()
        try host.makeDirectory("/home/alice", owner: alice)
        try #require(csys_chmod(host.real("/home/alice"), 0o710) == 0)
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
