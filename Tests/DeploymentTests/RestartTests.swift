import Git
import Model
import Planning
import TestSupport
import Testing

@testable import Deployment

/// Plans that only restart.
@Suite struct RestartTests {
    private let cluster: Cluster
    private let web1: Hostname

    init() throws {
        cluster = try Cluster()
        web1 = try hostname("web1")
        try cluster.write("web1/shop/manifest.json", manifest(units: ["shop.service", "shop.timer"]))
        try cluster.write("web1/shop/systemd/shop.service", "[Service]\nExecStart=/bin/true\n")
        try cluster.write("web1/shop/systemd/shop.timer", "[Timer]\nOnCalendar=daily\n")
        try cluster.write("web1/shop/systemd/job.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
        try cluster.write("web1/shop/systemd/work@.service", "[Service]\nExecStart=/bin/true\n")
        try cluster.write("web1/motd/file", "one")
        try cluster.write("web2/shop/manifest.json", manifest(units: ["shop.service"]))
        try cluster.write("web2/shop/systemd/shop.service", "[Service]\nExecStart=/bin/true\n")
        try cluster.carryOut(cluster.plan(), 1)
    }

    private func restart(_ names: String..., limit: [String] = []) throws -> (plan: Plan, root: ObjectID) {
        try ClusterReader(cluster.store, safety: Safety(guard: .never)).restartPlan(names, cluster: "prod", filter: HostFilter(limit))
    }

    /// The units that restart, such as `web1/shop.service`; with a question mark if only when they run.
    private func units(_ plan: Plan) -> [String] {
        plan.hosts.flatMap { host in
            host.steps.compactMap { step in
                switch step.action {
                case .restart(let unit, let because, _) where because.isAsked: "\(host.host.text)/\(unit.text)"
                case .restartIfUp(let unit, let because, _) where because.isAsked: "\(host.host.text)/\(unit.text)?"
                default: nil
                }
            }
        }
    }

    @Test func `the checks of the app run, even for a unit that is not enabled`() throws {
        let text = manifest(units: ["shop.service", "shop.timer"]).dropFirst()
        try cluster.write("web1/shop/manifest.json", #"{"checks": [["/bin/test"]], "# + text)
        try cluster.carryOut(cluster.plan(), 2)
        for unit in ["job.service", "shop.service"] {
            let steps = try restart(unit).plan.hosts[0].steps
            #expect(steps.first?.action == .validate(["/bin/test"], within: .seconds(30)), "\(unit)")
        }
    }

    @Test func `units and apps restart on the hosts that have them, and nothing else happens`() throws {
        #expect(units(try restart("shop.service").plan) == ["web1/shop.service", "web2/shop.service"])
        #expect(units(try restart("shop").plan) == ["web1/shop.service", "web1/shop.timer", "web2/shop.service"])
        #expect(units(try restart("shop.timer").plan) == ["web1/shop.timer"])
        #expect(units(try restart("shop", "shop.service", limit: ["web2"]).plan) == ["web2/shop.service"])
        #expect(units(try restart("job.service").plan) == ["web1/job.service?"])
        // Undeployed changes do not matter, nor do mistakes.
        try cluster.write("web1/shop/systemd/shop.service", "[Service]\nExecStart=/bin/false\n")
        try cluster.write("web1/motd/manifest.json", "{")
        let (plan, root) = try restart("shop", limit: ["web1"])
        let names = plan.hosts[0].steps.map { step in
            switch step.action {
            case .restart: "restart"
            case .check: "check"
            default: "another"
            }
        }
        #expect(names == ["restart", "restart", "check", "check"])
        let commit = try #require(try cluster.store.deployedCommit(web1))
        #expect(root == (try cluster.store.commitInfo(commit).tree))
        #expect(plan.hosts[0].wanted.id == (try cluster.store.tree(of: web1, in: commit)))
    }

    @Test func `unknown names are an error that lists the known ones`() throws {
        let all = ["job.service", "shop", "shop.service", "shop.timer"]
        for name in ["shopp", "motd", "nginx.service", "work@.service", "work@1.service", "web1", "", "*", "shop*"] {
            #expect(throws: ClusterError.notRestartable([name], nil, known: all)) { try restart(name) }
        }
        #expect(throws: ClusterError.notRestartable(["x"], nil, known: all)) { try restart("shop", "x") }
        let web2 = try hostname("web2")
        #expect(throws: ClusterError.notRestartable(["shop.timer"], web2, known: ["shop", "shop.service"])) {
            try restart("shop.timer", limit: ["web*"])
        }
        #expect(throws: ClusterError.unknownHosts(["web3"], known: [web1, web2])) { try restart("shop", limit: ["web3"]) }
        try cluster.store.setDeployed(web1, nil, reason: "test")
        try cluster.store.setDeployed(web2, nil, reason: "test")
        #expect(throws: ClusterError.notRestartable(["shop"], nil, known: [])) { try restart("shop") }
    }

    @Test func `an undo skips any number of restarts`() throws {
        try cluster.write("web1/motd/file", "two")
        try cluster.carryOut(cluster.plan(), 2)
        let root = try cluster.store.commitInfo(try #require(try cluster.store.deployedCommit(web1))).tree
        for time in 3...5 {
            let (plan, root) = try restart("shop")
            try cluster.carryOut(plan, Int64(time), .restart, root: root)
        }
        #expect(try cluster.plan().hosts == [])
        #expect(
            try cluster.store.pastEvents(1).contains { event in
                if case .deploy(let past) = event { past.note.hosts[0].apps.map(\.change) == [.restarted] } else { false }
            })
        for places in [[], ["web1"], ["web1/motd"]] {
            let plan = try ClusterReader(cluster.store).undoPlan(to: nil, cluster: "prod", filter: HostFilter(places: places)).plan
            #expect(plan.hosts.map { $0.changes.map(\.app.text) } == [["motd"]], "\(places)")
        }
        let undo = try ClusterReader(cluster.store).undoPlan(to: nil, cluster: "prod", filter: .all)
        try cluster.carryOut(undo.plan, 6, .undo, root: undo.root)
        let again = try restart("shop", limit: ["web1"])
        try cluster.carryOut(again.plan, 7, .restart, root: again.root)
        #expect(try ClusterReader(cluster.store).undoPlan(to: nil, cluster: "prod", filter: .all).root == root)
    }
}
