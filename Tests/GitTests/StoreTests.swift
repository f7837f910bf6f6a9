import Foundation
import Git
import Model
import TestSupport
import Testing

@Suite struct StoreTests {
    private let author = Author(name: "Ada", email: "ada@example.com")

    @Test func `a new store is private, and an existing one is opened`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        #expect(try FileManager.default.attributesOfItem(atPath: store.path)[.posixPermissions] as? Int == 0o700)
        try store.setConfiguration("deptool.mark", "here")
        #expect(try workshop.store().configuration("deptool.mark") == "here")
        #expect(try workshop.git("-C", store.path, "rev-parse", "--is-bare-repository") == "true")
        #expect(try workshop.git("-C", store.path, "symbolic-ref", "HEAD") == "refs/heads/main")
    }

    @Test func `a store in a repository of the operator stays out of its commits`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        let repository = URL(filePath: store.path).deletingLastPathComponent().path
        _ = try workshop.git("-C", repository, "init", "-q")
        #expect(try workshop.git("-C", repository, "status", "--porcelain", "--untracked-files=all", "--", store.path) == "")
    }

    @Test func `a store is found from a directory below`() throws {
        let workshop = try Workshop()
        let made = try Store.create(at: workshop.path + "/.deptool")
        try workshop.directory("web1/app")
        #expect(try Store.find(from: workshop.cluster + "/web1/app").path == made.path)
        #expect(try Store.find(from: workshop.path).path == made.path)
        #expect(throws: StoreError.notFound(from: "/", before: nil)) { try Store.find(from: "/") }
    }

    @Test func `a directory that is not a store is refused`() throws {
        let workshop = try Workshop()
        try workshop.write("web1/app/x", "")
        #expect(throws: StoreError.notAStore(path: workshop.cluster)) { try Store.open(at: workshop.cluster) }
        #expect(throws: StoreError.notAStore(path: workshop.cluster)) { try Store.create(at: workshop.cluster) }
    }

    @Test func `commits have their author, message and time`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        let store = try workshop.store()
        let tree = try store.importCluster(at: workshop.cluster)
        let first = try store.commit(tree: tree, parent: nil, author: author, message: "Deploy", time: 1_700_000_000)
        let second = try store.commit(tree: tree, parent: first, author: author, message: "Again\n\nBody", time: 1_700_000_001)
        let info = try store.commitInfo(second)
        #expect(
            info
                == Commit(
                    id: second, tree: tree, parents: [first], author: author, time: 1_700_000_001, message: "Again\n\nBody"))
        #expect(
            try workshop.git("-C", store.path, "log", "--format=%an <%ae> %at %s", second.hex)
                == "Ada <ada@example.com> 1700000001 Again\nAda <ada@example.com> 1700000000 Deploy")
        try workshop.git("-C", store.path, "fsck", "--strict")
    }

    @Test func `an author cannot break a commit`() throws {
        let bad = Author(name: " A<b>\nparent x", email: "<e@x>\n")
        #expect(bad.text == "Abparent x <e@x>")
    }

    @Test func `objects are read as they were written, also in another store`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        let store = try workshop.store()
        let tree = try store.importCluster(at: workshop.cluster)
        let commit = try store.commit(tree: tree, parent: nil, author: author, message: "x", time: 1)
        let other = try Store.create(at: workshop.path + "/other")
        for id in [tree, commit] {
            let object = try store.object(id)
            #expect(object.id == id)
            #expect(!other.contains(id))
            #expect(try other.write(object) == id)
            #expect(other.contains(id))
        }
        #expect(throws: StoreError.missingObject(try other.tree(tree)[0].id)) { try other.object(try other.tree(tree)[0].id) }
    }

    @Test func `hosts with look-alike names keep their own commits`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        let tree = try store.importCluster(at: workshop.cluster)
        let names = ["a", "a.b", "a-b", "A1", "web1.example.com", "x_y", "locks", "main"].sorted()
        for (time, name) in names.enumerated() {
            let commit = try store.commit(tree: tree, parent: nil, author: author, message: "x", time: Int64(time))
            try store.setDeployed(try host(name), commit, reason: "deploy to \(name)")
        }
        let all = try store.deployedCommits()
        #expect(all.map(\.host.text) == names)
        for (time, item) in all.enumerated() { #expect(try store.commitInfo(item.commit).time == Int64(time)) }
        #expect(try workshop.git("-C", store.path, "reflog", "--format=%gs", "refs/remotes/a.b") == "deploy to a.b")
        try store.setDeployed(try host("a"), nil, reason: "gone")
        try store.setDeployed(try host("a"), nil, reason: "gone")
        #expect(try store.deployedCommit(try host("a")) == nil)
        #expect(try store.deployedCommits().map(\.host.text) == names.filter { $0 != "a" })
    }

    @Test(arguments: ["a..b", "a.lock", "a."]) func `a host that Git cannot name is refused`(name: String) throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        let tree = try host(name)
        #expect(throws: StoreError.unusableHostname(tree)) { try store.setDeployed(tree, .of(.blob, []), reason: "x") }
    }

    @Test func `the last commit is remembered`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        #expect(try store.lastCommit() == nil)
        let tree = try store.importCluster(at: workshop.cluster)
        let commit = try store.commit(tree: tree, parent: nil, author: author, message: "x", time: 1)
        try store.setLastCommit(commit, reason: "deploy")
        #expect(try store.lastCommit() == commit)
    }

    @Test func `a locked reference is a busy store`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        let commit = try store.commit(
            tree: try store.importCluster(at: workshop.cluster), parent: nil, author: author, message: "x", time: 1)
        let web = try host("web1")
        try store.setDeployed(web, commit, reason: "x")
        try "".write(toFile: store.path + "/refs/remotes/web1.lock", atomically: false, encoding: .utf8)
        do {
            try store.setDeployed(web, commit, reason: "y")
            Issue.record("the lock was not noticed")
        } catch { #expect(error.phrase == "another process is using the store") }
    }

    @Test func `settings can be set and unset`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        #expect(try store.configuration("deptool.settle") == nil)
        try store.setConfiguration("deptool.settle", "2s")
        #expect(try store.configuration("deptool.settle") == "2s")
        try store.setConfiguration("deptool.settle", nil)
        try store.setConfiguration("deptool.settle", nil)
        #expect(try store.configuration("deptool.settle") == nil)
        try store.setConfiguration("user.name", "Grace")
        try store.setConfiguration("user.email", "grace@example.com")
        #expect(store.author() == Author(name: "Grace", email: "grace@example.com"))
    }
}

