import Foundation
import Model
import Planning
import TestSupport
import Testing

@testable import Deployment
@testable import Git

@Suite struct ClusterReaderTests {
    private let cluster: Cluster

    init() throws {
        cluster = try Cluster()
        try cluster.write("web1/nginx/nginx.conf", "one\n")
        try cluster.write("web1/host.json", #"{"hostname": "web1.example.com"}"#)
        try cluster.write("web2/nginx/nginx.conf", "two\n")
    }

    private func summary(_ plan: Plan) -> [String] {
        plan.hosts.map { host in
            "\(host.host.text)\(host.base == nil ? " new" : ""): "
                + host.changes.map { "\($0.kind) \($0.app.text) [\($0.files.map(\.path.text).joined(separator: " "))]" }.joined(
                    separator: ", ")
        }
    }

    private func error(_ body: () throws -> Void) -> ClusterError? { #expect(throws: ClusterError.self) { try body() } }

    @Test func `new hosts are planned as new, in order of name`() throws {
        let plan = try cluster.plan()
        #expect(summary(plan) == ["web1 new: add nginx [nginx.conf]", "web2 new: add nginx [nginx.conf]"])
        #expect(plan.hosts.map(\.wanted.options.hostname) == ["web1.example.com", nil])
        #expect(plan.orphans == [])
    }

    @Test func `a deployed host needs no plan`() throws {
        try cluster.deploy(to: "web1", "web2")
        #expect(try cluster.plan() == Plan(hosts: []))
    }

    @Test func `a change affects only its host`() throws {
        let commit = try cluster.deploy(to: "web1", "web2")
        try cluster.write("web2/nginx/nginx.conf", "changed\n")
        try cluster.write("web2/nginx/more.conf", "")
        let plan = try cluster.plan()
        #expect(summary(plan) == ["web2: update nginx [more.conf nginx.conf]"])
        #expect(plan.hosts.first?.base == commit)
        #expect(plan.hosts.first?.present == [.of(.blob, Array("two\n".utf8))])
    }

    @Test func `each host is compared with its own commit`() throws {
        try cluster.deploy(to: "web1")
        try cluster.write("web1/nginx/nginx.conf", "changed\n")
        try cluster.deploy(to: "web2")
        #expect(summary(try cluster.plan()) == ["web1: update nginx [nginx.conf]"])
    }

    /// That tree is deployed on web1, although deptool would have refused it.
    private func deployed(_ tree: ObjectID) throws {
        let commit = try cluster.store.commit(
            tree: try cluster.store.writeRoot([(try hostname("web1"), tree)]), parent: nil, author: Author(name: "Eve", email: ""),
            message: DeployMessage.make(.deploy, cluster: "prod", hosts: []), time: 1)
        try cluster.store.setDeployed(try hostname("web1"), commit, reason: "test")
    }

    private func tree(_ entries: [(mode: String, name: String, id: ObjectID)]) throws -> ObjectID {
        try cluster.store.write(RecordedObject(kind: .tree, bytes: entries.flatMap { Array("\($0.mode) \($0.name)\0".utf8) + $0.id.bytes }))
    }

    private func file(_ text: String) throws -> ObjectID { try cluster.store.write(RecordedObject(kind: .blob, bytes: Array(text.utf8))) }

    @Test(arguments: ["no such object", "{", #"{"unknown": 1}"#, String(repeating: " ", count: 2 << 20)])
    func `a host with an unreadable manifest is deployed as a whole, and the others as usual`(text: String) throws {
        try cluster.deploy(to: "web2")
        try cluster.write("web1/nginx/manifest.json", manifest(units: ["nginx.service"], links: ["/etc/nginx.conf": "nginx.conf"]))
        try cluster.write("web1/nginx/systemd/nginx.service", "")
        try cluster.write("web2/nginx/nginx.conf", "changed\n")
        let id = text == "no such object" ? ObjectID.of(.blob, Array("never written".utf8)) : try file(text)
        let nginx = try tree([
            ("100644", "gone.conf", try file("")), ("100644", "manifest.json", id), ("100644", "nginx.conf", try file("one\n")),
        ])
        try deployed(try tree([("40000", "nginx", nginx)]))
        let plan = try cluster.plan()
        #expect(summary(plan) == ["web1: update nginx [gone.conf manifest.json systemd/nginx.service]", "web2: update nginx [nginx.conf]"])
        #expect(plan.hosts.first?.gap?.isEmpty == false && plan.hosts.last?.gap == nil)
        let steps = plan.hosts.first?.steps.map(\.action) ?? []
        let unit = try #require(UnitName("nginx.service"))
        // It may run with the earlier files.
        #expect(steps.contains { if case .restart(unit, _, _) = $0 { true } else { false } })
        #expect(steps.contains { if case .enable(unit, .new) = $0 { true } else { false } })
        #expect(steps.contains { if case .link(let path, _) = $0 { path.text == "/etc/nginx.conf" } else { false } })
        #expect(try ClusterReader(cluster.store).knownHosts([try hostname("web1")], cluster: "prod").map(\.text) == ["web1", "web2"])
    }

    @Test func `a host with unreadable trees is deployed as a whole`() throws {
        let missing = ObjectID.of(.tree, Array("never written".utf8))
        let symlink = try tree([("120000", "link", try file("x"))])
        let trees = [
            missing, try tree([("40000", "nginx", missing)]), try tree([("40000", "nginx", symlink)]),
            try tree([("40000", "a b", symlink)]),
        ]
        for tree in trees + [try tree([("100644", "host.json", try file("["))])] {
            try deployed(tree)
            let plan = try cluster.plan()
            #expect(summary(plan) == ["web1: add nginx [nginx.conf]", "web2 new: add nginx [nginx.conf]"])
            #expect(plan.hosts.first?.gap?.isEmpty == false)
        }
    }

    @Test func `apps and directories removed from the tree are removed from the host`() throws {
        try cluster.deploy(to: "web1", "web2")
        try cluster.remove("web1/nginx")
        #expect(summary(try cluster.plan()) == ["web1: remove nginx [nginx.conf]"])
    }

    @Test func `only the chosen hosts are planned`() throws {
        #expect(summary(try cluster.plan(HostFilter(["*2"]))) == ["web2 new: add nginx [nginx.conf]"])
        // Errors elsewhere do not matter.
        try cluster.write("web1/nginx/manifest.json", "{")
        #expect(summary(try cluster.plan(HostFilter(["web2"]))) == ["web2 new: add nginx [nginx.conf]"])
        #expect(
            error { _ = try cluster.plan(HostFilter(["web3,web2", "db*"])) }
                == .unknownHosts(["web3", "db*"], known: [try hostname("web1"), try hostname("web2")]))
    }

    @Test func `a host removed from the tree is named, with a plan that empties it`() throws {
        let commit = try cluster.deploy(to: "web1", "web2")
        try cluster.write("other/app/f", "")
        try cluster.deploy(to: "other", cluster: "staging")
        try cluster.remove("other")
        try cluster.remove("web1")
        let plan = try cluster.plan()
        #expect(summary(plan) == [])
        #expect(plan.orphans.map(\.text) == ["web1"])
        #expect(try cluster.plan(HostFilter(["web2"])).orphans == [])
        let reader = ClusterReader(cluster.store)
        let removal = try reader.removalPlan(hostname("web1"), root: cluster.root())
        #expect(summary(removal) == ["web1: remove nginx [nginx.conf]"])
        #expect(removal.hosts.first?.base == commit)
        #expect(removal.hosts.first?.wanted.apps == [])
        #expect(removal.hosts.first?.wanted.options.hostname == "web1.example.com")
        #expect(error { _ = try reader.removalPlan(hostname("web2"), root: cluster.root()) } == .hostInTree(try hostname("web2")))
        #expect(error { _ = try reader.removalPlan(hostname("web9"), root: cluster.root()) } == .notDeployed(try hostname("web9")))
    }

    /// Entries of trees that a plan reads when each of so many hosts runs a commit of its own.
    private func work(hosts: Int) throws -> Int {
        let cluster = try Cluster()
        for number in 0..<hosts { try cluster.write("host\(number)/app/file", "\(number)") }
        for number in 0..<hosts {
            try cluster.write("host\(number)/app/file", "new \(number)")
            let commit = try cluster.deploy(to: "host\(number)")
            let reader = ClusterReader(cluster.store)
            // As a deploy to the host does.
            let tree = try #require(try reader.hosts(in: cluster.root()).first { $0.host.text == "host\(number)" }?.tree)
            cluster.store.remember(tree, of: try hostname("host\(number)"), in: commit)
        }
        let before = cluster.store.treeEntriesRead
        #expect(try cluster.plan().hosts == [])
        return cluster.store.treeEntriesRead - before
    }

    @Test func `planning reads no more for hosts at many commits than at one`() throws {
        // The root of the config tree itself, with an entry for each host.
        #expect(try work(hosts: 10) == 10)
        #expect(try work(hosts: 40) == 40)
    }

    @Test func `a host's cached tree counts for its commit only`() throws {
        let first = try cluster.deploy(to: "web1", "web2")
        try cluster.write("web1/nginx/nginx.conf", "changed\n")
        let second = try cluster.commit()
        let (store, web1) = (cluster.store, try hostname("web1"))
        let reader = ClusterReader(store)
        let trees = (try reader.hostTreeID(of: web1, in: first), try reader.hostTreeID(of: web1, in: second))
        #expect(trees.0 != trees.1)
        #expect(try reader.hostTreeID(of: web1, in: first) == trees.0)
        for content in ["", "garbage", "\(first.hex) \(trees.1?.hex ?? "")", "\(first.hex) \(first.hex.replacing("a", with: "b"))\n"] {
            try Data(content.utf8).write(to: URL(filePath: store.path + "/deptool-trees/web1"))
            #expect(try reader.hostTreeID(of: web1, in: first) == trees.0)
        }
    }

    @Test func `a tree without hosts has no plan`() throws {
        try cluster.remove("web1")
        try cluster.remove("web2")
        #expect(error { _ = try cluster.plan() } == .noHosts)
    }

    @Test func `an error in a tree has its place`() throws {
        func problem() -> String? {
            guard case .tree(let problem) = error({ _ = try cluster.plan() }) else { return nil }
            return "\(problem.place): \(problem.phrase)"
        }
        try cluster.write("web2/nginx/manifest.json", "{\n\"links\": {}}")
        #expect(
            problem() == "web2/nginx/manifest.json:2: unknown key 'links'; there are 'systemd', 'symlinks', "
                + "'copies', 'settle', 'timeout', 'checks', 'check_timeout', 'requires', 'health', 'private' and 'group'")
        try cluster.write("web2/nginx/manifest.json", String(repeating: " ", count: 1 << 20) + "{}")
        #expect(problem() == "web2/nginx/manifest.json: larger than 1024 KiB")
        try cluster.write("web2/nginx/manifest.json", manifest(links: ["/etc/x": "nothing"]))
        #expect(problem() == "web2/nginx/manifest.json: the link '/etc/x' points to 'nothing', which the app does not have")
        try cluster.write("web2/nginx/manifest.json", "{}")
        try cluster.write("web1/host.json", "[]")
        #expect(problem() == "web1/host.json:1: the file must be an object, not a list")
    }

    @Test func `all apps with mistakes are named at once, and no others`() throws {
        let mistakes: [[String: String]] = [
            ["manifest.json": "{"], ["manifest.json": #"{"symlinks": {"/etc/x": "none"}}"#], ["systemd/README": ""],
            ["manifest.json": #"{"systemd": {"on_change": {"x.service": {"reload": ["none"]}}}}"#],
            ["manifest.json": #"{"systemd": {"units_enabled": ["deptool-x.service"]}}"#],
            ["manifest.json": #"{"symlinks": {"/var/lib/deptool/x": "file"}}"#, "file": ""],
        ]
        var random = Seeded()
        for round in 0..<20 {
            let cluster = try Cluster()
            var expected: [String] = []
            for host in ["web1", "web2"] {
                for app in ["a", "b", "c", "d"] {
                    let mistake = Bool.random(using: &random) ? mistakes.randomElement(using: &random) : nil
                    if mistake != nil { expected.append("\(host)/\(app)") }
                    // A rule that names a file of each other app, whether that is faulty or not.
                    let rules = ["a", "b", "c", "d"].filter { $0 != app }.map { "\"../\($0)/file\"" }.joined(separator: ", ")
                    let plain = ["manifest.json": "{\"systemd\": {\"on_change\": {\"y.service\": {\"nothing\": [\(rules)]}}}}"]
                    for (path, content) in ["file": ""].merging(mistake ?? plain, uniquingKeysWith: { $1 }) {
                        try cluster.write("\(host)/\(app)/\(path)", content)
                    }
                }
            }
            var found: [String] = []
            do {
                _ = try cluster.plan()
            } catch ClusterError.tree(let problem) {
                found = ["\(problem.host.text)/\(problem.app?.text ?? "")"]
            } catch ClusterError.trees(let problems) {
                found = problems.map { "\($0.host.text)/\($0.app?.text ?? "")" }
            }
            #expect(found.sorted() == expected, "seed \(random.seed), round \(round)")
        }
    }
}
