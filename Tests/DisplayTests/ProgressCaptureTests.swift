import Deployment
import Foundation
import Model
import SSH
import TestSupport
import Testing
import Wire

@testable import Display

/// The display of a deploy to 1, 5 and 50 hosts on a real terminal, moment by moment, compared with the files in
/// `Captures`. With DEPTOOL_RECORD=1 the test rewrites them and fails.
@Suite(.serialized, .enabled(if: Pane.isThere, "tmux is not installed")) struct ProgressCaptureTests {
    /// The events by their times, in seconds.
    private typealias Script = [(time: Double, host: Hostname, event: HostEvent)]

    private static let steps: [Step] = {
        guard let unit = UnitName("nginx.service") else { return [] }
        return [Step(nil, .activate), Step(nil, .start(unit, ifUp: .leave, within: .seconds(90)))]
    }()

    /// An ordinary deploy, in which host `number` brings 40 MB up slowly, or waits for a unit.
    private func script(_ hosts: [Hostname]) throws -> Script {
        let nginx = try unitName("nginx.service")
        var script: Script = []
        for (number, host) in hosts.enumerated() {
            let late = Double(number) * 0.1
            script += [(0, host, .connecting), (0.5 + late, host, .connected(.asPlanned)), (0.6 + late, host, .locking)]
            let total: UInt64 = number % 5 == 0 ? 40_000_000 : 20_000
            let seconds = number % 5 == 0 ? 8 : 1
            for second in 0...seconds {
                let bytes = total * UInt64(second) / UInt64(seconds)
                script.append((0.7 + late + Double(second) * 0.5, host, .staging(bytes: bytes, of: total)))
            }
            script.append((1.5 + late + Double(seconds) * 0.5, host, .staged))
            let apply = 12 + late / 10
            script += Self.steps.enumerated().map { (apply + Double($0) * 0.2, host, .applying($1)) }
            switch number {
            case 3:
                for second in 1...6 {
                    script.append((apply + 0.2 + Double(second), host, .waiting(Waiting(nginx, .ready, elapsed: second, limit: 90))))
                }
                let failure = AgentError(step: 1, .unit(nginx, .failed(result: "exit-code", status: 1), journal: ""))
                script += [(apply + 7, host, .undoing(failure)), (apply + 9, host, .ended(.rolledBack(failure)))]
            default: script.append((apply + 0.8 + Double(number % 7), host, .ended(.deployed)))
            }
        }
        return script.sorted { $0.time < $1.time }
    }

    /// Plays the script, and returns the visible text at these times.
    private func play(
        _ count: Int, columns: Int, rows: Int = 24, at times: [Double], resizing sizes: [Double: (Int, Int)] = [:]
    ) throws -> String {
        let hosts = try (1...count).map { try hostname(String(format: count > 1 ? "web%02d.example.com" : "web1.example.com", $0)) }
        let pane = try Pane(columns: columns, rows: rows)
        var canvas = Canvas()
        try pane.write("$ deptool deploy --no-confirm\n\n")
        var script = try script(hosts)[...]
        var board = ProgressBoard(hosts, style: .plain)
        var captures = ""
        for tenth in 0...220 {
            let time = Double(tenth) / 10
            while let next = script.first, next.time < time + 0.05 {
                _ = board.update(next.host, next.event, at: .milliseconds(Int(next.time * 1000)))
                script.removeFirst()
            }
            if let (columns, rows) = sizes[time] { try pane.resize(columns: columns, rows: rows) }
            let lines = board.render(columns: pane.columns, rows: pane.rows, at: .milliseconds(tenth * 100))
            #expect(lines.count < pane.rows || script.isEmpty)
            try pane.write(canvas.draw(lines, columns: pane.columns, rows: pane.rows))
            if times.contains(time) {
                captures += "=== after \(time) s, \(pane.columns) columns, \(pane.rows) rows\n" + (try pane.screen())
            }
        }
        return captures
    }

    private func check(_ captures: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Captures/\(name).txt")
        if ProcessInfo.processInfo.environment["DEPTOOL_RECORD"] == nil {
            let expected = try String(contentsOf: file, encoding: .utf8)
            #expect(captures == expected, "\(name):\n\(captures)", sourceLocation: sourceLocation)
        } else {
            try captures.write(to: file, atomically: true, encoding: .utf8)
            Issue.record("\(name) was recorded anew", sourceLocation: sourceLocation)
        }
    }

    private let moments = [0.2, 1.5, 4.0, 12.1, 14.5, 18.0, 22.0]

    @Test(arguments: [1, 5, 50], [80, 40]) func `the progress of a deploy looks as recorded`(_ hosts: Int, _ columns: Int) throws {
        try check(play(hosts, columns: columns, at: moments), "\(hosts)-hosts-\(columns)-columns")
    }

    @Test func `a terminal can change its size`() throws {
        try check(
            play(
                50, columns: 80, at: [3.9, 4.0, 5.0, 6.0, 22.0],
                resizing: [4.0: (40, 24), 5.0: (40, 10), 6.0: (80, 60)]), "50-hosts-resized")
        try check(play(5, columns: 80, at: [3.9, 4.0, 5.0], resizing: [4.0: (30, 24), 5.0: (30, 4)]), "5-hosts-resized")
    }

    @Test func `fifty hosts take few bytes to draw`() throws {
        let hosts = try (1...50).map { try hostname("web\($0)") }
        var board = ProgressBoard(hosts, style: .plain)
        var canvas = Canvas()
        for host in hosts { _ = board.update(host, .staged, at: .zero) }
        _ = canvas.draw(board.render(columns: 80, rows: 60, at: .zero), columns: 80, rows: 60)
        _ = board.update(hosts[20], .ended(.deployed), at: .seconds(1))
        let text = canvas.draw(board.render(columns: 80, rows: 60, at: .seconds(1)), columns: 80, rows: 60)
        #expect(text == "\u{1b}[30A  web21: done\u{1b}[K\n\u{1b}[29B")
    }
}
