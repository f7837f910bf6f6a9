import Git
import Model

/// How a sync changed the store.
package enum SyncResult: Hashable, Sendable {
    /// The host runs the commit that the store has.
    case unchanged(ObjectID?)
    /// The host runs this commit, nil for none; the store now has it.
    case updated(from: ObjectID?, to: ObjectID?)
}

extension HostTask {
    /// Updates the store to what every host runs. `report` is called from the threads of the hosts.
    package func sync(
        storePath: String, report: @escaping @Sendable (Hostname, Result<SyncResult, HostError>) -> Void
    ) async -> [(host: Hostname, result: Result<SyncResult, HostError>)] {
        await run(report) { (host, session) throws(HostError) in try Self.sync(host, &session, storePath) }
    }

    private static func sync(
        _ host: Hostname, _ session: inout HostSession, _ storePath: String
    ) throws(HostError) -> SyncResult {
        let (store, known) = try whatIsKnown(of: host, storePath)
        let deployed = session.hello.commit
        if known == deployed {
            try inStore(store.settle(host, running: deployed))
            return .unchanged(deployed)
        }
        return .updated(from: known, to: try session.takeOver(try session.record(), into: store))
    }

    /// The store, and the commit that it has for the host; nil for none.
    static func whatIsKnown(of host: Hostname, _ storePath: String) throws(HostError) -> (store: Store, commit: ObjectID?) {
        let store = try inStore(Store.open(at: storePath))
        return (store, try inStore(store.deployedCommit(host)))
    }
}
