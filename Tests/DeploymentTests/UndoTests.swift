import Git
import Model
import Planning
import TestSupport
import Testing

@testable import Deployment

/// The plans of `undo`, without hosts: deploys are recorded as if they had been done.
@Suite struct UndoTests {
    private let cluster: Cluster
    private let empty: ObjectID

    init() throws {
        cluster = try Cluster()
        empty = try cluster.store.writeRoot([])
    }

    /// As if the tree had been deployed by this store.
    @discardableResult
    private func deploy(_ time: Int64, _ kind: HistoryEntry.Kind = .deploy, _ plan: Plan? = nil, root: ObjectID? = nil) throws -> ObjectID {
        try cluster.carryOut(plan ?? cluster.plan(), time, kind, root: root)
    }

    private func undo(_ filter: HostFilter = .all, to commit: ObjectID? = nil) throws -> (plan: Plan, root: ObjectID) {
        let undo = try ClusterReader(cluster.store).undoPlan(to: commit, cluster: "prod", filter: filter)
        return (undo.plan, undo.root)
    }

    private func undone(_ filter: HostFilter = .all, to commit: ObjectID? = nil) throws -> [String: ObjectID] {
        let undo = try ClusterReader(cluster.store).undoPlan(to: commit, cluster: "prod", filter: filter)
        return Dictionary(uniqueKeysWithValues: undo.undone.map { ($0.key.text, $0.value) })
    }

    private func changes(_ plan: Plan) -> [String] {
        plan.hosts.flatMap { host in
            host.changes.flatMap { change in change.files.map { "\(host.host.text)/\(change.app.text)/\($0.path.text)" } }
        }
    }

    @Test func `the last deploy is undone on its hosts, and a second undo restores it`() throws {
        try cluster.write("web1/app/file", "one")
        try cluster.write("web2/app/file", "one")
        let first = try deploy(1)
        try cluster.write("web1/app/file", "two")
        let second = try deploy(2)

        let (plan, root) = try undo()
        #expect(changes(plan) == ["web1/app/file"])
        #expect(plan.hosts[0].base == second)
        // Everything deployed then is the content of the first commit.
        #expect(root == (try cluster.store.commitInfo(first).tree))
        // The host has the content in the version before.
        #expect(plan.hosts[0].present.isSuperset(of: plan.hosts[0].wanted.apps.flatMap { $0.files.map(\.id) }))

        try deploy(3, .undo, plan, root: root)
        let (again, newRoot) = try undo()
        #expect(changes(again) == ["web1/app/file"])
        #expect(newRoot == (try cluster.store.commitInfo(second).tree))
    }

    @Test func `named hosts go back to their own previous states`() throws {
        try cluster.write("web1/app/file", "one")
        try cluster.write("web2/app/file", "one")
        let first = try deploy(1)
        try cluster.write("web1/app/file", "two")
        let second = try deploy(2)
        try cluster.write("web2/app/file", "three")
        let third = try deploy(3)
        #expect(try undone() == ["web2": third])
        #expect(try undone(HostFilter(["*"])) == ["web1": second, "web2": third])
        #expect(try undone(to: first) == [:])
        #expect(changes(try undo().plan) == ["web2/app/file"])
        #expect(changes(try undo(HostFilter(["*"])).plan) == ["web1/app/file", "web2/app/file"])
        #expect(changes(try undo(HostFilter(["web1"])).plan) == ["web1/app/file"])
        #expect(changes(try undo(to: first).plan) == ["web1/app/file", "web2/app/file"])
        #expect(changes(try undo(HostFilter(["web2"]), to: first).plan) == ["web2/app/file"])
    }

