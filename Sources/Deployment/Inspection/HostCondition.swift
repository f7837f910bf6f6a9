import Git
import Model
import Planning

/// The differences between a host and its deploy.
package struct HostCondition: Hashable, Sendable {
    /// The commit that the host runs; nil for none.
    package var commit: ObjectID?
    /// The commit that the store has for the host.
    package var known: ObjectID?
    /// Units that failed, of apps or not, as systemd lists them. Unchecked text.
    package var failed: [String]
    /// Unhealthy units of apps and, on request, all other drift. Empty if the store does not have the host's commit.
    package var drift: [Drift]
    /// The probes that fail.
    package var unanswered: [ProbeResult]

    package init(
        commit: ObjectID?, known: ObjectID?, failed: [String] = [], drift: [Drift] = [], unanswered: [ProbeResult] = []
    ) {
        (self.commit, self.known, self.failed, self.drift, self.unanswered) = (commit, known, failed, drift, unanswered)
    }

    /// Units of apps that are not well.
    package var unwell: [Drift] { drift.filter(\.isOfUnit) }
    package var otherDrift: [Drift] { drift.filter { !$0.isOfUnit } }
    package var isWell: Bool { commit == known && failed.isEmpty && drift.isEmpty && unanswered.isEmpty }
}

extension Drift {
    fileprivate var isOfUnit: Bool { if case .unwell = finding { true } else { false } }
}

extension HostTask {
    /// Asks every host for differences from its deploy. Compares files only with `findsDrift`. Changes nothing, not even the store.
    package func conditions(
        storePath: String, findsDrift: Bool
    ) async -> [(host: Hostname, result: Result<HostCondition, HostError>)] {
        await run { (host, session) throws(HostError) in try Self.condition(host, &session, storePath: storePath, findsDrift: findsDrift) }
    }

    private static func condition(
        _ host: Hostname, _ session: inout HostSession, storePath: String, findsDrift: Bool
    ) throws(HostError) -> HostCondition {
        let report = try session.report()
        let (store, known) = try whatIsKnown(of: host, storePath)
        var condition = HostCondition(commit: session.hello.commit, known: known, failed: report.failed)
        guard let known, known == session.hello.commit else { return condition }
        let tree = try tree(of: host, in: known, store)
        try session.verify(hostname: tree.options.hostname ?? host.text)
        condition.unanswered = try session.probe(tree.apps.probes).filter { $0.answer != .passed }
        // A unit that is down may have done its work. Only a complete comparison on the host shows this.
        guard findsDrift || report.units.contains(where: { $0.state != "active" }) else { return condition }
        let drift = try session.drift(tree.privateApps)
        guard drift.allSatisfy(DriftPlaces(tree).has) else { throw .unexpected }
        condition.drift = findsDrift ? drift : drift.filter(\.isOfUnit)
        return condition
    }
}