@Suite struct BlobTests {
    @Test func `a limit is kept`() throws {
        let workshop = try Workshop()
        try workshop.write("web1/app/file", "12345")
        let store = try workshop.store()
        _ = try store.importCluster(at: workshop.cluster)
        let id = ObjectID.of(.blob, Array("12345".utf8))
        #expect(try store.blobSize(id) == 5)
        #expect(try store.blob(id, limit: 5) == Array("12345".utf8))
        #expect(throws: StoreError.objectTooLarge(id, size: 5, limit: 4)) { try store.blob(id, limit: 4) }
        let missing = ObjectID.of(.blob, [1])
        #expect(throws: StoreError.missingObject(missing)) { try store.blob(missing, limit: 5) }
    }

    @Test func `threads read at the same time, before and after git gc`() async throws {
        let workshop = try Workshop()
        var random = Seeded(1)
        var contents: [ObjectID: [UInt8]] = [:]
        for (index, size) in [0, 1, 999, 70_000, (1 << 20) + 3].enumerated() {
            let start = UInt8.random(in: 0...255, using: &random)
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) ^ start }
            try workshop.write("web1/app/\(index)", bytes)
            contents[.of(.blob, bytes)] = bytes
        }
        let store = try workshop.store()
        let tree = try store.importCluster(at: workshop.cluster)
        try store.setLastCommit(
            try store.commit(tree: tree, parent: nil, author: store.author(), message: "x", time: 1), reason: "x")
        for isPacked in [false, true] {
            if isPacked { try workshop.git("-C", store.path, "gc", "-q") }
            let (path, expected) = (store.path, contents)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let reader = try BlobReader(store: path)
                        return try expected.allSatisfy { id, bytes in
                            let content = try reader.open(id)
                            var read: [UInt8] = []
                            while case let piece = try content.next(65536), !piece.isEmpty { read += piece }
                            return read == bytes && content.size == UInt64(bytes.count)
                        }
                    }
                }
                for try await same in group { #expect(same) }
            }
        }
    }

    @Test func `a large file is read in pieces of any size, and damage is an error`() throws {
        let workshop = try Workshop()
        let bytes = (0..<(3 << 20 | 12_345)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try workshop.write("web1/app/large", bytes)
        let store = try workshop.store(), id = ObjectID.of(.blob, bytes)
        _ = try store.importCluster(at: workshop.cluster)
        for size in [1000, 65535, 65536, 131_072, 300_000, 5 << 20] {
            let content = try BlobReader(store: store.path).open(id)
            var read: [UInt8] = []
            while case let piece = try content.next(size), !piece.isEmpty {
                #expect(piece.count == min(size, bytes.count - read.count))
                read += piece
            }
            #expect(read == bytes)
            let rest = try BlobReader(store: store.path).open(id)
            try rest.skip(2 << 20)
            #expect(try rest.next(10) == Array(bytes[(2 << 20)..<((2 << 20) + 10)]))
        }
        try workshop.run("cd \(store.path)/objects && chmod u+w ??/* && truncate -s 2000000 \(id.hex.prefix(2))/\(id.hex.dropFirst(2))")
        let damaged = try BlobReader(store: store.path).open(id)
        #expect(throws: StoreError.damagedObject(id)) { while try !damaged.next(1 << 20).isEmpty {} }
        try workshop.run("rm \(store.path)/objects/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))")
        // As Git itself writes it.
        try workshop.git("-C", store.path, "-c", "core.compression=9", "hash-object", "-w", workshop.cluster + "/web1/app/large")
        #expect(try BlobReader(store: store.path).open(id).next(bytes.count) == bytes)
    }
}
