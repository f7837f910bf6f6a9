import CSystem
import Foundation
import Model
import TestSupport
import Testing
import Wire

@testable import AgentCore

@Suite struct RecoveryTests {
    private let old = Wanted(["dns": .init(["a": .init("old"), "b": .init("b")], links: ["/etc/a": "a", "/etc/b": "b"])])
    private let new = Wanted(["dns": .init(["a": .init("new")], links: ["/etc/a": "a", "/etc/new": "a"])])

    /// A host that lost power in the middle of the steps of `new`, and its state before.
    private func interrupted() throws -> (host: TestHost, plan: Plan, before: [String: String]) {
        let host = try TestHost()
        try host.deploy(old, 1)
        let plan = Plan(from: (old, 1), to: new, 2)
        let before = try host.listing()
        var number = 0
        repeat {
            number += 1
            let copy = try TestHost(copyOf: host)
            _ = try ChildAgent.deploy(plan, to: copy, fault: .init(number: number, kind: "kill"))
            if copy.exists("/etc/new") { return (copy, plan, before) }
        } while number < 1000
        throw Client.Gone()
    }

    @Test func `an interrupted deploy is undone before the greeting, which reports it`() throws {
        let (host, plan, before) = try interrupted()
        #expect(host.exists("/var/lib/deptool/store/journal"))
        let (client, hello) = try host.session()
        #expect(hello.recovery == .rolledBack(AgentError(.interrupted)))
        #expect(hello.commit == old.record(1).commit)
        try host.expect(unchangedSince: before)
        #expect(try client.deploy(plan) == .finished(.deployed))
        try host.end(client)
        try host.expect(running: new, 2)
        #expect(try host.session().hello.recovery == nil)
    }

    @Test func `a session that began earlier undoes an interrupted deploy as well`() throws {
        let host = try TestHost()
        try host.deploy(old, 1)
        let client = try host.session().client
        let plan = Plan(from: (old, 1), to: new, 2)
        var number = 20
        while !host.exists("/var/lib/deptool/store/journal") {
            number += 1
            _ = try ChildAgent.deploy(plan, to: host, fault: .init(number: number, kind: "kill"))
        }
        #expect(try client.deploy(plan) == .finished(.deployed))
        try host.end(client)
        try host.expect(running: new, 2)
    }

    @Test func `an unreadable journal prevents every deploy`() throws {
        let (host, plan, _) = try interrupted()
        let journal = try #require(FileManager.default.contents(atPath: host.real("/var/lib/deptool/store/journal")))
        let expected = try host.listing().filter { !$0.key.hasSuffix("/journal") }
        for length in 0..<journal.count {
            try journal.prefix(length).write(to: URL(filePath: host.real("/var/lib/deptool/store/journal")))
            let client = try host.connect()
            let reply = try client.greet()
            guard case .refused(let failure) = reply, case .unreadable("/var/lib/deptool/store/journal", _) = failure.problem
            else {
                Issue.record("\(length) bytes: \(reply)")
                continue
            }
            try host.end(client)
        }
        #expect(difference(expected, try host.listing().filter { !$0.key.hasSuffix("/journal") }) == [])
        // It serves again once it is whole.
        try journal.write(to: URL(filePath: host.real("/var/lib/deptool/store/journal")))
        #expect(try host.deploy(plan) == .finished(.deployed))
        try host.expect(running: new, 2)
    }

    @Test(arguments: ["", "garbage", "a directory"])
    func `an unreadable record is named, and nothing happens`(content: String) throws {
        let host = try TestHost()
        try host.deploy(old, 1)
        try host.remove("/var/lib/deptool/store/record")
        if content == "a directory" {
            try host.makeDirectory("/var/lib/deptool/store/record")
        } else {
            try host.write("/var/lib/deptool/store/record", content)
        }
        let before = try host.listing()
        let client = try host.connect()
        guard case .refused(let failure) = try client.greet() else {
            Issue.record("not refused")
            return
        }
        #expect("\(failure)".contains("/var/lib/deptool/store/record"))
        try host.end(client)
        try host.expect(unchangedSince: before)
    }

