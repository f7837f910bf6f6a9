import Foundation
import Git
import Model
import Planning
import TestSupport
import Testing

@testable import Deployment

/// Plans of single apps of a host.
@Suite struct LimitTests {
    private let cluster: Cluster
    private let web1: Hostname

    init() throws {
        cluster = try Cluster()
        web1 = try hostname("web1")
    }

    private func plan(_ places: String...) throws -> Plan { try cluster.plan(HostFilter(places: places)) }

    private func undo(_ places: String..., to commit: ObjectID? = nil) throws -> UndoPlan {
        try ClusterReader(cluster.store).undoPlan(to: commit, cluster: "prod", filter: HostFilter(places: places))
    }

    /// The apps that change, such as `~web1/a`.
    private func changes(_ plan: Plan) -> [String] {
        plan.hosts.flatMap { host in
            host.changes.map { change in
                let sign = [AppChange.Kind.add: "+", .update: "~", .remove: "-", .repair: "!"][change.kind] ?? ""
                return "\(sign)\(host.host.text)/\(change.app.text)"
            }
        }
    }

    private func write(_ apps: [String: [String: String]]) throws {
        try? cluster.remove("web1")
        try FileManager.default.createDirectory(atPath: cluster.path + "/prod/web1", withIntermediateDirectories: true)
        for (app, files) in apps {
            for (path, content) in files { try cluster.write("web1/\(app)/\(path)", content) }
        }
    }

    // MARK: Choosing

