import Deployment
import Git
import Model
import Planning
import TestSupport
import Testing
import Wire

@testable import Display

/// `Manual/json-schema.json` describes all output, rare cases included.
@Suite struct SchemaTests {
    private let schema: Schema
    private let host: Hostname

    init() throws {
        schema = try Schema()
        host = try #require(Hostname("web1"))
    }

    private func expect(_ value: JSONValue, is definition: String, _ comment: String = "") {
        do { try schema.check(value.text, is: definition) } catch { Issue.record("\(comment) \(error) \(value.text)") }
    }

    @Test func `steps, probes and drift are described`() {
        var random = Seeded()
        for round in 0..<1000 {
            let seed = "seed \(random.seed), round \(round)"
            expect(stepJSON(step(&random)), is: "step", seed)
            expect(driftJSON(random.drift()), is: "drift", seed)
            expect(probeJSON(ProbeResult(app: random.app(), probe: random.probe(), answer: random.probeAnswer())), is: "probe", seed)
        }
    }

    @Test func `the schema describes each event of a host during a deploy`() {
        var random = Seeded()
        for round in 0..<300 {
            let seed = "seed \(random.seed), round \(round)"
            for event in events(&random) {
                let json = progressJSON(host, event)
                if case .ended(let result) = event {
                    expect(json, is: "result", seed)
                    // `check` runs no command of the operator at its end.
                    if result == .checked { continue }
                    var deploy = EndedDeploy(kind: .deploy, cluster: "prod", author: "a", commit: random.id(), hosts: [host])
                    deploy.results[host] = result
                    expect(endedJSON(deploy, exit: 0, took: .seconds(1)), is: "ended", seed)
                } else {
                    expect(json, is: "progress", seed)
                }
            }
        }
    }

    @Test func `every event in the history is described`() {
        let id = ObjectID.of(.blob, [])
        for kind in HistoryEntry.Kind.allCases {
            let ended = EndedDeploy(kind: kind, cluster: "prod", author: "a", commit: id, hosts: [host])
            expect(endedJSON(ended, exit: 5, took: .zero), is: "ended")
            let apps = HostNote.App.Change.allCases.compactMap { change in AppName("app").map { HostNote.App(change, $0) } }
            let note = HistoryEntry(
                time: 1, commit: id, kind: kind, cluster: "prod", author: "a", hosts: [HostNote(host: host, before: nil, apps: apps)])
            for end in DeployEnd.allCases {
                expect(logJSON([.deploy(PastDeploy(note: note, ends: [host: .init(end: end, phrase: "")]))]), is: "log")
            }
        }
        expect(
            logJSON([
                .found(time: 1, host, commit: id, before: nil), .found(time: 1, host, commit: nil, before: id),
                .forgotten(time: 1, host, commit: id),
            ]), is: "log")
    }

    /// A step that a plan can have: only files and symlinks are displaced.
    private func step(_ random: inout Seeded) -> Step {
        while true {
            let step = random.step()
            if case .displace(_, let found) = step.action, !found.isForeign { continue }
            return step
        }
    }

    /// One of each.
    private func events(_ random: inout Seeded) -> [HostEvent] {
        let failure = random.failure()
        let results: [HostResult] = [
            .deployed, .checked, .rolledBack(failure), .broken(failure, undoing: [failure], .files), .stale(nil), .stale(random.id()),
            .rolledBack(failure, answers: [ProbeResult(app: random.app(), probe: random.probe(), answer: random.probeAnswer())]),
            .lockedOut(.unexpected), .failed(.unexpected), .failed(.obstructed([failure], more: 1)), .unknown(.unexpected),
        ]
        return [
            .connecting, .installingAgent, .connected(.asPlanned), .connected(.other), .warning(.noRecoveryAtBoot), .locking,
            .staging(bytes: 1, of: 2), .staged, .applying(step(&random)),
            .waiting(Waiting(random.unit(), .ready, elapsed: 1, limit: 2)),
            .unanswered(random.probe(), random.probeAnswer(), elapsed: 1, limit: 2), .undoing(failure),
        ] + results.map { .ended($0) }
    }
}
