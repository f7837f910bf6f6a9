import Foundation
import Git
import Model
import Planning
import TestSupport
import Testing
import Wire

@testable import Deployment

@Suite struct RecordTests {
    private let cluster: Cluster
    private let web1: Hostname
    private let commit: ObjectID

    init() throws {
        cluster = try Cluster()
        web1 = try hostname("web1")
        try cluster.write("web1/nginx/manifest.json", manifest(units: ["nginx.service"], links: ["/etc/nginx": "conf"]))
        try cluster.write("web1/nginx/systemd/nginx.service", "[Service]\n")
        try cluster.write("web1/nginx/conf/nginx.conf", "http {}\n")
        try cluster.write("web1/nginx/conf/copy.conf", "http {}\n")
        try cluster.write("web1/base/motd", "hi\n")
        try cluster.write("web2/POISON-app/POISON-file", "POISON-content\n")
        try cluster.write("web2/POISON-app/manifest.json", manifest(links: ["/etc/POISON-link": "POISON-file"]))
        commit = try cluster.commit()
    }

    private func plan(_ host: String = "web1") throws -> HostPlan {
        try #require(try cluster.plan().hosts.first { $0.host.text == host })
    }

    private func record() throws -> Record { try cluster.store.record(for: plan().wanted, commit: commit) }

