import Foundation
import Git
import Model
import Synchronization
import Testing

/// Concurrent users of one store. A thread with a handle of its own counts as a process, since the locks belong to open files.
@Suite struct SharingTests {
    private static let parties = 8
    private static let rounds = 12

    /// Runs `body` on threads of their own, each with its own handle.
    private func atOnce(_ path: String, _ body: @escaping @Sendable (Int, Store) throws -> Void) -> [String] {
        let errors = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: Self.parties) { party in
            do {
                try body(party, try Store.open(at: path))
            } catch {
                errors.withLock { $0.append("\(error)") }
            }
        }
        return errors.withLock { $0 }
    }

    @Test func `every commit is a child of the last one, and none is lost`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        let tree = try store.importCluster(at: workshop.cluster)
        let errors = atOnce(store.path) { party, store in
            let web = try host("web\(party)")
            for round in 0..<Self.rounds {
                try store.exclusively { () throws(StoreError) in
                    // All of them in one second, by one author.
                    let commit = try store.commit(
                        tree: tree, parent: try store.lastCommit(), author: Author(name: "Ada", email: "a@x"), message: "Deploy",
                        time: 1_700_000_000)
                    try store.note([.forgotten(time: 1, web, commit: commit)])
                    try store.setLastCommit(commit, reason: "deploy")
                }
                let commit = try #require(try store.lastCommit())
                try store.setDeployed(web, commit, reason: "deploy")
                if round % 3 == 0 { try store.setDeployed(web, nil, reason: "forgotten") }
                try store.setConfiguration("deptool.mark\(party)", "\(round)")
            }
        }
        #expect(errors == [])
        let count = Self.parties * Self.rounds
        #expect(try workshop.git("-C", store.path, "rev-list", "--count", "main") == "\(count)")
        #expect(try workshop.git("-C", store.path, "reflog", "--format=%H", "main").split(separator: "\n").count == count)
        var noted: Set<ObjectID> = []
        try store.readHistory { event in
            if case .forgotten(_, _, let commit) = event { noted.insert(commit) }
            return true
        }
        #expect(noted.count == count)
        for party in 0..<Self.parties { #expect(try store.configuration("deptool.mark\(party)") == "\(Self.rounds - 1)") }
        try workshop.git("-C", store.path, "fsck", "--strict")
    }

    @Test func `an update based on an older state of a host is refused`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        let tree = try store.importCluster(at: workshop.cluster)
        let commits = try (0..<3).map { try store.commit(tree: tree, parent: nil, author: store.author(), message: "x", time: Int64($0)) }
        let web = try host("web1")
        #expect(try store.setDeployed(web, commits[0], insteadOf: nil, reason: "x"))
        #expect(try !store.setDeployed(web, commits[1], insteadOf: nil, reason: "x"))
        #expect(try !store.setDeployed(web, nil, insteadOf: commits[1], reason: "x"))
        #expect(try store.deployedCommit(web) == commits[0])
        #expect(try store.setDeployed(web, commits[2], insteadOf: commits[0], reason: "x"))
        #expect(try store.setDeployed(web, nil, insteadOf: commits[2], reason: "x"))
        #expect(try store.deployedCommit(web) == nil)
    }

    @Test func `a short lock of git is waited for`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        let commit = try store.commit(
            tree: try store.importCluster(at: workshop.cluster), parent: nil, author: store.author(), message: "x", time: 1)
        let locks = ["refs/heads/main.lock", "config.lock"].map { store.path + "/" + $0 }
        for lock in locks { try "".write(toFile: lock, atomically: false, encoding: .utf8) }
        DispatchQueue.global().asyncAfter(deadline: .now() + 0.2) {
            for lock in locks { try? FileManager.default.removeItem(atPath: lock) }
        }
        try store.setLastCommit(commit, reason: "x")
        try store.setConfiguration("deptool.mark", "x")
        #expect(try store.lastCommit() == commit)
    }

    @Test func `several processes repack at once`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        for number in 0..<52 {
            for file in 0..<70 { try workshop.write("web1/app/\(file)", "\(number) \(file)\n") }
            let tree = try store.importCluster(at: workshop.cluster)
            try store.setLastCommit(
                try store.commit(tree: tree, parent: try store.lastCommit(), author: store.author(), message: "x", time: Int64(number)),
                reason: "x")
        }
        let before = try workshop.git("-C", store.path, "rev-list", "--objects", "main")
        #expect(atOnce(store.path) { _, store in try store.repack() } == [])
        try workshop.git("-C", store.path, "fsck", "--strict")
        #expect(try workshop.git("-C", store.path, "rev-list", "--objects", "main") == before)
    }
}
