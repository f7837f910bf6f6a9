import Foundation
import Model
import Testing
import Wire

/// A conversation that ends after any of its bytes leaves the host in the old or in the new state. All of them are tried
/// with DEPTOOL_TORTURE=1, else a share.
@Suite struct CutTests {
    private let old = Wanted([
        "dns": .init(["a": .init("old"), "b": .init("b")], links: ["/etc/a": "a"]), "gone": .init(["x": .init("x")]),
    ])
    private let new = Wanted([
        "dns": .init(["a": .init("new"), "b": .init("b")], links: ["/etc/a": "b", "/etc/b": "a"]), "web": .init(["y": .init("y")]),
    ])

    private func host() throws -> (host: TestHost, before: [String: String], plan: Plan) {
        let host = try TestHost()
        try host.deploy(old, 1)
        return (host, try host.listing(), Plan(from: (old, 1), to: new, 2))
    }

    private func offsets(_ count: Int) -> [Int] {
        let share = ProcessInfo.processInfo.environment["DEPTOOL_TORTURE"] == nil ? 20 : 1
        return Array(stride(from: Int.random(in: 0..<share), to: count, by: share))
    }

    @Test func `a connection cut after any byte of the client leaves the old state`() throws {
        let (host, before, plan) = try host()
        let bytes = plan.script.flatMap { Frame.encode($0) }
        let offsets = offsets(bytes.count)
        for offset in offsets {
            let client = try host.session().client
            client.send(bytes: Array(bytes.prefix(offset)))
            try host.end(client)
            try host.expect(unchangedSince: before, "after \(offset) bytes")
        }
        print("cut on the way to the host: \(offsets.count) offsets of \(bytes.count)")
        #expect(try host.deploy(plan) == .finished(.deployed))
    }

    @Test func `a connection cut after any byte of the agent leaves the old or the new state`() throws {
        let (host, before, plan) = try host()
        let whole = try TestHost(copyOf: host)
        let client = try whole.session().client
        _ = try client.deploy(plan)
        try whole.end(client)
        let size = Frame.magic.count + client.replies.reduce(0) { $0 + Frame.encode($1).count }
        let offsets = offsets(size + 1)
        var (undone, done) = (0, 0)
        for offset in offsets {
            let copy = try TestHost(copyOf: host)
            let child = try ChildAgent(copy)
            child.client.send(plan.script)
            child.client.skip(offset)
            #expect(child.abandon() == 0)
            #expect(try copy.isLockFree())
            let changes = difference(before, try copy.listing())
            if changes.isEmpty {
                undone += 1
            } else {
                done += 1
                try copy.expect(running: new, 2, "after \(offset) bytes")
            }
        }
        #expect(undone > 0)
        print("cut on the way back: \(offsets.count) offsets of \(size), \(undone) times undone, \(done) times done")
    }
}
