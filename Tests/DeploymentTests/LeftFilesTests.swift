import Foundation
import Git
import Model
import Planning
import TestSupport
import Testing

@testable import Deployment

/// Plans that leave files where links and copies go.
@Suite struct LeftFilesTests {
    /// Apps with links, copies, directories and readers of all kinds.
    private func randomApps(_ random: inout Seeded) -> [String: [String: String]] {
        var apps: [String: [String: String]] = [:]
        var free = ["/etc/x", "/etc/y \"q\"", "/etc/z\\n", "/opt/a/b", "/opt/a/c"]
        for name in ["a", "b", "c"].shuffled(using: &random) where Int.random(in: 0..<3, using: &random) > 0 {
            let own = free.filter { _ in Bool.random(using: &random) }
            free.removeAll(where: own.contains)
            let links = own.filter { _ in Bool.random(using: &random) }
            func quoted(_ path: String) -> String { "\"" + path.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\"" }
            let sources = ["conf", "conf/x", "conf/deep", "run"]
            let symlinks = links.map { "\(quoted($0)): \"\(sources.randomElement(using: &random) ?? "")\"" }
            let copies = own.filter { !links.contains($0) }.map {
                "\(quoted($0)): {\"source\": \"conf/x\", \"mode\": \"\(Bool.random(using: &random) ? "0600" : "4755")\", \"owner\": \"daemon\"}"
            }
            let readers = ["", ", \"private\": true", ", \"private\": true, \"group\": \"www\""].randomElement(using: &random) ?? ""
            apps[name] = [
                "conf/x": "\(Int.random(in: 0...1, using: &random))", "conf/deep/y": "y", "run": "run",
                "manifest.json":
                    "{\"symlinks\": {\(symlinks.joined(separator: ", "))}, \"copies\": {\(copies.joined(separator: ", "))}\(readers)}",
            ]
        }
        return apps
    }

