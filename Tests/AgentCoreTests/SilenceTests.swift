import Foundation
import Model
import Testing
import Wire

/// A client that falls asleep in mid-deploy does not keep the host locked, nor in between.
@Suite struct SilenceTests {
    private let old = Wanted(["dns": .init(["a": .init("old")], links: ["/etc/a": "a"])])
    private let new = Wanted(["dns": .init(["a": .init("new")], links: ["/etc/b": "a"])])

    private func host() throws -> (host: TestHost, before: [String: String], plan: Plan) {
        let host = try TestHost()
        try host.deploy(old, 1)
        var plan = Plan(from: (old, 1), to: new, 2)
        // The steps end with one that waits for much longer than the client may be silent.
        plan.preparation.steps.append(Step(nil, .confirm(within: .seconds(600), because: .everyHost)))
        return (host, try host.listing(), plan)
    }

    @Test func `a silent client during the transfer changes nothing`() throws {
        let (host, before, plan) = try host()
        let child = try ChildAgent(host, timeout: 200)
        _ = try child.client.greet()
        child.client.send(.prepare(plan.preparation))
        // The connection stays open: the agent leaves by itself.
        while try child.client.receive() != nil {}
        #expect(child.client.replies.last == .refused(AgentError(.disconnected)))
        #expect(try child.finish() == 0)
        try host.expect(unchangedSince: before)
        #expect(try host.isLockFree())
    }

    @Test func `a silent client during the steps causes a rollback`() throws {
        let (host, before, plan) = try host()
        let child = try ChildAgent(host, executor: "detached", timeout: 200)
        _ = try child.client.greet()
        let ending = try child.client.deploy(plan)
        #expect(ending == .finished(.rolledBack(AgentError(step: plan.preparation.steps.count - 1, .disconnected))))
        #expect(try child.finish() == 0)
        try host.expect(unchangedSince: before)
    }

    @Test func `keepalives keep a deploy going for as long as it takes`() throws {
        let (host, _, plan) = try host()
        let child = try ChildAgent(host, executor: "detached", timeout: 2000)
        let client = child.client
        _ = try client.greet()
        client.send(plan.script)
        while let reply = try client.receive(), reply != .began(step: plan.preparation.steps.count - 1) {}
        // Twice as long as it may be silent.
        for _ in 0..<8 {
            usleep(500_000)
            client.send(.ping)
            #expect(try client.receive() == .pong)
        }
        client.send(.confirm)
        #expect(try client.receive() == .finished(.deployed))
        #expect(try child.finish() == 0)
        try host.expect(running: new, 2)
    }
}
