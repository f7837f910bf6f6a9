import Deployment
import Foundation
import Model
import SSH
import TestSupport
import Testing
import Wire

@testable import Display

@Suite struct ProgressTests {
    private let (short, long): (Hostname, Hostname)

    init() throws { (short, long) = (try hostname("ns1"), try hostname("web1.example.com")) }

    private func board(_ hosts: [Hostname], _ events: [(Hostname, HostEvent, Duration)] = []) -> ProgressBoard {
        var board = ProgressBoard(hosts, style: .plain)
        for (host, event, time) in events { _ = board.update(host, event, at: time) }
        return board
    }

    @Test func `every host has a line, cut to the terminal`() {
        var board = board([long, short])
        #expect(board.render(columns: 80, rows: 24, at: .zero) == ["  web1.example.com: waiting", "  ns1:              waiting"])
        _ = board.update(short, .ended(.failed(.refused(AgentError(.cancelled)))), at: .zero)
        #expect(board.line(short, at: .zero) == "  ns1: cancelled by the operator")
        #expect(board.render(columns: 30, rows: 24, at: .zero) == ["  web1: waiting", "  ns1:  cancelled by the oper"])
        #expect(board.render(columns: 12, rows: 2, at: .zero) == ["  2 ho: at "])
    }

    @Test func `a slow step shows its time`() throws {
        let step = Step(nil, .start(try unitName("a.service"), ifUp: .leave, within: .zero))
        let board = board([short], [(short, .applying(step), .seconds(10))])
        #expect(board.line(short, at: .seconds(11)) == "  ns1: starting a.service")
        #expect(board.line(short, at: .milliseconds(13_900)) == "  ns1: starting a.service (3 s)")
        // If there is little room, only the time stays.
        #expect(board.render(columns: 20, rows: 24, at: .seconds(71)) == ["  ns1: startin 61 s"])
    }

    @Test func `a large upload shows its size and its recent speed`() {
        var board = board([short], [(short, .staging(bytes: 0, of: 30_000_000), .seconds(10))])
        #expect(board.line(short, at: .seconds(10)) == "  ns1: staging, 0 B of 30.0 MB")
        _ = board.update(short, .staging(bytes: 10_000_000, of: 30_000_000), at: .milliseconds(10_100))
        #expect(board.line(short, at: .milliseconds(10_100)) == "  ns1: staging, 10.0 MB of 30.0 MB")
        for second in 1...6 {
            _ = board.update(short, .staging(bytes: 10_000_000 + UInt64(second) * 2_000_000, of: 30_000_000), at: .seconds(10 + second))
        }
        #expect(board.line(short, at: .seconds(16)) == "  ns1: staging, 22.0 MB of 30.0 MB, 2.0 MB/s")
        #expect(board.render(columns: 30, rows: 24, at: .seconds(16)) == ["  ns1: staging 73%, 2.0 MB/s"])
        // Nothing comes any more.
        #expect(board.line(short, at: .seconds(30)) == "  ns1: staging, 22.0 MB of 30.0 MB, 250.0 kB/s")
        _ = board.update(short, .staging(bytes: 30_000_000, of: 30_000_000), at: .seconds(31))
        #expect(board.line(short, at: .seconds(31)) == "  ns1: staging, 30.0 MB")
    }

