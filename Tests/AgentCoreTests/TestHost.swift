import CSystem
import Foundation
import Model
import Testing
import Wire

@testable import AgentCore

func shutdownWrite(_ descriptor: Int32) -> Int32 { shutdown(descriptor, Int32(SHUT_WR)) }

/// A host without systemd, all of it in a temporary directory.
final class TestHost {
    static let ownName = "deptool-agent-1-aaaaaaaaaa"

    let root: String

    /// On a file system in memory where there is one: the agent syncs often.
    static let temporary = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()

    init() throws {
        csys_ignore_hangup_and_pipe()
        root = Self.temporary + "/deptool-test-\(UUID())"
        try FileManager.default.createDirectory(atPath: root + "/etc", withIntermediateDirectories: true)
        try Data("web1\n".utf8).write(to: URL(filePath: root + "/etc/hostname"))
        try #require(csys_set_mtime(root + "/etc/hostname", 1_700_000_000_000_000_000) == 0)
    }

    /// A copy of `other` in its present state.
    init(copyOf other: TestHost) throws {
        root = Self.temporary + "/deptool-test-\(UUID())"
        try run(["cp", "-a", other.root, root])
    }

    init(_ disk: Disk) throws {
        root = Self.temporary + "/deptool-test-\(UUID())"
        try disk.write(to: root)
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func real(_ path: String) -> String { root + path }

    // MARK: Sessions

    /// Starts an agent on a thread of its own, and returns the client's end.
    func connect(gate: (any OperationGate)? = nil) throws -> Client {
        var (ours, theirs): (Int32, Int32) = (-1, -1)
        try #require(csys_socketpair(&ours, &theirs) == 0)
        nonisolated(unsafe) let gate = gate
        let (root, end) = (root, theirs)
        Thread.detachNewThread {
            // These clients send no keepalives, and a disk may be slow.
            let port = ClientChannel(input: end, output: end, timeout: .seconds(600))
            Agent(system: System(root: root, gate: gate), port: port, executor: InlineExecutor(), ownName: TestHost.ownName).run()
            _ = csys_close(end)
        }
        return Client(ours)
    }

    /// A session that has been greeted.
    func session(gate: (any OperationGate)? = nil) throws -> (client: Client, hello: Hello) {
        let client = try connect(gate: gate)
        let reply = try client.greet()
        guard case .hello(let hello) = reply else { throw Refused(reply: reply) }
        return (client, hello)
    }

    struct Refused: Error { var reply: Reply }

    /// Waits for the agent's end, so that it does nothing to the host afterwards.
    func end(_ client: Client) throws {
        client.hangUp()
        while try client.receive() != nil {}
        client.close()
        // A process that another test forked meanwhile holds the lock as well, until it becomes another program.
        for _ in 0..<500 where try !isLockFree() { usleep(10_000) }
        #expect(try isLockFree())
    }

    /// A whole deploy in a session of its own.
    @discardableResult
    func deploy(_ plan: Plan, gate: (any OperationGate)? = nil) throws -> Client.Ending {
        let client = try session(gate: gate).client
        let ending = try client.deploy(plan)
        try end(client)
        return ending
    }

    /// A deploy that has to succeed.
    func deploy(_ wanted: Wanted, _ number: Int, after old: (wanted: Wanted, number: Int)? = nil) throws {
        let ending = try deploy(Plan(from: old, to: wanted, number))
        try #require(ending == .finished(.deployed))
    }

    // MARK: Files

    func write(_ path: String, _ text: String, mode: Int = 0o644) throws {
        let directory = URL(filePath: real(path)).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(filePath: real(path)))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: real(path))
    }

    func read(_ path: String) -> String? {
        FileManager.default.contents(atPath: real(path)).map { String(decoding: $0, as: UTF8.self) }
    }

    func symlink(_ path: String, to target: String) throws {
        let directory = URL(filePath: real(path)).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: real(path), withDestinationPath: target)
    }

    /// Of root's, or only the last of the directories of the user `owner`'s.
    func makeDirectory(_ path: String, owner: UInt32? = nil) throws {
        try FileManager.default.createDirectory(atPath: real(path), withIntermediateDirectories: true)
        if let owner { try #require(lchown(real(path), owner, owner) == 0) }
    }

    func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: real(path)) }

    func target(_ path: String) -> String? { try? FileManager.default.destinationOfSymbolicLink(atPath: real(path)) }

    func exists(_ path: String) -> Bool {
        var status = csys_stat()
        return csys_lstat(real(path), &status) == 0
    }

    func mode(_ path: String) -> String? {
        var status = csys_stat()
        guard csys_lstat(real(path), &status) == 0 else { return nil }
        return String(status.mode, radix: 8)
    }

    func names(_ path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: real(path))) ?? []).sorted()
    }

    // MARK: Listing

    /// Everything on the host: kind, mode, owner and content of each path, without the log and the lock's content.
    func listing() throws -> [String: String] {
        var listing: [String: String] = [:]
        // Their time is that of the version's file, which is the time of its deploy.
        let stored = FileManager.default.contents(atPath: real("/var/lib/deptool/store/record"))
        let record = try? stored.map { try StoredRecord(decoding: Array($0)).record }
        let placed = Set((record?.placed ?? []).map(\.path.text))
        func visit(_ path: String) throws {
            var status = csys_stat()
            try #require(csys_lstat(real(path), &status) == 0)
            let owner = "\(String(status.mode, radix: 8)) \(status.uid):\(status.gid)"
            switch status.kind {
            case csys_kind_directory:
                listing[path] = "directory \(owner)"
                for name in try FileManager.default.contentsOfDirectory(atPath: real(path)) { try visit(path + "/" + name) }
            case csys_kind_symlink: listing[path] = "symlink to " + (target(path) ?? "?")
            case csys_kind_regular where path == "/var/lib/deptool/store/lock": listing[path] = "lock \(owner)"
            case csys_kind_regular:
                let content = try #require(FileManager.default.contents(atPath: real(path)))
                // Foreign files keep their times as well.
                let time =
                    path.hasPrefix("/var/lib/deptool/") || path.hasPrefix("/run/deptool/") || placed.contains(path)
                    ? "" : " \(status.mtime_ns)"
                listing[path] = "file \(owner)\(time) \(ObjectID.of(.blob, Array(content)).hex)"
            default: listing[path] = "other \(owner)"
            }
        }
        try visit("")
        listing["/var/lib/deptool/store/log"] = nil
        return listing
    }

    /// The problems of a host that should run `wanted` by deploy `number`, without the links that somebody replaced; empty if
    /// there are none.
    func problems(running wanted: Wanted, _ number: Int, replaced: Set<String> = []) throws -> [String] {
        var problems: [String] = []
        func expect(_ condition: Bool, _ text: @autoclosure () -> String) { if !condition { problems.append(text()) } }
        let record = wanted.record(number)
        let stored = FileManager.default.contents(atPath: real("/var/lib/deptool/store/record"))
        expect((try? stored.map { try StoredRecord(decoding: Array($0)).record }) == record, "the record is another")
        expect(
            Set(names("/var/lib/deptool/store")).subtracting(["kept", "log"]) == ["lock", "record"],
            "store has \(names("/var/lib/deptool/store"))")
        expect(names("/var/lib/deptool/apps") == wanted.apps.keys.sorted(), "apps are \(names("/var/lib/deptool/apps"))")
        for (name, app) in wanted.apps {
            let directory = "/var/lib/deptool/apps/" + name
            let current = target(directory + "/current")
            let previous = target(directory + "/previous")
            expect(current.flatMap { Version($0) } != nil, "\(name): current is \(current ?? "missing")")
            let expected = ["current"] + (previous == nil ? [] : ["previous"]) + Set([current, previous].compactMap { $0 })
            expect(Set(names(directory)) == Set(expected), "\(name) has \(names(directory)), not \(expected)")
            var found: [String: Wanted.File] = [:]
            let base = directory + "/" + (current ?? "")
            for case let path as String in FileManager.default.enumerator(atPath: real(base)) ?? .init() {
                let mode = self.mode(base + "/" + path)
                if let content = FileManager.default.contents(atPath: real(base + "/" + path)) {
                    found[path] = Wanted.File(bytes: Array(content))
                    let modes = app.group == nil ? ["444", "555"] : ["440", "550"]
                    found[path]?.isExecutable = mode == modes[1]
                    expect(modes.contains(mode ?? ""), "\(path) has mode \(mode ?? "none")")
                } else {
                    expect(mode == "755", "directory \(path) has mode \(mode ?? "none")")
                }
            }
            expect(found == app.files, "\(name) has \(found.keys.sorted()) instead of \(app.files.keys.sorted()), or others")
        }
        let open = wanted.apps.filter { !$0.value.secrets.isEmpty }
        expect(names("/run/deptool/secrets") == open.keys.sorted(), "open are \(names("/run/deptool/secrets"))")
        for (name, app) in open {
            let directory = "/run/deptool/secrets/" + name
            expect(mode(directory) == (app.group == nil ? "700" : "750"), "\(directory) has mode \(mode(directory) ?? "none")")
            var found: [String: String] = [:]
            for secret in names(directory) {
                let path = directory + "/" + secret
                found[secret] = FileManager.default.contents(atPath: real(path)).map { String(decoding: $0, as: UTF8.self) }
                expect(mode(path) == (app.group == nil ? "400" : "440"), "\(path) has mode \(mode(path) ?? "none")")
            }
            expect(found == app.secrets, "open of \(name) is \(found)")
        }
        for link in record.links where !replaced.contains(link.path.text) {
            expect(target(link.path.text) == link.target.text, "\(link.path.text) is \(target(link.path.text) ?? "missing")")
        }
        for file in record.placed where !replaced.contains(file.path.text) {
            let content = FileManager.default.contents(atPath: real(file.path.text)).map { ObjectID.of(.blob, Array($0)) }
            expect(
                target(file.path.text) == nil && content == record.content(of: file.source, in: file.app), "\(file.path.text) is another")
            expect(
                mode(file.path.text) == String(file.access.mode, radix: 8), "\(file.path.text) has mode \(mode(file.path.text) ?? "none")")
        }
        for (path, what) in try listing() {
            expect(!path.hasSuffix(".new") && !path.contains("/.deptool-") && !path.hasSuffix(".staging"), "left over: \(path)")
            let isOurs = what.hasPrefix("symlink to /var/lib/deptool/")
            expect(!isOurs || record.links.contains { $0.path.text == path }, "stray link: \(path)")
        }
        expect(try isLockFree(), "the lock is held")
        return problems
    }

    func expect(
        running wanted: Wanted, _ number: Int, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let problems = try problems(running: wanted, number)
        #expect(problems == [], comment, sourceLocation: sourceLocation)
    }

    func expect(
        unchangedSince before: [String: String], _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let changes = difference(before, try listing())
        #expect(changes == [], comment, sourceLocation: sourceLocation)
    }

    /// Whether the lock is free, as the kernel lists them (proc_locks(5)): a try would hold it.
    ///
    /// A program that another test starts in this moment has it too, until its exec(3), so this waits a little.
    func isLockFree(within milliseconds: Int = 2000) throws -> Bool {
        var status = csys_stat()
        guard csys_lstat(real("/var/lib/deptool/store/lock"), &status) == 0 else { return true }
        for _ in 0...milliseconds {
            let locks = try String(contentsOfFile: "/proc/locks", encoding: .utf8)
            if !locks.contains(":\(status.inode) ") { return true }
            usleep(1000)
        }
        return false
    }
}

/// The differences, one line a path.
func difference(_ old: [String: String], _ new: [String: String]) -> [String] {
    Set(old.keys).union(new.keys).sorted().filter { old[$0] != new[$0] }.map {
        "\($0): \(old[$0] ?? "nothing") -> \(new[$0] ?? "nothing")"
    }
}

/// Runs a program of this machine to its end.
func run(_ arguments: [String]) throws {
    var bytes: [UInt8] = []
    for argument in arguments { bytes += Array(argument.utf8) + [0] }
    let null = csys_open_null()
    defer { _ = csys_close(null) }
    let pid = bytes.withUnsafeBytes { csys_spawn($0.baseAddress, $0.count, arguments.count, null, null, null) }
    try #require(pid > 0 && csys_wait(pid, true) == 0, "\(arguments)")
}
