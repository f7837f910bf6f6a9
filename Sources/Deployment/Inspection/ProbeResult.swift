import Git
import Model
import Planning
import Platform
import Wire

/// The answer of an app's service to a probe.
package struct ProbeResult: Hashable, Sendable {
    package var app: AppName
    package var probe: Probe
    package var answer: ProbeAnswer

    package init(app: AppName, probe: Probe, answer: ProbeAnswer) {
        (self.app, self.probe, self.answer) = (app, probe, answer)
    }
}

extension HostSession {
    /// Asks each probe once. Leaves out units, since starting them would change the host, and everything on a host
    /// without systemd, where nothing was started.
    mutating func probe(_ probes: [AppProbe]) throws(HostError) -> [ProbeResult] {
        guard hello.hasSystemd else { return [] }
        let asked = probes.filter { if case .unit = $0.probe.target { false } else { true } }
        guard !asked.isEmpty else { return [] }
        try conversation.send(.probe(asked.map(\.probe)))
        var results: [ProbeResult] = []
        while results.count < asked.count {
            switch try conversation.receive(deadline: .after(Conversation.workTimeout)) {
            case .answer(let answer):
                results.append(ProbeResult(app: asked[results.count].app, probe: asked[results.count].probe, answer: answer))
            case .refused(let failure): throw .refused(failure)
            case .pong: break
            default: throw .unexpected
            }
        }
        return results
    }

    /// Asks again every 250 milliseconds until all have passed, at most ten seconds long and no longer than the probes allow.
    mutating func probeUntilPassed(_ probes: [AppProbe]) throws(HostError) -> [ProbeResult] {
        let limit = min(.seconds(10), probes.map(\.probe.within).max() ?? .zero)
        let end = ContinuousClock.now + limit
        while true {
            let results = try probe(probes)
            if ContinuousClock.now >= end || results.allSatisfy({ $0.answer == .passed }) { return results }
            pause(milliseconds: 250)
        }
    }
}
