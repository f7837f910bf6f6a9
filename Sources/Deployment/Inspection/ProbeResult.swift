import Git
import Model
import Planning
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
    /// Asks each probe of the apps once. Leaves out units, since starting them would change the host, and everything on a host
    /// without systemd, where nothing was started.
    mutating func probe(_ apps: [AppTree]) throws(HostError) -> [ProbeResult] {
        guard hello.hasSystemd else { return [] }
        var asked: [(app: AppName, probe: Probe)] = []
        for app in apps {
            for probe in app.manifest.probes {
                if case .unit = probe.target { continue }
                asked.append((app.name, probe))
            }
        }
        guard !asked.isEmpty else { return [] }
        try conversation.send(.probe(asked.map(\.probe)))
        var results: [ProbeResult] = []
        while results.count < asked.count {
            switch try conversation.receive(deadline: .after(Conversation.patienceForWork)) {
            case .answer(let answer):
                results.append(ProbeResult(app: asked[results.count].app, probe: asked[results.count].probe, answer: answer))
            case .refused(let failure): throw .refused(failure)
            case .pong: break
            default: throw .unexpected
            }
        }
        return results
    }
}
