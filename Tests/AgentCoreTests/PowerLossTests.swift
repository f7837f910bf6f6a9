import AgentCore
import CSystem
import Foundation
import Model
import TestSupport
import Testing
import Wire

/// The operations of a deploy are replayed onto a disk that loses, when power is lost, whatever was not synced, or some
/// of it, in any order. All of it runs with DEPTOOL_TORTURE=1, else a share.
@Suite(.enabled(if: TestHost.temporary == "/dev/shm", "inode numbers must not be used twice"))
struct PowerLossTests {
    private let share = ProcessInfo.processInfo.environment["DEPTOOL_TORTURE"] == nil ? 12 : 1

    private let old = Wanted([
        "dns": .init(["a": .init("old"), "b": .init("b")], links: ["/etc/a": "a", "/etc/b": "b", "/etc/c": "b"]),
        "gone": .init(["x": .init("x"), "deep/y": .init("y")], links: ["/etc/gone": "x"]),
        "keys": .init(["key": .init("key")]),
    ])
    private let new = Wanted([
        "dns": .init(["a": .init("new"), "b": .init("b")], links: ["/etc/a": "b", "/etc/c": "b", "/etc/made/here": "a"]),
        "keys": .init(["key": .init("another")], group: "nsd"),
        "web": .init(["index": .init("hello")], links: ["/etc/motd": "index"]),
    ])

    private func host() throws -> (host: TestHost, plan: Plan) {
        let host = try TestHost()
        try host.write("/etc/group", "root:x:0:\nnsd:x:4711:\n")
        try host.deploy(old, 1)
        try host.write("/etc/motd", "hello", mode: 0o444)
        // Somebody put a file in the place of a link.
        try host.remove("/etc/c")
        try host.write("/etc/c", "theirs", mode: 0o604)
        for path in ["/etc/group", "/etc/motd", "/etc/c"] {
            try #require(csys_set_mtime(host.real(path), 1_600_000_000_000_000_000) == 0)
        }
        let theirs = Drift.Found.file(.of(.blob, Array("theirs".utf8)), size: 6)
        return (host, Plan(from: (old, 1), to: new, 2, displacing: ["/etc/c": theirs]))
    }

    /// The two states.
    private func states() throws -> (old: [String: String], new: [String: String], operations: Int) {
        let (host, plan) = try host()
        let old = try host.listing()
        let counter = Breaker(at: .max)
        try #require(try host.deploy(plan, gate: counter) == .finished(.deployed))
        return (old, try host.listing(), counter.count)
    }

    /// Loses power after each event of `recorder`, and lets agents recover from the remaining disk, unless that was `seen`.
    private func replay(
        _ recorder: Recorder, _ plan: Plan, _ states: (old: [String: String], new: [String: String]), _ what: String,
        share: Int, _ seen: inout Set<Int>
    ) throws -> Int {
        var random = Seeded()
        var hits = 0
        for count in 0...recorder.events.count {
            for mercy in Recorder.Mercy.allCases + [.some, .some, .some] where random.int(1...share) == 1 {
                let disk = recorder.disk(after: count, mercy, &random)
                hits += 1
                guard seen.insert(disk.fingerprint).inserted else { continue }
                let host = try TestHost(disk)
                let comment: Comment = "\(what), event \(count) of \(recorder.events.count), \(mercy), seed \(random.seed)"
                let client = try host.connect()
                guard case .hello = try client.greet() else {
                    Issue.record(comment)
                    continue
                }
                // Staged files may stay until the next deploy begins.
                client.send(.prepare(plan.preparation), .cancel, .ping)
                while let reply = try client.receive(), reply != .pong {}
                try host.end(client)
                let now = try host.listing()
                let (toOld, toNew) = (difference(states.old, now), difference(states.new, now))
                let changes = toOld.isEmpty || toNew.isEmpty ? [] : ["neither old nor new:"] + toOld + ["and:"] + toNew
                #expect(changes == [], comment)
                if !toNew.isEmpty {
                    #expect(try host.deploy(plan) == .finished(.deployed), comment)
                    let left = difference(states.new, try host.listing())
                    #expect(left == [], comment)
                }
            }
        }
        return hits
    }

    @Test func `a power loss during a deploy leaves the old or the new state`() throws {
        let states = try states()
        let (host, plan) = try host()
        let recorder = try Recorder(host)
        #expect(try host.deploy(plan, gate: recorder) == .finished(.deployed))
        recorder.look()
        var random = Seeded()
        // A deploy that was reported as done is durable.
        let last = try TestHost(recorder.disk(after: recorder.events.count, .nothing, &random))
        #expect(try last.deploy(plan) == .stale(new.record(2)))
        try last.expect(running: new, 2)
        let left = difference(states.new, try last.listing())
        #expect(left == [])
        var seen: Set<Int> = []
        let hits = try replay(recorder, plan, (states.old, states.new), "deploy", share: 1, &seen)
        print("power loss: \(hits) points hit in \(recorder.events.count) events, \(seen.count) different disks")
    }

    @Test func `a power loss after a kill or during a rollback leaves the old or the new state`() throws {
        let states = try states()
        var random = Seeded()
        var seen: Set<Int> = []
        var hits = 0
        for number in 1...states.operations where random.int(1...share) == 1 {
            for isKilled in [true, false] {
                let (host, plan) = try host()
                let recorder = try Recorder(host)
                if isKilled {
                    recorder.deadFrom = number
                    _ = try host.deploy(plan, gate: recorder)
                } else {
                    let breaker = Breaker(at: number)
                    _ = try host.deploy(plan, gate: Both(breaker, recorder))
                }
                recorder.deadFrom = nil
                try host.end(try host.session(gate: recorder).client)
                recorder.look()
                let what = "\(isKilled ? "killed" : "failed") at operation \(number)"
                hits += try replay(recorder, plan, (states.old, states.new), what, share: share, &seen)
            }
        }
        print("power loss after another fault: \(hits) points hit, \(seen.count) different disks")
    }

    private final class Both: OperationGate {
        private let first: any OperationGate
        private let second: any OperationGate

        init(_ first: any OperationGate, _ second: any OperationGate) {
            self.first = first
            self.second = second
        }

        func pass(_ operation: AgentCore.Operation, _ path: String) -> Int32 {
            let error = first.pass(operation, path)
            return error == 0 ? second.pass(operation, path) : error
        }

        func allowance(_ count: Int) -> Int { count }
    }
}
