import CSystem
import Foundation
import Git
import Model
import SSH
import Wire

@testable import AgentCore
@testable import Deployment
@testable import TestSupport

// The larger targets: each side of a conversation, fed by a hostile other one, and the store.

// MARK: The client's side

/// Gives a stream in pieces of uneven size.
private final class Replayed: RemoteStream {
    private var rest: ArraySlice<UInt8>
    let standardError: [UInt8]

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
        standardError = Array(bytes.prefix(20))
    }

    func write(_ bytes: [UInt8], deadline: Deadline) throws(SSHError) {}
    func write(_ secret: Secret, deadline: Deadline) throws(SSHError) {}
    func waitForOutput(deadline: Deadline) throws(SSHError) -> Bool { true }
    func closeWrite(deadline: Deadline) throws(SSHError) {}
    func exitStatus(deadline: Deadline) throws(SSHError) -> SSH.ExitStatus { .code(1) }

    func read(max: Int, deadline: Deadline) throws(SSHError) -> [UInt8] {
        let piece = Array(rest.prefix(1 + Int(rest.first ?? 0) % 40))
        rest = rest.dropFirst(piece.count)
        return piece
    }
}

let conversations: [[UInt8]] = {
    var random = Seeded(2)
    let greeting = Frame.magic + Frame.encode(random.reply()) + Frame.encode(random.reply())
    let printed = [
        "", "Welcome!\n", "DEPTOOL-NEED x86_64\n", "no newline DEPTOOL-NEED aarch64\n", "DEPTOOL-FAILED mkdir\n",
        "DEPTOOL-FAILED cpu Linux riscv64\n", "sudo: a password is required\n",
    ]
    return printed.map { Array($0.utf8) + greeting }
}()

@Sendable func converse(_ input: [UInt8]) throws {
    let agents = [BundledAgent(cpu: "x86_64", sha256: "ab", bytes: UnsafeBufferPointer(start: nil, count: 0))]
    do throws(HostError) {
        var conversation = try Conversation(Replayed(input), bootstrap: Bootstrap(agents: agents)) {}
        while true { _ = try conversation.receive(deadline: .never) }
    } catch {
        _ = error
    }
}

// MARK: The agent's side

private let files: [(path: String, content: [UInt8])] = [("a", Array("one\n".utf8)), ("dir/b", [0, 255]), ("c", [])]

/// A deploy of an app with three files and a link, the `number`th.
private func script(_ number: Int, expected: ObjectID?) throws -> (requests: [Request], commit: ObjectID) {
    guard let app = AppName("web") else { throw Broken("the sample has a bad name") }
    let commit = RecordedObject(kind: .commit, bytes: Array("deploy \(number)".utf8))
    let link = Link(path: try AbsolutePath("/etc/web.conf"), app: app, source: try RelativePath("a"))
    let entries = try files.map { FileEntry(path: try RelativePath($0.path), isExecutable: false, id: .of(.blob, $0.content)) }
    let record = Record(
        commit: commit.id, author: "Ann", time: 1, objects: [commit], apps: [DeployedApp(name: app, files: entries)],
        links: [link], units: [])
    let steps = [Step(app, .checkout(for: .everybody)), Step(app, .activate), Step(app, .link(path: link.path, source: link.source))]
    let contents = files.map { Content(id: .of(.blob, $0.content), size: UInt64($0.content.count)) }
    let preparation = Preparation(expected: expected, holder: "Ann", record: record, contents: contents, steps: steps)
    return (
        [.prepare(preparation)] + files.map { .content($0.content[...]) } + [
            .apply, .record, .fetch(contents.map(\.id)), .verify([]), .read([link.path, app.current]), .ping,
        ], commit.id
    )
}

let sessions: [[UInt8]] = {
    guard let first = try? script(1, expected: nil), let second = try? script(2, expected: first.commit) else { return [] }
    return [first.requests, first.requests + second.requests, [.record, .ping, .cancel]].map { $0.flatMap { Frame.encode($0) } }
}()

