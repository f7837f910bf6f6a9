import AgentCore
import CSystem
import Foundation
import Model
import TestSupport
import Testing
import Wire

@Suite struct LinkTests {
    private func app(_ content: String, at path: String) -> Wanted {
        Wanted(["dns": .init(["a": .init(content), "b": .init("b")], links: [path: "a"])])
    }

    private func occupied(_ path: String, by occupant: Occupant) throws -> Problem {
        let (path, source) = (try AbsolutePath(path), try RelativePath("a"))
        let link = AppName("dns").map { Link(path: path, app: $0, source: source) }
        return .occupied(path, by: occupant, for: path.text == "/etc/file" ? nil : link)
    }

    private func isRolledBack(_ ending: Client.Ending) -> Bool {
        if case .finished(.rolledBack) = ending { return true }
        Issue.record("\(ending)")
        return false
    }

    /// A deploy that is turned down before anything changed: the host is as it was, and takes another deploy.
    private func expectRefusal(_ host: TestHost, _ wanted: Wanted, _ problem: Problem, step: Int) throws {
        // The directories of Deptool itself are there from the first contact.
        let other = Wanted(["other": .init(["x": .init("x")])])
        try host.deploy(other, 1)
        let before = try host.listing()
        var both = wanted
        both.apps["other"] = other.apps["other"]
        #expect(
            try host.deploy(Plan(from: (other, 1), to: both, 2)) == .refused(AgentError(step: step, problem)))
        try host.expect(unchangedSince: before)
        try host.expect(running: other, 1)
    }

    @Test func `a link may be retargeted, to another file and to another app, and go`() throws {
        let host = try TestHost()
        let path = "/etc/deep/down/link"
        let first = app("one", at: path)
        try host.deploy(first, 1)
        #expect(host.read(path) == nil && host.target(path) == "/var/lib/deptool/apps/dns/current/a")
        var second = first
        second.apps["dns"]!.links[path] = "b"
        try host.deploy(second, 2, after: (first, 1))
        try host.expect(running: second, 2)
        var third = second
        third.apps["dns"]!.links = [:]
        third.apps["web"] = .init(["c": .init("c")], links: [path: "c"])
        try host.deploy(third, 3, after: (second, 2))
        try host.expect(running: third, 3)
        try host.deploy(Wanted(), 4, after: (third, 3))
        #expect(!host.exists(path))
        try host.expect(running: Wanted(), 4)
    }

    @Test func `directories made for links go with the last of them`() throws {
        let host = try TestHost()
        try host.makeDirectory("/srv/theirs")
        let links = ["/srv/theirs/made/deep/one": "a", "/srv/theirs/made/two": "b"]
        let both = Wanted(["dns": .init(["a": .init("1"), "b": .init("2")], links: links)])
        try host.deploy(both, 1)
        var one = both
        one.apps["dns"]?.links["/srv/theirs/made/deep/one"] = nil
        try host.deploy(one, 2, after: (both, 1))
        #expect(host.names("/srv/theirs/made") == ["two"])
        try host.write("/srv/theirs/made/precious", "precious")
        try host.deploy(Wanted(), 3, after: (one, 2))
        // It is not empty; and what Deptool did not make stays anyway.
        #expect(host.names("/srv/theirs/made") == ["precious"])
        try host.deploy(one, 4, after: (Wanted(), 3))
        try host.remove("/srv/theirs/made/precious")
        try host.deploy(Wanted(), 5, after: (one, 4))
        #expect(host.names("/srv/theirs") == [])
        #expect(host.names("/srv") == ["theirs"])
    }

    @Test func `a rollback brings back a directory that went with its last link`() throws {
        let host = try TestHost()
        let first = app("one", at: "/srv/made/deep/link")
        try host.deploy(first, 1)
        try FileManager.default.setAttributes([.posixPermissions: 0o711], ofItemAtPath: host.real("/srv/made/deep"))
        let before = try host.listing()
        var plan = Plan(from: (first, 1), to: Wanted(), 2)
        // A record that cannot be written (EIO) is the last thing that can fail.
        let gate = Breaker(error: 5) { $0 == .write && $1 == "/var/lib/deptool/store/record.new" }
        #expect(isRolledBack(try host.deploy(plan, gate: gate)))
        try host.expect(unchangedSince: before)
        plan = Plan(from: (first, 1), to: Wanted(), 3)
        #expect(try host.deploy(plan) == .finished(.deployed))
        #expect(!host.exists("/srv"))
    }

    @Test func `a file with the same content becomes the link`() throws {
        let host = try TestHost()
        try host.write("/etc/a", "one", mode: 0o444)
        try host.deploy(app("one", at: "/etc/a"), 1)
        try host.expect(running: app("one", at: "/etc/a"), 1)
    }

    @Test func `a file with other content is not touched`() throws {
        let host = try TestHost()
        try host.write("/etc/a", "precious")
        try expectRefusal(host, app("one", at: "/etc/a"), try occupied("/etc/a", by: .file), step: 2)
        #expect(host.read("/etc/a") == "precious")
    }

    @Test func `a directory is not touched`() throws {
        let host = try TestHost()
        try host.makeDirectory("/etc/a")
        try expectRefusal(host, app("one", at: "/etc/a"), try occupied("/etc/a", by: .directory), step: 2)
    }

    @Test(arguments: ["/etc/other", "../opt/x", "/var/lib/deptoolx/y", "dangling"])
    func `somebody else's symlink is not touched`(target: String) throws {
        let host = try TestHost()
        try host.symlink("/etc/a", to: target)
        try expectRefusal(
            host, app("one", at: "/etc/a"), try occupied("/etc/a", by: .symlink(to: target)), step: 2)
    }

    @Test func `something else is not touched`() throws {
        let host = try TestHost()
        #expect(mkfifo(host.real("/etc/a"), 0o600) == 0)
        try expectRefusal(host, app("one", at: "/etc/a"), try occupied("/etc/a", by: .other), step: 2)
    }

    @Test func `a symlink to an app is taken over, even if no record has it`() throws {
        let host = try TestHost()
        try host.symlink("/etc/a", to: "/var/lib/deptool/apps/gone/current/x")
        try host.deploy(app("one", at: "/etc/a"), 1)
        try host.expect(running: app("one", at: "/etc/a"), 1)
    }

    @Test(arguments: ["file", "symlink", "directory", "nothing"])
    func `a file that replaced a link stays when the link is removed`(how: String) throws {
        let host = try TestHost()
        let first = app("one", at: "/etc/a")
        try host.deploy(first, 1)
        try host.remove("/etc/a")
        switch how {
        case "file": try host.write("/etc/a", "mine")
        case "symlink": try host.symlink("/etc/a", to: "/etc/b")
        case "directory": try host.makeDirectory("/etc/a")
        default: break
        }
        try host.deploy(Wanted(), 2, after: (first, 1))
        #expect(host.exists("/etc/a") == (how != "nothing"))
        if how == "file" { #expect(host.read("/etc/a") == "mine") }
        if how == "symlink" { #expect(host.target("/etc/a") == "/etc/b") }
    }

    @Test func `a link below a symlinked directory is made where that leads`() throws {
        let host = try TestHost()
        try host.makeDirectory("/srv/real")
        try host.symlink("/etc/linked", to: "../srv/real")
        try host.deploy(app("one", at: "/etc/linked/a"), 1)
        #expect(host.target("/srv/real/a") == "/var/lib/deptool/apps/dns/current/a")
        #expect(host.target("/etc/linked") == "../srv/real")
    }

    @Test(arguments: [("/etc/file/a", Occupant.file), ("/etc/file/b/c", .file)])
    func `a link below a file is refused`(path: String, occupant: Occupant) throws {
        let host = try TestHost()
        try host.write("/etc/file", "x")
        try expectRefusal(host, app("one", at: path), try occupied("/etc/file", by: occupant), step: 2)
    }

    @Test func `a link may have a name as long as names can be`() throws {
        let host = try TestHost()
        let wanted = app("one", at: "/etc/" + String(repeating: "x", count: 255))
        try host.deploy(wanted, 1)
        try host.expect(running: wanted, 1)
    }

    @Test func `a link that cannot be made fails, and nothing has changed`() throws {
        let host = try TestHost()
        let other = Wanted(["other": .init(["x": .init("x")], links: ["/etc/x/y": "x"])])
        try host.deploy(other, 1)
        let before = try host.listing()
        var both = other
        both.apps["dns"] = app("one", at: "/etc/a").apps["dns"]
        both.apps["other"]!.links = ["/etc/new/y": "x"]
        let gate = Breaker { $0 == .symlink && $1 == "/etc/a" }
        #expect(try isRolledBack(host.deploy(Plan(from: (other, 1), to: both, 2), gate: gate)))
        try host.expect(unchangedSince: before)
    }

    @Test func `a displaced file is restored with content, owner, mode, times and extended attributes`() throws {
        let host = try TestHost()
        try host.write("/etc/a", "one", mode: 0o4640)
        #expect(lchown(host.real("/etc/a"), 12, 34) == 0 && chmod(host.real("/etc/a"), 0o4640) == 0)
        let file = csys_open_read(host.real("/etc/a"))
        defer { _ = csys_close(file) }
        let attribute = ["user.note", "trusted.note"].first { (name: String) in csys_fsetxattr(file, name, "hello", 5) == 0 }
        #expect(csys_set_mtime(host.real("/etc/a"), 1_234_567_890_987_654_321) == 0)
        var wanted = app("one", at: "/etc/a")
        wanted.apps["dns"]!.links["/etc/second"] = "b"
        wanted.apps["dns"]!.links["/etc/made/here/b"] = "b"
        try host.deploy(Wanted(), 1)
        let before = try host.listing()
        let gate = Breaker { $0 == .symlink && $1 == "/etc/second" }
        #expect(
            try isRolledBack(
                host.deploy(
                    Plan(from: (Wanted(), 1), to: wanted, 2, displacing: ["/etc/a": .file(.of(.blob, Array("one".utf8)), size: 3)]),
                    gate: gate)))
        try host.expect(unchangedSince: before)
        var status = csys_stat()
        #expect(csys_lstat(host.real("/etc/a"), &status) == 0)
        #expect(status.mode == 0o4640 && status.uid == 12 && status.gid == 34)
        #expect(status.mtime_ns == 1_234_567_890_987_654_321)
        if let attribute {
            var value = [UInt8](repeating: 0, count: 10)
            let restored = csys_open_read(host.real("/etc/a"))
            defer { _ = csys_close(restored) }
            #expect(csys_fgetxattr(restored, attribute, &value, 10) == 5)
        }
    }
}