    @Test func `an undo of a first deploy removes everything, and can be undone`() throws {
        try cluster.write("web1/app/manifest.json", manifest(units: ["a.service"]))
        try cluster.write("web1/app/systemd/a.service", "[Service]")
        try cluster.write("web1/host.json", #"{"hostname": "other"}"#)
        try deploy(1)
        let (plan, root) = try undo()
        #expect(plan.hosts[0].changes.map(\.kind) == [.remove])
        #expect(plan.hosts[0].wanted.options.hostname == "other")
        #expect(plan.orphans == [])
        try deploy(2, .undo, plan, root: root)
        #expect(try undo().plan.hosts[0].changes.map(\.kind) == [.add])
    }

    @Test func `a rolled back deploy is not undone again`() throws {
        try cluster.write("web1/app/file", "one")
        try deploy(1)
        try cluster.write("web1/app/file", "two")
        let plan = try cluster.plan()
        let commit = try cluster.store.commit(
            tree: cluster.root(), parent: nil, author: Author(name: "A", email: ""), message: "", time: 2)
        try cluster.store.note([
            .begun(
                HistoryEntry(time: 2, commit: commit, kind: .deploy, cluster: "prod", author: "A", hosts: plan.hosts.map(HostNote.init))),
            .ended(time: 2, commit: commit, try hostname("web1"), .rolledBack, "rolled back"),
        ])
        // An undo changes the running state.
        #expect(try undo().plan.hosts[0].changes.map(\.kind) == [.remove])
    }

    @Test func `the state before another store's deploy is not guessed`() throws {
        let web1 = try hostname("web1")
        #expect(throws: ClusterError.nothingToUndo) { try undo() }
        try cluster.write("web1/app/file", "one")
        let first = try cluster.deploy(to: "web1")
        #expect(throws: ClusterError.nothingToUndo) { try undo() }
        #expect(throws: ClusterError.unknownBefore([web1])) { try undo(HostFilter(["web1"])) }
        #expect(throws: ClusterError.unknownHosts(["web2"], known: [web1])) { try undo(HostFilter(["web2"])) }
        #expect(try undo(to: first).plan.hosts == [])
        // Its root names a host whose files never came here.
        let foreign = try cluster.store.commit(
            tree: try cluster.store.writeRoot([(web1, .of(.tree, [1]))]), parent: nil, author: Author(name: "B", email: ""),
            message: "", time: 1)
        #expect(throws: ClusterError.notInCommit([web1], foreign)) { try undo(to: foreign) }
    }

    /// As if another store had brought the tree that is on disk to the host, and a sync had found it.
    private func found(_ root: ObjectID, _ time: Int64) throws {
        let web1 = try hostname("web1")
        let before = try cluster.store.deployedCommit(web1)
        let commit = try cluster.store.commit(
            tree: root, parent: nil, author: Author(name: "B", email: ""),
            message: DeployMessage.make(.restart, cluster: "prod", hosts: [web1]), time: time)
        try cluster.store.setDeployed(web1, commit, reason: "deployed by another store")
        try cluster.store.note([.found(time: time, web1, commit: commit, before: before)])
    }

    @Test func `an undo skips another store's restarts, and recognizes this store's undo`() throws {
        let web1 = try hostname("web1")
        try cluster.write("web1/app/file", "one")
        let first = try deploy(1)
        try cluster.write("web1/app/file", "two")
        let second = try deploy(2)
        let root = try cluster.root()
        try found(root, 3)
        try found(root, 4)
        for filter in [.all, HostFilter(["web1"]), HostFilter(places: ["web1/app"])] {
            let (plan, root) = try undo(filter)
            #expect(root == (try cluster.store.commitInfo(first).tree))
            #expect(plan.hosts[0].base == (try cluster.store.deployedCommit(web1)))
            #expect(try self.undone(filter) == ["web1": second])
        }
        let (plan, undone) = try undo()
        let undo = try deploy(5, .undo, plan, root: undone)
        try found(undone, 6)
        #expect(try cluster.plan().hosts[0].changes[0].undoneIn == undo)
        // Another store's change prevents it.
        try found(cluster.store.writeRoot([(web1, empty)]), 7)
        try found(root, 8)
        #expect(throws: ClusterError.nothingToUndo) { try self.undo() }
        #expect(throws: ClusterError.unknownBefore([web1])) { try self.undo(HostFilter(["web1"])) }
        // A sync that finds this store's own deploy changes nothing.
        try cluster.store.setDeployed(web1, second, reason: "test")
        try cluster.store.note([.found(time: 9, web1, commit: second, before: first)])
        #expect(try self.undo().root == (try cluster.store.commitInfo(first).tree))
    }

    /// As `--remove-host` does.
    private func remove(_ host: String, _ time: Int64) throws {
        try cluster.remove(host)
        try deploy(time, .deploy, ClusterReader(cluster.store).removalPlan(hostname(host), root: cluster.root()))
        try cluster.store.setDeployed(hostname(host), nil, reason: "deploy")
    }

    @Test func `a removed host comes back after its last deploy, or by its name`() throws {
        try cluster.write("web1/app/file", "one")
        try cluster.write("web2/app/file", "one")
        let first = try deploy(1)
        try remove("web1", 2)
        for (filter, commit) in [(HostFilter.all, nil), (HostFilter(["web1"]), nil), (HostFilter(["web1"]), first)] {
            let (plan, root) = try undo(filter, to: commit)
            #expect(changes(plan) == ["web1/app/file"])
            #expect(plan.hosts[0].base == nil)
            #expect(root == (try cluster.store.commitInfo(first).tree))
        }
        // A pattern does not name it.
        #expect(try undo(HostFilter(["web*"])).plan.hosts.map(\.host.text) == ["web2"])
        #expect(try undo(.all, to: first).plan.hosts == [])
        let (plan, root) = try undo()
        try deploy(3, .undo, plan, root: root)
        #expect(try undo().plan.hosts.map(\.changes).map { $0.map(\.kind) } == [[.remove]])
        // Later deploys come first.
        try cluster.write("web1/app/file", "one")
        try remove("web1", 4)
        try cluster.write("web2/app/file", "two")
        try deploy(5)
        #expect(changes(try undo().plan) == ["web2/app/file"])
        #expect(changes(try undo(HostFilter(["web1"])).plan) == ["web1/app/file"])
        // The last host as well.
        try remove("web2", 6)
        #expect(changes(try undo().plan) == ["web2/app/file"])
        // A forgotten host may run anything.
        try cluster.store.note([.forgotten(time: 7, try hostname("web1"), commit: first)])
        #expect(throws: ClusterError.notDeployed(try hostname("web1"))) { try undo(HostFilter(["web1,web2"])) }
    }

    @Test func `hosts of other clusters are left alone`() throws {
        try cluster.write("web1/app/file", "one")
        try deploy(1)
        try cluster.store.setDeployed(hostname("other"), try cluster.commit(cluster: "staging"), reason: "test")
        let (plan, root) = try undo(HostFilter(["*"]))
        #expect(plan.hosts.map(\.host.text) == ["web1"])
        #expect(try cluster.store.tree(root).map(\.name) == ["web1"])
    }

    @Test func `commits are compared host by host`() throws {
        try cluster.write("web1/app/file", "one")
        try cluster.write("web2/app/file", "one")
        let first = try deploy(1)
        try cluster.write("web1/app/file", "two")
        try cluster.write("web1/more/file", "two")
        try cluster.write("web2/app/file", "two")
        let second = try deploy(2)
        func files(_ places: String...) throws -> [String] {
            try ClusterReader(cluster.store).difference(from: first, to: second, places).files.map(\.path)
        }
        #expect(try files() == ["web1/app/file", "web1/more/file", "web2/app/file"])
        #expect(try files("web1") == ["web1/app/file", "web1/more/file"])
        #expect(try files("web1/more", "web2") == ["web1/more/file", "web2/app/file"])
        #expect(try files("*/app") == ["web1/app/file", "web2/app/file"])
        #expect(throws: ClusterError.unknownHosts(["db"], known: [try hostname("web1"), try hostname("web2")])) { try files("db") }
    }

    @Test func `a sync finds the outcome of a deploy that only the host knew, and no other`() throws {
        try cluster.write("web1/app/file", "one")
        let (web1, web2, store) = (try hostname("web1"), try hostname("web2"), cluster.store)
        let commits = (1...5).map { ObjectID.of(.commit, [$0]) }
        func begin(_ commit: ObjectID, from before: ObjectID?, _ ends: (ObjectID, DeployEnd)...) throws {
            let note = HistoryEntry(
                time: 1, commit: commit, kind: .deploy, cluster: "prod", author: "A",
                hosts: [HostNote(host: web1, before: before, apps: [])])
            try store.note([.begun(note)] + ends.map { .ended(time: 2, commit: $0, web1, $1, "x") })
            try store.note([.ended(time: 3, commit: commit, web2, .unknown, "of another host")])
        }
        func end(running: ObjectID?) throws -> DeployEnd? {
            try store.settle(web1, running: running)
            guard case .deploy(let deploy)? = try store.pastEvents(1).first else { return nil }
            return deploy.ends[web1]?.end
        }
        try begin(commits[0], from: nil, (commits[0], .unknown))
        #expect(try end(running: nil) == .rolledBack)
        // It stays, whatever the host runs later.
        #expect(try end(running: commits[0]) == .rolledBack)
        try begin(commits[1], from: nil)
        #expect(try end(running: commits[4]) == nil)
        #expect(try end(running: commits[1]) == .done)
        try begin(commits[2], from: commits[1], (commits[2], .broken))
        #expect(try end(running: commits[1]) == .broken)
        try begin(commits[3], from: commits[1])
        try store.note([.found(time: 4, web1, commit: commits[4], before: commits[1])])
        try store.settle(web1, running: commits[1])
        guard case .deploy(let deploy)? = try store.pastEvents(2).last else { throw ClusterError.nothingToUndo }
        #expect(deploy.ends[web1] == nil)
    }

    @Test func `past events have the ends of deploys, even those found out later`() throws {
        try cluster.write("web1/app/file", "one")
        let (web1, web2) = (try hostname("web1"), try hostname("web2"))
        let hosts = [HostNote(host: web1, before: nil, apps: []), HostNote(host: web2, before: nil, apps: [])]
        let (one, two) = (ObjectID.of(.commit, [1]), ObjectID.of(.commit, [2]))
        func note(_ time: Int64, _ commit: ObjectID) -> HistoryEntry {
            HistoryEntry(time: time, commit: commit, kind: .deploy, cluster: "prod", author: "A", hosts: hosts)
        }
        try cluster.store.note([
            .begun(note(1, one)), .ended(time: 2, commit: one, web1, .unknown, "lost"), .ended(time: 2, commit: one, web2, .done, "done"),
            .begun(note(3, two)), .found(time: 4, web1, commit: one, before: nil),
        ])
        let events = try cluster.store.pastEvents(10)
        #expect(
            events == [
                .found(time: 4, web1, commit: one, before: nil), .deploy(PastDeploy(note: note(3, two), ends: [:])),
                .deploy(
                    PastDeploy(note: note(1, one), ends: [web1: .init(end: .done, phrase: ""), web2: .init(end: .done, phrase: "done")])),
            ])
        #expect(try cluster.store.pastEvents(2) == Array(events.prefix(2)))
        let limited = try cluster.store.pastEvents(1, HostFilter(["web2"]))
        #expect(
            limited == [
                .deploy(
                    PastDeploy(
                        note: HistoryEntry(time: 3, commit: two, kind: .deploy, cluster: "prod", author: "A", hosts: [hosts[1]]), ends: [:])
                )
            ])
    }
}