/// A session of an agent, in a directory of its own that represents the host.
@Sendable func serve(_ input: [UInt8]) throws {
    let root = "/dev/shm/deptool-fuzz-\(getpid())"
    try? FileManager.default.removeItem(atPath: root)
    try FileManager.default.createDirectory(atPath: root + "/etc", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    try Data(input.prefix(40)).write(to: URL(filePath: root + "/etc/hostname"))
    var (ours, theirs): (Int32, Int32) = (-1, -1)
    guard csys_socketpair(&ours, &theirs) == 0 else { throw Broken("no sockets") }
    let end = theirs
    let agent = Thread {
        Agent(system: System(root: root), port: ClientChannel(input: end, output: end), executor: InlineExecutor(), ownName: "agent").run()
        _ = csys_close(end)
    }
    agent.start()
    defer { _ = csys_close(ours) }
    let client = ours
    Thread.detachNewThread {
        var rest = input[...]
        while !rest.isEmpty, case let count = rest.withUnsafeBytes({ csys_send(client, $0.baseAddress, $0.count) }), count > 0 {
            rest = rest.dropFirst(Int(count))
        }
        shutdown(client, Int32(SHUT_WR))
    }
    // A client must be able to decode all of its replies.
    var said: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = csys_read(ours, &buffer, buffer.count), count > 0 { said += buffer[..<Int(count)] }
    guard said.starts(with: Frame.magic) else { throw Broken("the agent does not greet") }
    var decoder = FrameDecoder()
    decoder.append(said.dropFirst(Frame.magic.count))
    while try decoder.next(Reply.self) != nil {}
    guard decoder.isEmpty else { throw Broken("the agent ends in the middle of a message") }
    for name in try FileManager.default.contentsOfDirectory(atPath: root) where !["etc", "var"].contains(name) {
        throw Broken("the agent made /\(name)")
    }
}

let journals: [[UInt8]] = {
    guard let app = AppName("web"), let unit = UnitName("web.service"), let path = try? AbsolutePath("/etc/a") else { return [] }
    let journal = Journal(
        machineID: "ab", commit: .of(.commit, []),
        priors: [
            .versions(app, current: "0123456789", previous: nil), .app(app), .path(path, .nothing), .path(path, .symlink(to: "b")),
            .placed(path, .nothing, content: Content(id: .of(.blob, []), size: 3)), .placed(path, .kept(copy: 5), content: nil),
            .placed(path, .symlink(to: "/var/lib/deptool/apps/web/current/a"), content: Content(id: .of(.blob, []), size: 3)),
            .path(path, .file(copy: 3)), .path(path, .kept(copy: 4)), .noDirectory(path),
        ],
        units: [
            Journal.PriorUnit(name: unit, state: .up, isEnabled: false, isEnablementTouched: true, limit: .seconds(90), invocation: "ab")
        ],
        needsReload: true)
    return [journal.encoded]
}()

// MARK: The store

// Of the one thread that runs targets.
nonisolated(unsafe) let store: Store? = {
    let path = "/dev/shm/deptool-fuzz-store-\(getpid())"
    atexit { try? FileManager.default.removeItem(atPath: "/dev/shm/deptool-fuzz-store-\(getpid())") }
    return try? Store.create(at: path)
}()

/// Records of hosts whose trees hang together.
let records: [[UInt8]] = {
    func tree(_ entries: [(mode: String, name: String, id: ObjectID)]) -> RecordedObject {
        RecordedObject(kind: .tree, bytes: entries.flatMap { Array("\($0.mode) \($0.name)".utf8) + [0] + $0.id.bytes })
    }
    let blob = ObjectID.of(.blob, Array("hi\n".utf8))
    return ["file", "../../../evil", ".git", "a/b"].map { name in
        let app = tree([("100644", name, blob), ("100755", "run", blob)])
        let host = tree([("40000", "web", app.id)])
        let root = tree([("40000", "web1", host.id), ("40000", "web2", .of(.tree, [1]))])
        let commit = RecordedObject(
            kind: .commit,
            bytes: Array(
                "tree \(root.id.hex)\nauthor Ann <ann@example.com> 1700000000 +0000\ncommitter Ann <ann@example.com> 1700000000 +0000\n\nDeploy\n"
                    .utf8))
        return Record(
            commit: commit.id, author: "Ann", time: 1, objects: [commit, root, host, app], apps: [], links: [], units: []
        ).encoded
    }
}()

/// Takes over a damaged record whose ids were made to fit again, which a host can do as well.
@Sendable func adopt(_ input: [UInt8]) throws {
    guard let store, let host = Hostname("web1") else { throw Broken("there is no store") }
    guard var record = try? Record(decoding: input) else { return }
    if let commit = record.objects.first(where: { $0.kind == .commit }) { record.commit = commit.id }
    do throws(AdoptionError) { _ = try store.adopt(record, of: host) } catch { return }
    _ = try? store.commitInfo(record.commit)
}