    @Test func `only the chosen app changes, and the rest stays undeployed`() throws {
        try cluster.write("web1/a/file", "one")
        try cluster.write("web1/gone/file", "one")
        try cluster.write("web1/same/file", "one")
        try cluster.write("web2/a/file", "one")
        try cluster.carryOut(cluster.plan())
        try cluster.write("web1/a/file", "two")
        try cluster.write("web1/new/file", "two")
        try cluster.write("web1/host.json", #"{"hostname": "x"}"#)
        try cluster.write("web2/a/file", "two")
        try cluster.remove("web1/gone")

        #expect(changes(try plan("web1/a")) == ["~web1/a"])
        #expect(changes(try plan("*/a")) == ["~web1/a", "~web2/a"])
        #expect(changes(try plan("web1/a", "web2")) == ["~web1/a", "~web2/a"])
        #expect(changes(try plan("web1/a,web1")) == ["~web1/a", "-web1/gone", "+web1/new"])
        #expect(changes(try plan("web1/*")) == ["~web1/a", "-web1/gone", "+web1/new"])
        #expect(changes(try plan("web1/gone")) == ["-web1/gone"])
        #expect(try plan("web1/same").hosts == [])
        let limited = try plan("web1/new", "web1/same")
        #expect(limited.hosts[0].limit?.apps.map(\.text) == ["new", "same"])
        #expect(limited.hosts[0].limit?.leftOut == ["a", "gone", "host.json"])
        #expect(limited.hosts[0].wanted.options.hostname == nil)

        try cluster.carryOut(limited)
        #expect(changes(try plan()) == ["~web1/a", "-web1/gone", "~web2/a"])
        #expect(try plan().hosts[0].hasNewOptions)
    }

    @Test func `a new host gets the chosen apps and its own options`() throws {
        try cluster.write("web1/a/file", "one")
        try cluster.write("web1/b/file", "one")
        try cluster.write("web1/host.json", #"{"hostname": "x"}"#)
        let limited = try plan("web1/b")
        #expect(changes(limited) == ["+web1/b"])
        #expect(limited.hosts[0].wanted.options.hostname == "x")
        #expect(limited.hosts[0].limit?.leftOut == ["a"])
        try cluster.carryOut(limited)
        #expect(changes(try plan()) == ["+web1/a"])
        try cluster.carryOut(plan())
        #expect(changes(try undo("web1/b").plan) == ["-web1/b"])
    }

    @Test func `names of unknown apps are an error`() throws {
        try cluster.write("web1/a/file", "one")
        try cluster.write("web1/old/file", "one")
        try cluster.write("web2/b/file", "one")
        try cluster.carryOut(cluster.plan())
        try cluster.remove("web1/old")
        #expect(throws: ClusterError.unknownApps(["web1/b"], known: ["a", "old"])) { try plan("web1/b") }
        #expect(throws: ClusterError.unknownApps(["*/x"], known: ["a", "b", "old"])) { try plan("*/x", "web1") }
        #expect(throws: ClusterError.unknownApps(["web1/"], known: ["a", "old"])) { try plan("web1/") }
        #expect(throws: ClusterError.unknownApps(["web1/a/file"], known: ["a", "old"])) { try plan("web1/a/file") }
        #expect(throws: ClusterError.unknownHosts(["web3"], known: [web1, try hostname("web2")])) { try plan("web3/a") }
        #expect(throws: ClusterError.unknownApps(["web1/b"], known: ["a", "old"])) { try undo("web1/b") }
        #expect(throws: ClusterError.self) { try cluster.plan(HostFilter(["web1/a"])) }
    }

    @Test func `only mistakes in the chosen app count`() throws {
        try write(["a": ["file": "one"], "b": ["file": "one"]])
        try cluster.carryOut(cluster.plan())
        try write(["a": ["file": "two"], "b": ["manifest.json": "{"]])
        #expect(changes(try plan("web1/a")) == ["~web1/a"])
        #expect(throws: ClusterError.self) { try plan("web1/b") }
        try write(["a": ["systemd/README": "two"], "b": ["file": "one"]])
        #expect(throws: ClusterError.self) { try plan("web1/a") }
        #expect(changes(try plan("web1/b")) == [])
    }

    // MARK: Apps that depend on one another

    @Test func `a link or unit of another deployed app is an error that names the app left out`() throws {
        let link = manifest(links: ["/etc/x": "file"]), unit = manifest(units: ["x.service"])
        for (owned, problem) in [(link, "the link '/etc/x'"), (unit, "the unit 'x.service'")] {
            // Moves from a to b, then both exchange.
            try write(["a": ["file": "1", "manifest.json": owned], "b": ["file": "1"]])
            try cluster.store.setDeployed(web1, nil, reason: "test")
            try cluster.carryOut(cluster.plan())
            try write(["a": ["file": "1"], "b": ["file": "1", "manifest.json": owned]])
            #expect(changes(try plan("web1/a")) == ["~web1/a"])
            #expect(changes(try plan("web1/a,web1/b")) == ["~web1/a", "~web1/b"])
            do {
                _ = try plan("web1/b")
                Issue.record("b has what a has")
            } catch ClusterError.limited(let error, let leftOut) {
                #expect(error.map(\.phrase).count == 1 && error[0].phrase.hasPrefix(problem))
                #expect(leftOut == ["a"])
            }
        }
    }

    @Test func `a unit whose rules name another app's files acts when only that app changes`() throws {
        let rules = manifest(units: ["x.service"], onChange: ["x.service": ["restart": ["../b/file"]]])
        let service = "[Service]\nExecStart=/bin/true\n"
        try write(["a": ["manifest.json": rules, "systemd/x.service": service], "b": ["file": "1"]])
        try cluster.carryOut(cluster.plan())
        try write(["a": ["manifest.json": rules, "systemd/x.service": service + "Nice=1\n"], "b": ["file": "2"]])
        let limited = try plan("web1/b").hosts[0]
        #expect(
            limited.steps.contains {
                if case .restart(_, let because, _) = $0.action { because.path.text.hasSuffix("file") } else { false }
            })
        #expect(!limited.steps.contains { $0.action == .daemonReload })
        // The rule comes with a, and the file with b.
        try write(["a": ["systemd/x.service": service], "b": ["other": "1"]])
        try cluster.store.setDeployed(web1, nil, reason: "test")
        try cluster.carryOut(cluster.plan())
        try write(["a": ["manifest.json": rules, "systemd/x.service": service], "b": ["file": "1"]])
        #expect(throws: ClusterError.self) { try plan("web1/a") }
        #expect(changes(try plan("web1/b")) == ["~web1/b"])
        #expect(changes(try plan("web1/b,web1/a")) == ["~web1/a", "~web1/b"])
    }

    // MARK: Undo

    @Test func `an undo takes an app back before its last change, and a second one restores it`() throws {
        try write(["a": ["file": "1"], "b": ["file": "1"]])
        try cluster.carryOut(cluster.plan(), 1)
        try write(["a": ["file": "2"], "b": ["file": "1"]])
        let second = try cluster.carryOut(cluster.plan(), 2)
        try write(["a": ["file": "2"], "b": ["file": "2"]])
        let third = try cluster.carryOut(cluster.plan(), 3)
        let undo = try undo("web1/a"), back = undo.plan
        // Not the deploy that the host runs, which changed another app.
        #expect(Array(undo.undone.values) == [second])
        #expect(changes(back) == ["~web1/a"])
        let contents = try back.hosts[0].wanted.apps.map {
            String(decoding: try cluster.store.blob($0.files[0].id, limit: 9), as: UTF8.self)
        }
        #expect(contents == ["1", "2"])
        #expect(back.hosts[0].base == third)
        try cluster.carryOut(back, 4, .undo, root: undo.root)
        // The tree on disk is ahead by the undone changes.
        #expect(changes(try plan()) == ["~web1/a"])
        #expect(try plan().hosts[0].changes[0].undoneIn == cluster.store.deployedCommit(web1))
        #expect(try self.undo("web1/a").root == (try cluster.store.commitInfo(third).tree))
        #expect(try self.undo("web1").root == (try cluster.store.commitInfo(third).tree))
        #expect(changes(try self.undo("web1/b").plan) == ["~web1/b"])
        #expect(changes(try self.undo("web1/a", to: third).plan) == ["~web1/a"])
        #expect(changes(try self.undo("web1/b", to: third).plan) == [])
    }

    @Test func `an undo that conflicts with another app is an error`() throws {
        let link = manifest(links: ["/etc/x": "file"])
        try write(["a": ["file": "1", "manifest.json": link], "b": ["file": "1"]])
        try cluster.carryOut(cluster.plan(), 1)
        try write(["a": ["file": "1"], "b": ["file": "1", "manifest.json": link]])
        try cluster.carryOut(cluster.plan(), 2)
        do {
            _ = try undo("web1/a")
            Issue.record("b has the link")
        } catch ClusterError.limited(let error, let leftOut) {
            #expect(error.map(\.phrase).count == 1 && error[0].phrase.hasPrefix("the link '/etc/x'"))
            #expect(leftOut == ["b"])
        }
        #expect(changes(try undo("web1/a,web1/b").plan) == ["~web1/a", "~web1/b"])
    }

    // MARK: Any trees

    /// Apps of small alphabets, so that two trees have much in common; valid by themselves.
    private func randomApps(_ random: inout Seeded) -> [String: [String: String]] {
        var apps: [String: [String: String]] = [:]
        var free = ["/etc/x", "/etc/y", "/opt/z"], units = ["x.service", "y.service"]
        for name in ["a", "b", "c", "d"].shuffled(using: &random) where Int.random(in: 0..<5, using: &random) > 0 {
            var files = ["conf/file": "\(Int.random(in: 0...2, using: &random))"]
            let links = free.filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
            let own = units.filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
            free.removeAll(where: links.contains)
            units.removeAll(where: own.contains)
            for unit in own { files["systemd/" + unit] = "[Service]\nExecStart=/bin/true\nNice=\(Int.random(in: 0...1, using: &random))\n" }
            if Bool.random(using: &random) || !links.isEmpty || !own.isEmpty {
                var rules: [String: [String: [String]]] = [:]
                if let other = apps.keys.sorted().randomElement(using: &random), Bool.random(using: &random) {
                    rules["foreign.service"] = ["restart": ["../\(other)/conf/file"]]
                }
                files["manifest.json"] = manifest(
                    units: own, links: Dictionary(uniqueKeysWithValues: links.map { ($0, "conf") }), onChange: rules)
            }
            apps[name] = files
        }
        return apps
    }

    private func running() throws -> [String: ObjectID] {
        let commit = try #require(try cluster.store.deployedCommit(web1))
        guard let tree = try cluster.store.tree(of: web1, in: commit) else { return [:] }
        return Dictionary(try cluster.store.tree(tree).map { ($0.name, $0.id) }) { first, _ in first }
    }

    @Test func `exactly the chosen apps change, are known to other operators, and go back`() throws {
        var random = Seeded()
        var (carriedOut, refused) = (0, 0)
        for round in 0..<60 {
            let note = Comment(rawValue: "seed \(random.seed), round \(round)")
            try? cluster.store.setDeployed(web1, nil, reason: "test")
            try write(randomApps(&random))
            guard !(try cluster.plan().hosts.isEmpty) else { continue }
            try cluster.carryOut(cluster.plan(), Int64(round * 4))
            let before = try running()
            try write(randomApps(&random))
            let disk = try cluster.store.tree(try #require(try ClusterReader(cluster.store).hosts(in: cluster.root()).first).tree)
            let after = Dictionary(disk.map { ($0.name, $0.id) }) { first, _ in first }
            let names = Set(before.keys).union(after.keys).sorted()
            guard let whole = try cluster.plan().hosts.first else { continue }
            let chosen = names.filter { _ in Bool.random(using: &random) }
            guard !chosen.isEmpty else { continue }
            let places = chosen.map { "web1/\($0)" }
            let limited: Plan
            do {
                limited = try cluster.plan(HostFilter(places: places))
            } catch ClusterError.limited(_, let leftOut) {
                // Only ever for want of the others.
                #expect(leftOut == names.filter { before[$0] != after[$0] && !chosen.contains($0) }, note)
                #expect(!leftOut.isEmpty, note)
                refused += 1
                continue
            }
            let expected = names.filter { before[$0] != after[$0] && chosen.contains($0) }
            #expect(limited.hosts.flatMap { $0.changes.map(\.app.text) } == expected, note)
            guard let host = limited.hosts.first else { continue }
            #expect(host.limit?.leftOut == names.filter { before[$0] != after[$0] && !chosen.contains($0) }, note)
            // A plan file makes the same of it, with the tree or without.
            let root = try ClusterReader(cluster.store).root(of: limited, in: cluster.root())
            let file = try PlanFile(limited, root: root, cluster: "prod", safety: Safety(guard: .never), store: cluster.store)
            let read = try PlanFile(reading: file.bytes)
            #expect(try read.plan(store: cluster.store, tree: cluster.root()) == limited, note)
            #expect(try read.plan(store: cluster.store, tree: nil).hosts.map(\.steps) == [host.steps], note)
            // Its steps do not go with the tree of a plan for more.
            if whole.wanted.id != host.wanted.id {
                let all = try PlanFile(
                    Plan(hosts: [whole]), root: cluster.root(), cluster: "prod", safety: Safety(guard: .never), store: cluster.store)
                var spliced = file
                (spliced.root, spliced.objects) = (all.root, all.objects)
                #expect(throws: PlanFile.ReadError.otherPlan(web1), "\(note)") { try spliced.plan(store: cluster.store, tree: nil) }
            }

            let commit = try cluster.carryOut(limited, Int64(round * 4 + 1))
            #expect(
                try running() == before.filter { !chosen.contains($0.key) }.merging(after.filter { chosen.contains($0.key) }) { $1 }, note)
            let rest = try cluster.plan().hosts.first
            #expect(
                rest.map { $0.changes.map(\.app.text) } ?? [] == whole.changes.map(\.app.text).filter { !chosen.contains($0) }, note)
            // Another operator learns the same from the host's record.
            let other = try cluster.otherStore()
            _ = try other.adopt(try cluster.store.record(for: host.wanted, commit: commit), of: web1)
            #expect(try other.tree(of: web1, in: commit) == host.wanted.id, note)

            let back = try undo("web1")
            try cluster.carryOut(back.plan, Int64(round * 4 + 2), .undo, root: back.root)
            #expect(try running() == before, note)
            carriedOut += 1
        }
        #expect(carriedOut > 10 && refused > 0, "seed \(random.seed): \(carriedOut) carried out, \(refused) refused")
        #expect(try Cluster.isSound(cluster.store))
    }
}
