import Foundation
import Model
import TestSupport
import Testing
import Wire

/// Every operation of a deploy fails once, in every way: afterwards the host is exactly in
/// the old or exactly in the new state. The whole sweep runs with DEPTOOL_TORTURE=1, else a share of it; with
/// DEPTOOL_AGENT_UNDER_TEST, that of an agent for another CPU.
@Suite(.serialized) struct FaultTests {
    private static let isWhole = ProcessInfo.processInfo.environment["DEPTOOL_TORTURE"] != nil

    /// The operations to let fail.
    private func numbers(_ scenario: Scenario, oneIn share: Int) -> [Int] {
        let share = Self.isWhole ? 1 : share
        return Array(stride(from: Int.random(in: 1...share), through: scenario.operations, by: share))
    }

    private static let stays = Wanted.File(sealed: "stays")

    private let old = Wanted([
        "dns": .init(
            ["nsd.conf": .init("server: old"), "zones/a.zone": .init("a"), "zones/b.zone": .init("b")],
            links: ["/etc/nsd/nsd.conf": "nsd.conf", "/etc/nsd/a.zone": "zones/a.zone"],
            placed: ["/etc/systemd/system/a.service": .init(source: "zones/a.zone"), "/etc/turns": .init(source: "nsd.conf", mode: 0o600)]),
        "gone": .init(
            ["x": .init("x"), "deep/y": .init("y")], links: ["/etc/gone": "x"], placed: ["/etc/gone.conf": .init(source: "deep/y")]),
        "keys": .init(["key": .init("first")]),
        "opens": .init(["secret": .init("no more")], group: "nsd"),
        "sealed": .init([
            "secrets/stays.age": FaultTests.stays, "secrets/turns.age": .init(sealed: "old"), "secrets/goes.age": .init(sealed: "gone"),
        ]),
        "plain": .init(["secrets/no-more.age": .init(sealed: "no more")], group: "nsd"),
        "gone-sealed": .init(["secrets/gone.age": .init(sealed: "gone")]),
        "same": .init(["z": .init("z")], links: ["/srv/y": "z", "/srv/z": "z"]),
    ])
    private let new = Wanted([
        "dns": .init(
            ["nsd.conf": .init("server: new"), "zones/a.zone": .init("a"), "copy/of/it": .init("server: new")],
            links: ["/etc/nsd/nsd.conf": "copy/of/it", "/etc/made/for/links/a": "zones/a.zone", "/etc/turns": "nsd.conf"],
            placed: [
                "/etc/systemd/system/a.service": .init(source: "copy/of/it"),
                "/etc/sudoers.d/made": .init(source: "zones/a.zone", mode: 0o440),
                "/etc/nsd/a.zone": .init(source: "zones/a.zone", mode: 0o400),
            ]),
        "keys": .init(["key": .init("second")], group: "nsd"),
        "opens": .init(["secret": .init("any more")]),
        "sealed": .init(
            ["secrets/stays.age": FaultTests.stays, "secrets/turns.age": .init(sealed: "new"), "secrets/comes.age": .init(sealed: "come")],
            group: "nsd"),
        "plain": .init(["no-secret": .init("")], group: "nsd"),
        "new-sealed": .init(["secrets/new.age": .init(sealed: "new")]),
        "same": .init(["z": .init("z")], links: ["/srv/y": "z", "/srv/z": "z"]),
        "web": .init(
            ["index": .init("hello"), "empty": .init(""), "web.container": .init("[Container]")],
            links: ["/etc/motd": "index", "/etc/containers/systemd/web.container": "web.container"]),
    ])
    /// The files put in the place of links.
    private let found: [String: Drift.Found] = [
        "/srv/y": .symlink(to: "/dev/null"), "/srv/z": .file(.of(.blob, Array("theirs".utf8)), size: 6),
    ]

    /// A host that runs `old` by deploy 2, with a version before it, and the two states that a fault may end in.
    private struct Scenario {
        var host: TestHost
        var plan: Plan
        var old: [String: String]
        var new: [String: String]
        /// How many operations the deploy takes.
        var operations: Int
    }