    @Test func `an interrupted deploy is not undone while the record is unreadable`() throws {
        let (host, _, before) = try interrupted()
        let bytes = try Data(contentsOf: URL(filePath: host.real("/var/lib/deptool/store/record")))
        try host.write("/var/lib/deptool/store/record", "garbage")
        let client = try host.connect()
        guard case .refused = try client.greet() else {
            Issue.record("not refused")
            return
        }
        try host.end(client)
        #expect(host.exists("/var/lib/deptool/store/journal"))
        try bytes.write(to: URL(filePath: host.real("/var/lib/deptool/store/record")))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600], ofItemAtPath: host.real("/var/lib/deptool/store/record"))
        _ = try ChildAgent.start(host)
        try host.expect(unchangedSince: before)
    }

    @Test func `a failed rollback is tried again, and no deploy begins before it succeeds`() throws {
        let (host, plan, before) = try interrupted()
        // Somebody's directory is where a link was.
        #expect(!host.exists("/etc/b"))
        try host.write("/etc/b/precious", "precious")
        let broken = try host.listing()
        for _ in 0..<2 {
            let (client, hello) = try host.session()
            guard case .broken(AgentError(.interrupted), let undoing, .files) = hello.recovery else {
                Issue.record("\(String(describing: hello.recovery))")
                return
            }
            #expect(undoing.count == 1)
            #expect(try client.deploy(plan) == .refused(undoing[0]))
            try host.end(client)
        }
        #expect(host.read("/etc/b/precious") == "precious")
        #expect(host.exists("/var/lib/deptool/store/journal"))
        #expect(broken["/var/lib/deptool/store/journal"] == (try host.listing())["/var/lib/deptool/store/journal"])
        // A person makes room.
        try host.remove("/etc/b")
        #expect(try host.session().hello.recovery == .rolledBack(AgentError(.interrupted)))
        try host.expect(unchangedSince: before)
    }

    @Test(arguments: ["file", "symlink"])
    func `a rollback does not overwrite a file in the place of a link`(how: String) throws {
        let (host, _, before) = try interrupted()
        if how == "file" { try host.write("/etc/b", "precious") } else { try host.symlink("/etc/b", to: "precious") }
        let occupant = how == "file" ? Occupant.file : .symlink(to: "precious")
        let problem = AgentError(.occupied(try AbsolutePath("/etc/b"), by: occupant, for: nil))
        #expect(try host.session().hello.recovery == .broken(AgentError(.interrupted), undoing: [problem], .files))
        #expect(host.read("/etc/b") == "precious" || host.target("/etc/b") == "precious")
        try host.remove("/etc/b")
        #expect(try host.session().hello.recovery == .rolledBack(AgentError(.interrupted)))
        try host.expect(unchangedSince: before)
    }

    @Test func `a rollback leaves a file that replaced a new link`() throws {
        let (host, _, before) = try interrupted()
        try host.remove("/etc/new")
        try host.write("/etc/new", "mine")
        let (client, hello) = try host.session()
        #expect(hello.recovery == .rolledBack(AgentError(.interrupted)))
        try host.end(client)
        #expect(difference(before, try host.listing()).map { $0.prefix(9) } == ["/etc/new:"])
        #expect(host.read("/etc/new") == "mine")
    }

    @Test func `an agent leaves a running deploy alone`() throws {
        let (host, _, _) = try interrupted()
        let descriptor = csys_open_append(host.real("/var/lib/deptool/store/lock"), 0o600)
        defer { _ = csys_close(descriptor) }
        #expect(csys_try_lock(descriptor) == 0)
        let before = try host.listing()
        let (client, hello) = try host.session()
        #expect(hello.recovery == nil)
        client.hangUp()
        while try client.receive() != nil {}
        try host.expect(unchangedSince: before)
    }

    @Test func `the lock names its holder only while it is held`() throws {
        let host = try TestHost()
        try host.deploy(old, 1)
        #expect(host.read("/var/lib/deptool/store/lock") == "")
        let client = try host.session().client
        client.send(.prepare(Plan(from: (old, 1), to: new, 2).preparation))
        while let reply = try client.receive(), reply != .locked {}
        #expect(host.read("/var/lib/deptool/store/lock")?.contains("Ada <ada@example.com>") == true)
        try host.end(client)
        #expect(host.read("/var/lib/deptool/store/lock") == "")
    }
}

