import Git
import Model
import Planning
import TestSupport
import Testing
import Wire

@testable import Deployment

@Suite struct PlanFileTests {
    private let cluster: Cluster
    private let web1: Hostname

    init() throws {
        cluster = try Cluster()
        web1 = try hostname("web1")
        try cluster.write("web1/app/manifest.json", manifest(units: ["a.service"]))
        try cluster.write("web1/app/systemd/a.service", "[Service]\n")
        try cluster.write("web1/app/conf/deep/file", "one\n")
        try cluster.write("web2/secret/file", "POISON\n")
        try cluster.deploy(to: "web1", "web2")
        try cluster.write("web1/app/conf/deep/file", "two\n")
    }

    private func file(_ safety: Safety = Safety()) throws -> PlanFile {
        let plan = try ClusterReader(cluster.store, safety: safety).plan(root: cluster.root(), cluster: "prod")
        return try PlanFile(plan, root: cluster.root(), cluster: "prod", safety: safety, store: cluster.store)
    }

    /// A store with the state of web1, as after a sync.
    private func otherStore() throws -> Store {
        let store = try cluster.otherStore()
        let commit = try #require(try cluster.store.deployedCommit(web1))
        let tree = try #require(try ClusterReader(cluster.store).hostTreeID(of: web1, in: commit))
        let wanted = try ClusterReader(cluster.store).hostTree(web1, tree)
        for id in try store.adopt(try cluster.store.record(for: wanted, commit: commit), of: web1) {
            try store.write(RecordedObject(kind: .blob, bytes: try cluster.store.blob(id, limit: .max)))
        }
        try store.setDeployed(web1, commit, reason: "test")
        return store
    }

    @Test(arguments: [Safety(), Safety(guard: .always, isAtomic: true)])
    func `another store reads the same plan from the file`(safety: Safety) throws {
        let file = try file(safety)
        let read = try PlanFile(reading: file.bytes)
        let store = try otherStore()
        let plan = try read.plan(store: store, tree: nil)
        #expect(plan == (try ClusterReader(cluster.store, safety: safety).plan(root: cluster.root(), cluster: "prod")))
        let root = try cluster.root()
        let commit = try store.commit(tree: root, parent: nil, author: Author(name: "B", email: ""), message: "", time: 2)
        // It has everything that Deptool sends to the host.
        let preparation = try store.preparation(for: plan.hosts[0], commit: commit, holder: "B")
        #expect(preparation.contents.map(\.id) == [ObjectID.of(.blob, Array("two\n".utf8))])
        #expect(try store.blob(preparation.contents[0].id, limit: 100) == Array("two\n".utf8))
    }

    @Test func `the file holds nothing of other hosts, and no content that the host has`() throws {
        let objects = try file().objects
        #expect(objects.filter { $0.kind == .blob }.map { String(decoding: $0.bytes, as: UTF8.self) } == ["two\n"])
        #expect(!objects.contains { String(decoding: $0.bytes, as: UTF8.self).contains("secret") })
    }

    @Test func `the file is refused when the host runs something else`() throws {
        let file = try file()
        let base = try cluster.store.deployedCommit(web1)
        #expect(throws: PlanFile.ReadError.hostMoved(web1, base: base, deployed: nil)) {
            try file.plan(store: cluster.otherStore(), tree: nil)
        }
        let commit = try cluster.deploy(to: "web1")
        #expect(throws: PlanFile.ReadError.hostMoved(web1, base: base, deployed: commit)) { try file.plan(store: cluster.store, tree: nil) }
    }

    @Test func `the file is refused when the config tree differs`() throws {
        let file = try file()
        #expect(try file.plan(store: cluster.store, tree: cluster.root()).hosts.count == 1)
        // Another host's part does not matter.
        try cluster.write("web2/secret/file", "changed\n")
        #expect(try file.plan(store: cluster.store, tree: cluster.root()).hosts.count == 1)
        try cluster.write("web1/app/conf/deep/file", "three\n")
        #expect(throws: PlanFile.ReadError.treeMoved(web1)) { try file.plan(store: cluster.store, tree: cluster.root()) }
        try cluster.remove("web1")
        #expect(throws: PlanFile.ReadError.treeMoved(web1)) { try file.plan(store: cluster.store, tree: cluster.root()) }
    }

    @Test func `steps that do not follow from the trees are refused`() throws {
        var file = try file()
        file.hosts[0].steps.removeLast()
        #expect(throws: PlanFile.ReadError.otherPlan(web1)) { try file.plan(store: cluster.store, tree: nil) }
        file = try self.file()
        file.safety.guard = .always
        #expect(throws: PlanFile.ReadError.otherPlan(web1)) { try file.plan(store: cluster.store, tree: nil) }
        // A host that has nothing to do.
        file = try self.file()
        file.hosts.append(.init(host: try hostname("web2"), base: try cluster.store.deployedCommit(hostname("web2")), steps: []))
        let extra = file
        #expect(throws: PlanFile.ReadError.self) { try extra.plan(store: cluster.store, tree: nil) }
    }

    @Test func `a file that lacks any of its objects is refused`() throws {
        let whole = try file()
        for index in whole.objects.indices {
            var file = whole
            file.objects.remove(at: index)
            #expect(throws: PlanFile.ReadError.incomplete) { try file.plan(store: otherStore(), tree: nil) }
        }
        var file = whole
        file.root = .of(.tree, [1])
        let other = file
        #expect(throws: PlanFile.ReadError.incomplete) { try other.plan(store: otherStore(), tree: nil) }
    }

    @Test func `damaged bytes never make another plan`() throws {
        let bytes = try file().bytes
        #expect(throws: PlanFile.ReadError.notAPlan) { try PlanFile(reading: Array("prod\n".utf8)) }
        #expect(throws: PlanFile.ReadError.notAPlan) { try PlanFile(reading: []) }
        let store = try otherStore()
        let expected = try PlanFile(reading: bytes).plan(store: store, tree: nil)
        var generator = Seeded()
        for _ in 0..<300 {
            var damaged = bytes
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            damaged[index] ^= UInt8.random(in: 1...255, using: &generator)
            // Nothing of a file's own words gets into a plan but what another deptool would plan, too.
            if let plan = try? PlanFile(reading: damaged).plan(store: store, tree: nil) {
                #expect(plan == expected, "byte \(index), seed \(generator.seed)")
            }
        }
        for length in 0..<bytes.count {
            #expect(throws: PlanFile.ReadError.self) { try PlanFile(reading: Array(bytes.prefix(length))) }
        }
    }

    @Test(arguments: ["", "a/b", "a\nCluster: b"]) func `an invalid cluster name is refused`(name: String) throws {
        var file = try file()
        file.cluster = name
        let bytes = file.bytes
        #expect(throws: PlanFile.ReadError.malformed(.badValue)) { try PlanFile(reading: bytes) }
    }

    @Test func `a plan without changes can be saved`() throws {
        let file = try PlanFile(Plan(hosts: []), root: cluster.root(), cluster: "prod", safety: Safety(), store: cluster.store)
        #expect(try PlanFile(reading: file.bytes).plan(store: cluster.otherStore(), tree: nil).hosts == [])
    }
}