    @Test func `removed paths keep their content, and are forgotten without a change`() throws {
        var random = Seeded()
        var left = 0
        for round in 0..<40 {
            let note = Comment(rawValue: "seed \(random.seed), round \(round)")
            let cluster = try Cluster()
            let web1 = try hostname("web1")
            func write(_ apps: [String: [String: String]]) throws {
                try? cluster.remove("web1")
                try FileManager.default.createDirectory(atPath: cluster.path + "/prod/web1", withIntermediateDirectories: true)
                for (app, files) in apps { for (path, content) in files { try cluster.write("web1/\(app)/\(path)", content) } }
            }
            /// The content at each path outside of Deptool's directory, through links to files and directories.
            func visible(_ apps: [AppTree]) -> [String: ObjectID] {
                var contents: [String: ObjectID] = [:]
                for app in apps {
                    for link in app.links {
                        for file in app.files {
                            if file.path == link.source { contents[link.path.text] = file.id }
                            if let inner = file.path.below(link.source.text) { contents[link.path.appending(inner).text] = file.id }
                        }
                    }
                    for placed in app.placed { contents[placed.path.text] = app.files.first { $0.path == placed.source }?.id }
                }
                return contents
            }
            try write(randomApps(&random))
            guard let first = try cluster.plan().hosts.first else { continue }
            try cluster.carryOut(cluster.plan(), 1)
            try write(randomApps(&random))
            let reader = ClusterReader(cluster.store, safety: Safety(guard: .never))
            let plan = try reader.plan(root: cluster.root(), cluster: "prod", filter: .all, leaves: .everything)
            guard let host = plan.hosts.first else { continue }
            let commit = try cluster.carryOut(plan, 2)
            let wanted = host.wanted.apps.filter { !$0.isOfLeftFiles }
            #expect(
                wanted.map(\.name.text)
                    == (try reader.hostTree(web1, try #require(try reader.hosts(in: cluster.root()).first).tree)).apps.map(\.name.text),
                note)
            // Earlier content is still there, unless something of the new tree replaces it.
            let (before, after, own) = (visible(first.wanted.apps), visible(host.wanted.apps), visible(wanted))
            let taken = wanted.flatMap { $0.links.map(\.path) + $0.placed.map(\.path) }.map(\.text)
            for (path, content) in before
            where own[path] == nil && !taken.contains(where: { path == $0 || path.hasPrefix($0 + "/") || $0.hasPrefix(path + "/") }) {
                #expect(after[path] == content, note)
                left += 1
            }
            #expect(after.filter { own[$0.key] == nil }.allSatisfy { before[$0.key] == $0.value }, note)
            // Then nothing but the app goes.
            let (forgetting, root) = try reader.forgettingPlan([web1], cluster: "prod", isRemoval: false)
            #expect(forgetting.hosts.isEmpty == !host.wanted.apps.contains(where: \.isOfLeftFiles), note)
            if let forgets = forgetting.hosts.first {
                #expect(forgets.steps.map(\.action) == [.remove], note)
                #expect(forgets.base == commit, note)
                // Without it, the next deploy does the same.
                #expect(try cluster.plan().hosts.map(\.steps) == [forgets.steps], note)
                try cluster.carryOut(forgetting, 3, .leave, root: root)
            }
            #expect(try cluster.plan().hosts == [], note)
            let back = try reader.undoPlan(to: nil, cluster: "prod", filter: .all)
            #expect(back.plan.hosts.map(\.wanted.id) == [first.wanted.id], note)
            let last = try cluster.store.deployedCommit(web1)
            // Undoing that leaves the files again.
            try cluster.carryOut(back.plan, 4, .undo, root: back.root)
            let again = try reader.undoPlan(to: nil, cluster: "prod", filter: .all).plan
            #expect(again.hosts.map(\.wanted.id) == [host.wanted.id], note)
            let named = try reader.undoPlan(to: last, cluster: "prod", filter: .all).plan
            #expect(named.hosts.map(\.wanted.id) == [host.wanted.id], note)
        }
        #expect(left > 20, "seed \(random.seed)")
    }

    /// As if an app with a link had been removed with its content left, and Deptool had not come to forget that.
    private func left(_ cluster: Cluster) throws -> (first: Plan, reader: ClusterReader) {
        try cluster.write("web1/app/conf", "x")
        try cluster.write("web1/app/manifest.json", manifest(links: ["/etc/app.conf": "conf"]))
        try cluster.write("web1/other/file", "one")
        let first = try cluster.plan()
        try cluster.carryOut(first, 1)
        try cluster.remove("web1/app")
        let reader = ClusterReader(cluster.store, safety: Safety(guard: .never))
        try cluster.carryOut(reader.plan(root: cluster.root(), cluster: "prod", filter: .all, leaves: .everything), 2)
        return (first, reader)
    }

    @Test func `an undo skips a deploy that only forgets the rest of an interrupted one`() throws {
        let cluster = try Cluster()
        let (first, reader) = try left(cluster)
        // As soon as nothing is forgotten yet.
        #expect(try reader.undoPlan(to: nil, cluster: "prod", filter: .all).plan.hosts.map(\.wanted.id) == first.hosts.map(\.wanted.id))
        try cluster.carryOut(cluster.plan(), 3)
        #expect(try reader.undoPlan(to: nil, cluster: "prod", filter: .all).plan.hosts.map(\.wanted.id) == first.hosts.map(\.wanted.id))
    }

    @Test func `an undo does not stop at the intermediate state of a removal`() throws {
        let cluster = try Cluster()
        let (_, reader) = try left(cluster)
        try cluster.write("web1/other/file", "two")
        try cluster.carryOut(cluster.plan(), 3)
        let undo = try reader.undoPlan(to: nil, cluster: "prod", filter: .all)
        #expect(undo.plan.hosts[0].changes.map(\.app.text) == ["other"])
        #expect(undo.plan.hosts[0].steps.map(\.action) == [.checkout(for: .everybody), .activate])
        // An app that takes the file over again leaves it behind when that is undone, also after other deploys.
        try cluster.carryOut(undo.plan, 4, .undo, root: undo.root)
        try cluster.write("web1/app/conf", "x")
        try cluster.write("web1/app/manifest.json", manifest(links: ["/etc/app.conf": "conf", "/etc/new.conf": "conf"]))
        try cluster.carryOut(cluster.plan(HostFilter(places: ["web1/app"])), 5)
        let back = try reader.undoPlan(to: nil, cluster: "prod", filter: .all).plan
        let app = back.hosts[0].wanted.apps.filter(\.isOfLeftFiles)
        #expect(app.flatMap(\.placed).map(\.path.text) == ["/etc/app.conf"])
        let new = try AbsolutePath("/etc/new.conf")
        #expect(back.hosts[0].steps.contains { $0.action == .unlink(path: new) })
    }

    @Test func `a directory of thousands of files stays`() throws {
        let cluster = try Cluster()
        // Their names in a manifest take more than a megabyte.
        let name = String(repeating: "n", count: 200)
        for index in 0..<2500 { try cluster.write("web1/app/certificates/\(name)\(index).pem", "x") }
        try cluster.write("web1/app/manifest.json", manifest(links: ["/usr/local/share/ca-certificates": "certificates"]))
        try cluster.carryOut(cluster.plan(), 1)
        try cluster.remove("web1/app")
        try cluster.write("web1/other/file", "one")
        let reader = ClusterReader(cluster.store, safety: Safety(guard: .never))
        let plan = try reader.plan(root: cluster.root(), cluster: "prod", filter: .all, leaves: .everything)
        #expect(plan.hosts[0].wanted.apps.flatMap(\.placed).count == 2500)
    }

    @Test func `a removed host first keeps its files, then is emptied`() throws {
        let cluster = try Cluster()
        let web1 = try hostname("web1")
        try cluster.write("web1/app/conf", "x")
        try cluster.write("web1/host.json", #"{"hostname": "other"}"#)
        try cluster.write("web1/app/manifest.json", manifest(links: ["/etc/app.conf": "conf"]))
        try cluster.carryOut(cluster.plan(), 1)
        try cluster.remove("web1")
        let reader = ClusterReader(cluster.store, safety: Safety(guard: .never))
        let plan = try reader.removalPlan(web1, root: cluster.root(), leaves: .everything)
        #expect(!plan.hosts[0].isRemoval && plan.hosts[0].wanted.options.hostname == "other")
        let commit = try cluster.carryOut(plan, 2)
        #expect(try cluster.store.tree(of: web1, in: commit) == plan.hosts[0].wanted.id)
        let (forgetting, _) = try reader.forgettingPlan([web1], cluster: "prod", isRemoval: true)
        #expect(forgetting.hosts[0].isRemoval && forgetting.hosts[0].steps.map(\.action) == [.remove])
        #expect(forgetting.hosts[0].wanted.options.hostname == "other")
    }
}