@Suite struct CommandTests {
    private func command(_ root: String = "") -> Command {
        Command(system: System(root: root), interruption: Uninterrupted())
    }

    @Test func `a program returns its status and its output`() throws {
        let result = try command().run(["sh", "-c", "echo out; echo err >&2; exit 3"])
        #expect(result.status == 3)
        #expect(result.text == "out\nerr\n")
        #expect(try command().run(["sh", "-c", "kill -9 $$"]).status == 137)
    }

    @Test func `arguments are passed as they are`() throws {
        let arguments = ["", " ", "$HOME", "a\nb", "'\"", "*", "ä"]
        let result = try command().run(["printf", "%s|"] + arguments)
        #expect(result.text == arguments.joined(separator: "|") + "|")
    }

    @Test func `a missing program is an error`() {
        #expect(throws: AgentError(.system(operation: "run", path: "no-such-program", code: 2))) {
            try command().run(["no-such-program"])
        }
    }

    @Test func `programs inherit no open file, so none can hold the lock`() throws {
        let host = try TestHost()
        let system = System(root: host.root)
        try system.makeDirectories(Layout.store, mode: 0o700)
        guard case .acquired(let lock) = try HostLock.acquire(system, for: LockHolder(name: "x", since: 0)) else {
            Issue.record("not acquired")
            return
        }
        let result = try command().run(["sh", "-c", "ls -l /proc/self/fd"])
        // Other tests of this process may have their own files open; it is about this host's.
        #expect(!result.text.contains(host.root))
        lock.clear()
    }

    @Test func `a program that takes too long is killed with all its children`() throws {
        let begun = csys_monotonic_ns()
        let marker = "314159.\(UInt32.random(in: 0...UInt32.max))"
        #expect(throws: AgentError(.timeout(arguments: ["sh", "-c", "sleep \(marker) & sleep \(marker)"], seconds: 0))) {
            try command().run(["sh", "-c", "sleep \(marker) & sleep \(marker)"], limit: .milliseconds(200))
        }
        #expect(csys_monotonic_ns() - begun < 10_000_000_000)
        // On a busy machine, a killed process takes a moment to end.
        var isRunning = true
        for _ in 0..<500 where isRunning {
            usleep(10_000)
            isRunning = try command().run(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]).text.contains("sleep \(marker)")
        }
        #expect(!isRunning)
    }

    @Test func `ended programs leave no zombies`() throws {
        for _ in 0..<20 { _ = try command().run(["true"]) }
        let children = try command().run(["sh", "-c", "cat /proc/$PPID/task/*/children"]).text
        for child in children.split(whereSeparator: { $0.isWhitespace }) {
            let status = (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)) ?? ""
            #expect(!status.contains("(true) Z"))
        }
    }

    @Test func `endless output of a program fills no memory`() throws {
        let result = try command().run(["sh", "-c", "head -c 40000000 /dev/zero"])
        #expect(result.status == 0)
        #expect(result.output.count <= Command.outputLimit + 16384)
        // As systemctl prints them for several thousand mounts.
        #expect(try command().run(["head", "-c", "4500000", "/dev/zero"]).output.count == 4_500_000)
    }

    private final class Impatient: Interruption {
        var reason: Problem? { .cancelled }
        var descriptor: Int32 { -1 }
    }

    @Test func `an interruption ends a program, except one that must run to its end`() throws {
        let command = Command(system: System(), interruption: Impatient())
        #expect(throws: AgentError(.cancelled)) { try command.run(["sleep", "100"]) }
        #expect(try command.run(["echo", "x"], heeding: false).text == "x\n")
    }
}