    private func scenario() throws -> Scenario {
        let host = try TestHost()
        var first = old
        first.apps["dns"]!.files["nsd.conf"] = .init("server: first")
        try host.write("/etc/ssh/ssh_host_ed25519_key", HostKey.shared.file, mode: 0o600)
        try host.write("/etc/group", "root:x:0:\nnsd:x:4711:\n")
        try host.deploy(first, 1)
        try host.deploy(old, 2, after: (first, 1))
        for path in found.keys { try host.remove(path) }
        try host.symlink("/srv/y", to: "/dev/null")
        try host.write("/srv/z", "theirs", mode: 0o604)
        try host.write("/etc/motd", "hello", mode: 0o444)
        try host.write("/etc/nsd/theirs", "not ours")
        let plan = Plan(from: (old, 2), to: new, 3, displacing: found)
        let whole = try TestHost(copyOf: host)
        let counter = Breaker(at: .max)
        try #require(try whole.deploy(plan, gate: counter) == .finished(.deployed))
        try whole.expect(running: new, 3)
        return Scenario(
            host: host, plan: plan, old: try host.listing(), new: try whole.listing(), operations: counter.count)
    }

    /// The problems of a host after a recovery; none when it is in one of the two states.
    private func problems(_ host: TestHost, _ scenario: Scenario, outcome: Outcome? = nil) throws -> [String] {
        let now = try host.listing()
        let toOld = difference(scenario.old, now)
        let toNew = difference(scenario.new, now)
        var problems = toOld.isEmpty || toNew.isEmpty ? [] : ["neither old nor new:"] + toOld + ["and:"] + toNew
        switch outcome {
        case .deployed where !toNew.isEmpty: problems.append("not the new state, but deployed")
        case .rolledBack where !toOld.isEmpty: problems.append("not the old state, but rolled back")
        default: break
        }
        problems += try toNew.isEmpty ? host.problems(running: new, 3) : host.problems(running: old, 2, replaced: Set(found.keys))
        // And the way to the new state is free.
        if !toNew.isEmpty {
            let again = try ChildAgent.deploy(scenario.plan, to: host)
            if again.ending != .finished(.deployed) { problems.append("deploying again: \(again.ending)") }
            problems += difference(scenario.new, try host.listing())
        }
        return problems
    }

    private func expect(_ problems: [String], _ what: CustomStringConvertible) {
        #expect(problems == [], "\(what)")
    }