    @Test func `a record has the deployed commit, its author and time`() throws {
        let record = try record()
        #expect(record.commit == commit)
        #expect(record.author == "Ada <ada@example.com>")
        #expect(record.time == 1_700_000_000)
        #expect(
            record.apps.map { "\($0.name.text): \($0.files.map(\.path.text).joined(separator: " "))" } == [
                "base: motd", "nginx: conf/copy.conf conf/nginx.conf manifest.json systemd/nginx.service",
            ])
        #expect(
            record.links.map { "\($0.path.text) -> \($0.target.text)" } == [
                "/etc/nginx -> /var/lib/deptool/apps/nginx/current/conf"
            ])
        #expect(
            record.placed.map { "\($0.path.text) <- \($0.source.text)" } == [
                "/etc/systemd/system/nginx.service <- systemd/nginx.service"
            ])
        #expect(record.units.map { "\($0.app.text) \($0.name.text)" } == ["nginx nginx.service"])
        // The commit, the root, and the host's own: itself, two apps, two directories, a manifest.
        #expect(record.objects.map(\.kind) == [.commit, .tree, .tree, .tree, .tree, .tree, .tree, .blob])
        #expect(record.objects.first?.id == commit)
    }

    @Test func `a host receives nothing of the others`() throws {
        let preparation = try cluster.store.preparation(for: plan(), commit: commit, holder: "Ada")
        #expect(Data(preparation.encoded).range(of: Data("POISON".utf8)) == nil)
        // The root tree names the other host, as it must; nothing else does.
        let named = preparation.record.objects.filter { Data($0.bytes).range(of: Data("web2".utf8)) != nil }
        #expect(named.map(\.id) == [try cluster.root()])
        let others = try cluster.store.preparation(for: plan("web2"), commit: commit, holder: "Ada")
        #expect(Data(others.encoded).range(of: Data("POISON".utf8)) != nil)
    }

    @Test func `each content that the host lacks is announced once`() throws {
        let first = try cluster.store.preparation(for: plan(), commit: commit, holder: "Ada")
        func content(_ text: String) -> Content { Content(id: .of(.blob, Array(text.utf8)), size: UInt64(text.utf8.count)) }
        #expect(first.expected == nil)
        #expect(first.holder == "Ada")
        #expect(first.version.text == commit.short)
        #expect(
            first.contents == [
                content("hi\n"), content("http {}\n"), content(manifest(units: ["nginx.service"], links: ["/etc/nginx": "conf"])),
                content("[Service]\n"),
            ])
        try cluster.store.setDeployed(web1, commit, reason: "test")
        try cluster.write("web1/base/motd", "http {}\n")
        try cluster.write("web1/base/new", "new\n")
        let next = try cluster.commit()
        let second = try cluster.store.preparation(for: plan(), commit: next, holder: "Ada")
        #expect(second.expected == commit)
        #expect(second.contents == [content("new\n")])
    }

    @Test func `another operator's store is completed from the record`() throws {
        let store = try cluster.otherStore()
        let missing = try store.adopt(record(), of: web1)
        // The manifest came along: on the host, somebody may have edited it.
        let files = try plan().wanted.apps.flatMap(\.files)
        #expect(Set(missing) == Set(files.filter { $0.path.text != "manifest.json" }.map(\.id)))
        #expect(missing.count == 3)
        for id in missing { try store.write(RecordedObject(kind: .blob, bytes: cluster.store.blob(id, limit: 1000))) }
        #expect(try store.adopt(record(), of: web1) == [])
        try store.setDeployed(web1, commit, reason: "test")
        let reader = ClusterReader(store)
        let tree = try #require(try reader.hostTreeID(of: web1, in: commit))
        #expect(try reader.hostTree(web1, tree) == plan().wanted)
    }

    @Test func `an emptied host has a record too`() throws {
        try cluster.remove("web1")
        let emptied = try cluster.commit()
        let empty = try cluster.store.write(RecordedObject(kind: .tree, bytes: []))
        let record = try cluster.store.record(for: HostTree(host: web1, id: empty, apps: []), commit: emptied)
        let store = try cluster.otherStore()
        #expect(try store.adopt(record, of: web1) == [])
        #expect(try store.commitInfo(emptied).tree == cluster.root())
    }

    // MARK: Records of a hostile host

    private func refuse(_ change: (inout Record) throws -> Void, _ location: SourceLocation = #_sourceLocation) throws {
        var record = try record()
        try change(&record)
        let store = try cluster.otherStore()
        let known = try store.commit(
            tree: store.write(RecordedObject(kind: .tree, bytes: [])), parent: nil, author: Author(name: "A", email: ""), message: "m",
            time: 1)
        try store.setLastCommit(known, reason: "test")
        do throws(AdoptionError) {
            _ = try store.adopt(record, of: web1)
            Issue.record("adopted", sourceLocation: location)
        } catch {
            guard case .inconsistent = error else {
                Issue.record("\(error)", sourceLocation: location)
                return
            }
        }
        #expect(try store.deployedCommits().isEmpty, sourceLocation: location)
        #expect(try store.lastCommit() == known, sourceLocation: location)
        #expect(try Cluster.isSound(store), sourceLocation: location)
    }

    /// The places of commit and trees, without which a record is invalid.
    private func wholeObjects() throws -> [Int] {
        try record().objects.enumerated().filter { $0.element.kind != .blob }.map(\.offset)
    }

    @Test func `a record without its objects is refused`() throws {
        for index in try wholeObjects() { try refuse { $0.objects.remove(at: index) } }
        try refuse { $0.objects = [] }
    }

    @Test func `a record with another id is refused`() throws {
        try refuse { $0.commit = .of(.commit, []) }
        try refuse { $0.commit = $0.objects[1].id }
        for index in try wholeObjects() {
            try refuse { $0.objects[index].bytes += [0] }
            try refuse { $0.objects[index].kind = .blob }
        }
    }

    /// A record with a commit of this root.
    private func forge(_ record: inout Record, root: [UInt8], others: [RecordedObject] = []) {
        let root = RecordedObject(kind: .tree, bytes: root)
        let text = "tree \(root.id.hex)\nauthor A <> 1 +0000\ncommitter A <> 1 +0000\n\nm\n"
        let commit = RecordedObject(kind: .commit, bytes: Array(text.utf8))
        record.commit = commit.id
        record.objects = [commit, root] + others
    }

    private func entry(_ mode: String, _ name: String, _ id: ObjectID) -> [UInt8] { Array("\(mode) \(name)\0".utf8) + id.bytes }

    @Test func `objects that do not match their ids are refused`() throws {
        try refuse { record in
            let commit = RecordedObject(kind: .commit, bytes: Array("nonsense".utf8))
            record.commit = commit.id
            record.objects.append(commit)
        }
        try refuse { forge(&$0, root: Array("nonsense".utf8)) }
        // A symlink where a file or directory should be.
        let tree = RecordedObject(kind: .tree, bytes: entry("120000", "link", .of(.blob, [])))
        try refuse { forge(&$0, root: entry("40000", "web1", tree.id), others: [tree]) }
    }

    @Test(.timeLimit(.minutes(60))) func `trees that would take forever to walk are refused`() throws {
        var objects = [RecordedObject(kind: .tree, bytes: [])]
        for _ in 0..<60 {
            guard let last = objects.last?.id else { return }
            objects.append(RecordedObject(kind: .tree, bytes: entry("40000", "a", last) + entry("40000", "b", last)))
        }
        guard let last = objects.last?.id else { return }
        try refuse { forge(&$0, root: entry("40000", "web1", last), others: objects) }
    }

    @Test func `objects that do not belong to the record are not stored`() throws {
        var record = try record()
        let extra = RecordedObject(kind: .commit, bytes: Array("nonsense".utf8))
        record.objects.append(extra)
        let store = try cluster.otherStore()
        _ = try store.adopt(record, of: web1)
        #expect(!store.contains(extra.id))
    }
}