    @Test func `events that matter get a line of their own in a file`() throws {
        var board = board([short])
        let unit = try unitName("a.service")
        var told: [String] = []
        func happen(_ event: HostEvent, _ time: Duration) {
            if board.update(short, event, at: time) { told.append(board.line(short, at: time)) }
        }
        happen(.connecting, .zero)
        happen(.connecting, .seconds(1))
        for second in 0...25 { happen(.staging(bytes: UInt64(second) * 4_000_000, of: 100_000_000), .seconds(second)) }
        happen(.staging(bytes: 10, of: 20), .seconds(30))
        happen(.applying(Step(nil, .checkout(for: .everybody))), .seconds(31))
        happen(.applying(Step(nil, .activate)), .seconds(31))
        for second in 1...25 { happen(.waiting(Waiting(unit, .ready, elapsed: second, limit: 90)), .seconds(31 + second)) }
        #expect(
            told == [
                "  ns1: connecting", "  ns1: staging, 0 B of 100.0 MB", "  ns1: staging, 40.0 MB of 100.0 MB, 4.0 MB/s",
                "  ns1: staging, 80.0 MB of 100.0 MB, 4.0 MB/s", "  ns1: staging, 100.0 MB", "  ns1: changing files and links",
                "  ns1: waiting for a.service to become ready (10 s of 90 s)",
                "  ns1: waiting for a.service to become ready (20 s of 90 s)",
            ])
    }

    @Test func `every event has its words`() throws {
        let unit = try unitName("a.service")
        let failure = AgentError(step: 3, .unit(unit, .failed(result: "exit-code", status: 1), journal: "boom"))
        let events: [HostEvent] = [
            .connecting, .installingAgent, .connected(.asPlanned), .connected(.other), .locking, .staging(bytes: 0, of: 0),
            .staging(bytes: 5, of: 1 << 19), .staging(bytes: 5, of: 1 << 20), .staged,
            .applying(Step(nil, .start(unit, ifUp: .leave, within: .zero))),
            .waiting(Waiting(unit, .ready, elapsed: 12, limit: 90)), .waiting(Waiting(unit, .settled, elapsed: 1, limit: 5)),
            .undoing(failure), .waiting(Waiting(unit, .stopped, elapsed: 3, limit: 180)), .ended(.deployed),
        ]
        var board = board([short])
        var lines: [String] = []
        for event in events {
            _ = board.update(short, event, at: .zero)
            lines.append(String(board.line(short, at: .zero).dropFirst(7)))
        }
        #expect(
            lines == [
                "connecting", "installing the agent", "connected", "somebody else deployed to it since", "locking", "staging", "staging",
                "staging, 5 B of 1.0 MB", "ready", "starting a.service", "waiting for a.service to become ready (12 s of 90 s)",
                "watching a.service (1 s of 5 s)", "rolling back: unit a.service failed (exit-code, status 1)",
                "rolling back: waiting for a.service to stop (3 s of 180 s)", "done",
            ])
    }

    /// The block of the manual that follows `<!-- drawn by ProgressTests: NAME -->`.
    private func drawing(_ name: String, in page: String) throws -> [String] {
        let manual = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Manual/\(page)")
        let lines = try String(contentsOf: manual, encoding: .utf8).components(separatedBy: "\n")
        let mark = try #require(lines.firstIndex(of: "<!-- drawn by ProgressTests: \(name) -->"))
        return Array(lines[(mark + 3)...].prefix { $0 != "```" })
    }

    @Test func `the manual shows the progress of a deploy as it appears`() throws {
        let nginx = try unitName("nginx.service")
        let waiting = HostEvent.waiting(Waiting(nginx, .ready, elapsed: 5, limit: 90))
        let restarting = HostEvent.applying(
            Step(nil, .restart(nginx, because: .init(path: try RelativePath("nginx.conf"), others: 0), within: .zero)))

        let three = try ["db1", "web1", "web2"].map { try hostname($0) }
        var events: [(Hostname, HostEvent, Duration)] = [(three[0], .ended(.deployed), .zero), (three[2], waiting, .seconds(11))]
        for second in 0...11 { events.append((three[1], .staging(bytes: UInt64(second) * 2_000_000, of: 30_000_000), .seconds(second))) }
        #expect(board(three, events).render(columns: 80, rows: 24, at: .seconds(11)) == (try drawing("slow steps", in: "commands.md")))

        let many = try (1...40).map { try hostname("web\($0 < 10 ? "0" : "")\($0)") }
        events = many.map { ($0, .ended(.deployed), .zero) }
        events[3].1 = waiting
        events[6].1 = restarting
        #expect(board(many, events).render(columns: 80, rows: 24, at: .seconds(5)) == (try drawing("many hosts", in: "commands.md")))

        let slow = HostEvent.waiting(Waiting(try unitName("nsd.service"), .ready, elapsed: 12, limit: 90))
        #expect(
            board([short], [(short, slow, .zero)]).render(columns: 80, rows: 24, at: .zero) == (try drawing("slow unit", in: "manifest.md"))
        )
    }

    @Test func `a host cannot write the lines of others`() {
        let holder = LockHolder(name: "eve\n  web2: done\u{1b}[A", since: 0)
        let board = board([short], [(short, .ended(.failed(.busy(holder))), .zero)])
        #expect(board.render(columns: 200, rows: 24, at: .zero) == ["  ns1: locked by eve^J  web2: done^[[A"])
    }

    @Test func `lines fit the terminal after any events`() throws {
        var random = Seeded()
        let unit = try unitName("a-unit-with-a-name.service")
        let hosts = try (1...60).map { try hostname("web\($0).example.com") }
        for _ in 0..<200 {
            let count = Int.random(in: 1...60, using: &random)
            var board = board(Array(hosts.prefix(count)))
            for _ in 0..<120 {
                let number = Int.random(in: 0...9, using: &random)
                let events: [HostEvent] = [
                    .connecting, .connected(.asPlanned), .locking, .staging(bytes: UInt64(number), of: 1 << 22), .staged,
                    .applying(Step(nil, .start(unit, ifUp: .leave, within: .zero))), .ended(.deployed),
                    .waiting(Waiting(unit, .ready, elapsed: number, limit: 90)), .undoing(AgentError(step: number, .cancelled)),
                    .ended(.rolledBack(AgentError(.timeout(arguments: ["x"], seconds: number)))),
                ]
                _ = board.update(
                    hosts[.random(in: 0..<count, using: &random)], events[.random(in: 0..<events.count, using: &random)],
                    at: .seconds(number))
            }
            _ = board.update(hosts[0], .connecting, at: .zero)
            let (columns, rows) = (Int.random(in: 12...120, using: &random), Int.random(in: 3...60, using: &random))
            let lines = board.render(columns: columns, rows: rows, at: .seconds(20))
            #expect(lines.count < rows && lines.allSatisfy { $0.count < columns }, "seed \(random.seed)")
        }
    }
}
