import CSystem
import Model
import Wire

/// Asks the services of an app until they answer as they should.
struct Probing {
    let system: System
    let systemd: Systemd
    let interruption: any Supervisor

    /// Returns when the probe has passed; fails when its time is over. `units` are the app's, for their logs.
    func run(_ probe: Probe, _ units: [UnitName]) throws(AgentError) {
        if case .unit(let unit) = probe.target { return try run(unit, within: probe.within) }
        let begun = csys_monotonic_ns()
        let limit = probe.within.wholeSeconds
        let end = begun + Int64(probe.within.wholeMilliseconds) * 1_000_000
        let pause = Int64(Probe.interval.wholeMilliseconds) * 1_000_000
        var passed = 0
        var told = 0
        while true {
            let attempt = csys_monotonic_ns()
            let answer = try ProbeAttempt.run(probe, system: system, interruption: interruption)
            if case .passed = answer { passed += 1 } else { passed = 0 }
            if passed >= max(1, probe.successes) { return }
            let now = csys_monotonic_ns()
            guard now < end else { throw AgentError(.probe(nil, answer, journal: log(of: units))) }
            let elapsed = Int((now - begun) / 1_000_000_000)
            if elapsed > told, passed == 0 {
                interruption.report(.unanswered(answer, elapsed: elapsed, limit: limit))
                told = elapsed
            }
            _ = try awaitSocket(-1, until: min(max(attempt + pause, now), end), heeding: interruption)
        }
    }

    /// Runs a unit that tests the others. Only a oneshot has a result, and one whose conditions do not hold tested nothing.
    private func run(_ unit: UnitName, within limit: Duration) throws(AgentError) {
        let before = try systemd.show([unit])[0]
        guard !before.isLoaded || before.isOneshot else { throw AgentError(.unit(unit, .notOneshot, journal: "")) }
        systemd.resetFailed([unit])
        let job = Systemd.Job(unit: unit, limit: limit)
        let result = try systemd.bringUp(start: before.isUp ? [] : [job], restart: before.isUp ? [job] : [])
        let status = try systemd.show([unit])[0]
        var problem: UnitProblem?
        switch status.verdict(before: nil) {
        case .unwell(let found): problem = found
        case .forgotten(let found): if result.status != 0 { problem = found }
        case .pending: throw systemd.tooSlow(unit, status, seconds: limit.wholeSeconds)
        case .healthy: break
        }
        let hasRun = !status.invocation.utf8.isEmpty && !isSameText(status.invocation, before.invocation)
        if problem == nil, isSameText(status.result, "exec-condition") || !hasRun && systemd.isSkipped(unit) {
            problem = .failed(result: "condition", status: 0)
        }
        guard let problem else { return }
        let log = systemd.journal(unit)
        systemd.resetFailed([unit])
        throw AgentError(.unit(unit, problem, journal: log))
    }

    private func log(of units: [UnitName]) -> String {
        for unit in units {
            let log = systemd.journal(unit)
            if !log.utf8.isEmpty { return log }
        }
        return ""
    }
}
