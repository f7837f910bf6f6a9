import Foundation
import Model
import Testing
import Wire

/// A host whose clock is decades off is deployed to like any other: nothing is decided by the time of day.
@Suite(.disabled(if: ChildAgent.isEmulated, "an emulator has the clock of this machine")) struct ClockTests {
    private static let decade = 10 * 365 * 86400

    private let apps = (1...4).map { number in
        Wanted(["dns": .init(["a": .init("\(number)")], links: ["/etc/a\(number)": "a"])])
    }

    /// The clock jumps from one to the other between deploys, so that the newest is not the last.
    @Test(arguments: [-4 * decade, 6 * decade])
    func `deploys, rollbacks, recoveries, locks and the log work with any clock`(ahead: Int) throws {
        let host = try TestHost()
        func deploy(_ number: Int, clock: Int, _ plan: Plan? = nil) throws -> Client.Ending {
            let old = number == 1 ? nil : (wanted: apps[number - 2], number: number - 1)
            let plan = plan ?? Plan(from: old, to: apps[number - 1], number)
            return try ChildAgent.deploy(plan, to: host, executor: "detached", clock: clock).ending
        }
        #expect(try deploy(1, clock: 0) == .finished(.deployed))
        #expect(try deploy(2, clock: ahead) == .finished(.deployed))
        // Only the version before is kept, whenever it was made.
        try host.expect(running: apps[1], 2)

        let before = try host.listing()
        var failing = Plan(from: (apps[1], 2), to: apps[2], 3)
        failing.preparation.steps.append(Step(nil, .confirm(within: .zero, because: .everyHost)))
        guard case .finished(.rolledBack) = try deploy(3, clock: -ahead, failing) else {
            Issue.record("it was not undone")
            return
        }
        try host.expect(unchangedSince: before)

        let plan = Plan(from: (apps[1], 2), to: apps[2], 3)
        let killed = try ChildAgent.deploy(plan, to: host, fault: .init(number: 25, kind: "kill"), clock: ahead)
        #expect(killed.status == ChildAgent.killed)
        #expect(try host.listing() != before)
        let start = try ChildAgent.start(host, clock: -ahead)
        guard case .hello = start.hello else {
            Issue.record("\(String(describing: start.hello))")
            return
        }
        try host.expect(unchangedSince: before)

        // The lock names its holder, not a time; it ends with its holder.
        let holder = try ChildAgent(host, clock: ahead)
        _ = try holder.client.greet()
        holder.client.send(.prepare(plan.preparation))
        try #require(try holder.client.receive() == .locked)
        guard case .busy(let who) = try deploy(3, clock: -ahead) else {
            Issue.record("it was not locked")
            return
        }
        #expect(who.name == plan.preparation.holder)
        _ = holder.abandon()
        #expect(try deploy(3, clock: -ahead) == .finished(.deployed))
        #expect(try deploy(4, clock: 0) == .finished(.deployed))
        try host.expect(running: apps[3], 4)

        // In the order in which it happened, by the clock that there was.
        let lines = try #require(host.read("/var/lib/deptool/store/log")).split(separator: "\n").map { $0.split(separator: " ") }
        #expect(lines.map { $0[3] } == ["deployed", "deployed", "rolled-back", "deployed", "deployed"])
        let now = Int(Date().timeIntervalSince1970)
        for (line, clock) in zip(lines, [0, ahead, -ahead, -ahead, 0]) {
            let time = try #require(Int(line[0]))
            #expect(abs(time - now - clock) < 86400, "\(line)")
        }
    }
}
