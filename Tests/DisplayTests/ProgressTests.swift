import Deployment
import Model
import SSH
import TestSupport
import Testing
import Wire

@testable import Display

@Suite struct ProgressTests {
    private let (short, long): (Hostname, Hostname)

    init() throws { (short, long) = (try hostname("ns1"), try hostname("web1.example.com")) }

    @Test func `every host has a line, cut to the terminal`() {
        var board = ProgressBoard([long, short], style: .plain)
        #expect(board.render(columns: 80) == ["  web1.example.com: waiting", "  ns1:              waiting"])
        _ = board.update(short, .staging(bytes: 1_500_000, of: 30_000_000))
        #expect(board.line(short) == "  ns1: staging, 1.5 MB of 30.0 MB")
        #expect(board.render(columns: 30) == ["  web1.example.com: waiting", "  ns1:              staging, "])
        #expect(board.render(columns: 0) == ["  web1.exa", "  ns1:    "])
    }

    @Test func `only what changes a word is news`() {
        var board = ProgressBoard([short], style: .plain)
        let events: [HostEvent] = [
            .connecting, .connecting, .staging(bytes: 0, of: 0), .staging(bytes: 10, of: 20), .applying(Step(nil, .checkout(for: .everybody))),
            .applying(Step(nil, .activate)),
        ]
        var news: [Bool] = []
        for event in events { news.append(board.update(short, event)) }
        #expect(news == [true, false, true, false, true, false])
    }

    @Test func `every event has its words`() throws {
        let unit = try unitName("a.service")
        let failure = Failure(step: 3, .unit(unit, .failed(result: "exit-code", status: 1), journal: "boom"))
        let events: [HostEvent] = [
            .connecting, .installingAgent, .connected(isStale: false), .connected(isStale: true), .locking, .staging(bytes: 0, of: 0),
            .staging(bytes: 5, of: 1 << 19), .staging(bytes: 5, of: 1 << 20), .staged, .applying(Step(nil, .start(unit, within: .zero))),
            .waiting(Waiting(unit, .ready, elapsed: 12, limit: 90)), .waiting(Waiting(unit, .settled, elapsed: 1, limit: 5)),
            .undoing(failure), .waiting(Waiting(unit, .stopped, elapsed: 3, limit: 180)), .ended(.deployed),
        ]
        var board = ProgressBoard([short], style: .plain)
        var lines: [String] = []
        for event in events {
            _ = board.update(short, event)
            lines.append(String(board.line(short).dropFirst(7)))
        }
        #expect(lines == [
            "connecting", "installing the agent", "connected", "somebody else deployed to it since", "locking", "staging", "staging",
            "staging, 5 B of 1.0 MB", "ready", "starting a.service", "waiting for a.service to become ready (12 s of 90 s)",
            "watching a.service (1 s of 5 s)", "rolling back: unit a.service failed (exit-code, status 1)",
            "rolling back: waiting for a.service to stop (3 s of 180 s)", "done",
        ])
    }

    @Test func `a host cannot write the lines of others`() {
        var board = ProgressBoard([short], style: .plain)
        let holder = Holder(name: "eve\n  web2: done\u{1b}[A", since: 0)
        _ = board.update(short, .ended(.failed(.busy(holder))))
        #expect(board.render(columns: 200) == ["  ns1: locked by eve^J  web2: done^[[A"])
    }
}