    @Test(arguments: ["kill", "tear", "short", "5", "28", "30"])
    func `each operation fails once`(kind: String) throws {
        let scenario = try scenario()
        var hits = 0
        for number in numbers(scenario, oneIn: kind == "kill" ? 5 : 12) {
            let fault = ChildAgent.Fault(number: number, kind: kind)
            let host = try TestHost(copyOf: scenario.host)
            let (status, ending) = try ChildAgent.deploy(scenario.plan, to: host, fault: fault)
            if status == ChildAgent.killed { hits += 1 } else { #expect(status == 0, "\(fault)") }
            var outcome: Outcome?
            switch ending {
            case .finished(let finished):
                outcome = finished
                if case .broken = finished { Issue.record("\(fault): \(finished)") }
                if kind == "short" { #expect(finished == .deployed, "\(fault)") }
            case .refused: outcome = .rolledBack(AgentError(.cancelled))
            case .gone: #expect(status == ChildAgent.killed, "\(fault)")
            default: Issue.record("\(fault): \(ending)")
            }
            if status == 0 { hits += 1 }
            let start = try ChildAgent.start(host)
            guard case .hello = start.hello else {
                Issue.record("\(fault): then \(String(describing: start.hello))")
                continue
            }
            expect(try problems(host, scenario, outcome: outcome), fault)
        }
        print("faults \"\(kind)\": \(hits) points hit, of \(scenario.operations) operations")
    }

    @Test(arguments: ["28+", "30+", "5+"])
    func `each operation and all after it fail`(kind: String) throws {
        let scenario = try scenario()
        var hits = 0
        for number in numbers(scenario, oneIn: 12) {
            hits += 1
            let fault = ChildAgent.Fault(number: number, kind: kind)
            let host = try TestHost(copyOf: scenario.host)
            let (status, ending) = try ChildAgent.deploy(scenario.plan, to: host, fault: fault)
            #expect(status == 0)
            if case .finished(.rolledBack) = ending {
                // It may not have been possible to tidy up, but nothing that is in use differs.
                let changes = difference(scenario.old, try host.listing()).filter { !$0.hasPrefix("/var/lib/deptool/") }
                expect(changes, fault)
            }
            // The disk is well again.
            let start = try ChildAgent.start(host)
            guard case .hello = start.hello else {
                Issue.record("\(fault): then \(String(describing: start.hello))")
                continue
            }
            var outcome: Outcome?
            if case .finished(.deployed) = ending { outcome = .deployed }
            expect(try problems(host, scenario, outcome: outcome), fault)
        }
        print("faults \"\(kind)\": \(hits) points hit, of \(scenario.operations) operations")
    }

    @Test func `an operation fails and the process that runs the steps is killed`() throws {
        let scenario = try scenario()
        var hits = 0
        for number in numbers(scenario, oneIn: 4) {
            let fault = ChildAgent.Fault(number: number, kind: "kill-child")
            let host = try TestHost(copyOf: scenario.host)
            let (status, ending) = try ChildAgent.deploy(scenario.plan, to: host, executor: "detached", fault: fault)
            #expect(status == 0)
            guard case .finished(let outcome) = ending else {
                Issue.record("\(fault): \(ending)")
                continue
            }
            if outcome == .rolledBack(AgentError(.agentDied)) {
                hits += 1
            } else {
                #expect(outcome == .deployed, "\(fault)")
            }
            // The other process has tidied up: no new agent is needed.
            expect(try problems(host, scenario, outcome: outcome), fault)
        }
        #expect(hits > 10)
        print("the process of the steps killed: \(hits) points hit")
    }

    @Test func `the session is killed while the steps run`() throws {
        let scenario = try scenario()
        var (undone, done) = (0, 0)
        for number in numbers(scenario, oneIn: 4) {
            let fault = ChildAgent.Fault(number: number, kind: "kill-parent")
            let host = try TestHost(copyOf: scenario.host)
            let (status, ending) = try ChildAgent.deploy(scenario.plan, to: host, executor: "detached", fault: fault)
            if status == 0 {
                // The steps were done before.
                #expect(ending == .finished(.deployed))
                break
            }
            #expect(try host.isLockFree(within: 10_000), "\(fault)")
            guard case .hello = try ChildAgent.start(host).hello else {
                Issue.record("\(fault)")
                continue
            }
            if difference(scenario.new, try host.listing()).isEmpty { done += 1 } else { undone += 1 }
            expect(try problems(host, scenario), fault)
        }
        #expect(undone > 10)
        print("the session killed: \(undone) times undone, \(done) times done")
    }

    @Test(arguments: ["kill", "5", "28"])
    func `the agent is killed, and an operation of the recovery fails`(kind: String) throws {
        let scenario = try scenario()
        var hits = 0
        for number in numbers(scenario, oneIn: kind == "kill" ? 120 : 300) {
            let broken = try TestHost(copyOf: scenario.host)
            _ = try ChildAgent.deploy(scenario.plan, to: broken, fault: .init(number: number, kind: "kill"))
            let counter = Breaker(at: .max)
            let whole = try TestHost(copyOf: broken)
            try whole.end(try whole.session(gate: counter).client)
            for second in 0..<counter.count {
                let fault = ChildAgent.Fault(number: second + 1, kind: kind)
                let host = try TestHost(copyOf: broken)
                let (status, _) = try ChildAgent.start(host, fault: fault)
                let what = "killed at \(number), recovery: \(fault)"
                #expect(status == (kind == "kill" ? ChildAgent.killed : 0), "\(what)")
                guard case .hello = try ChildAgent.start(host).hello else {
                    Issue.record("\(what)")
                    continue
                }
                expect(try problems(host, scenario), what)
                hits += 1
            }
        }
        print("recovery with \"\(kind)\": \(hits) points hit")
    }
}
