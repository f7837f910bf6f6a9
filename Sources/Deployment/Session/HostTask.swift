import Git
import Model
import SSH
import Wire

/// Work that concerns each host by itself, on all of them at once.
package struct HostTask: Sendable {
    private let hosts: [Hostname]
    private let access: Access
    private let interrupts: [Interrupt]

    package init(_ hosts: [Hostname], access: Access) throws(SSHError) {
        self.hosts = hosts
        self.access = access
        var interrupts: [Interrupt] = []
        for _ in hosts { interrupts.append(try Interrupt()) }
        self.interrupts = interrupts
    }

    /// Ends the work early.
    package func cancel() {
        for interrupt in interrupts { interrupt.fire() }
    }

    /// Logs in everywhere, calls `body` with each session, and `report` with its result, on that host's thread.
    func run<Success: Sendable>(
        _ report: @escaping @Sendable (Hostname, Result<Success, HostError>) -> Void = { _, _ in },
        _ body: @escaping @Sendable (Hostname, inout HostSession) throws(HostError) -> Success
    ) async -> [(host: Hostname, result: Result<Success, HostError>)] {
        await onEach { host, _, interrupt in
            let result = attempt(host, interrupt, body)
            report(host, result)
            return (host, result)
        }.sorted { $0.host < $1.host }
    }

    /// Calls `body` for each host on a thread of its own. Returns the results in the order of completion.
    func onEach<Result: Sendable>(_ body: @escaping @Sendable (Hostname, Access, Interrupt) -> Result) async -> [Result] {
        await withTaskGroup { group in
            for (host, interrupt) in zip(hosts, interrupts) {
                group.addTask { await onOwnThread { body(host, access, interrupt) } }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func attempt<Success>(
        _ host: Hostname, _ interrupt: Interrupt, _ body: (Hostname, inout HostSession) throws(HostError) -> Success
    ) -> Result<Success, HostError> {
        Result { () throws(HostError) in
            var session = try HostSession(
                host, access: access, questions: access.questions, interrupt: interrupt, report: { _ in })
            defer { session.close() }
            let result = try body(host, &session)
            session.hangUp()
            return result
        }
    }

    /// Logs in everywhere and calls `body`, which only ends by an error, with each session and a closure that waits
    /// for the pause. Then calls `failed`, and starts over after the pause, until cancelled.
    func repeatedly(
        _ pause: Duration,
        _ body: @escaping @Sendable (Hostname, inout HostSession, () throws(HostError) -> Void) throws(HostError) -> Void,
        failed: @escaping @Sendable (Hostname, HostError) -> Void
    ) async {
        _ = await onEach { host, _, interrupt in
            let wait = { () throws(HostError) in
                try overSSH(interrupt.pause(pause, deadline: .never))
            }
            while true {
                let result = attempt(host, interrupt) { (host, session) throws(HostError) in try body(host, &session, wait) }
                guard case .failure(let error) = result, error != .ssh(.interrupted) else { return }
                failed(host, error)
                guard (try? wait()) != nil else { return }
            }
        }
    }
}

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
        if known == deployed { return .unchanged(deployed) }
        return .updated(from: known, to: try session.takeOver(try session.record(), into: store))
    }

    /// The store, and the commit that it has for the host; nil for none.
    static func whatIsKnown(of host: Hostname, _ storePath: String) throws(HostError) -> (store: Store, commit: ObjectID?) {
        let store = try inStore(Store.open(at: storePath))
        return (store, try inStore(store.deployedCommit(host)))
    }

    /// Measures round trips to the agents, at most `count` on each host. `report` receives each host's figures so
    /// far.
    package func ping(
        count: Int, report: @escaping @Sendable (Hostname, RoundTrips) -> Void
    ) async -> [(host: Hostname, result: Result<RoundTrips, HostError>)] {
        await run { (host, session) throws(HostError) in
            var trips = RoundTrips()
            while trips.count < count {
                do throws(HostError) {
                    trips.add(try session.ping())
                } catch {
                    // The operator ended it early: keep the results so far.
                    if case .ssh(.interrupted) = error, trips.count > 0 { break }
                    throw error
                }
                report(host, trips)
            }
            return trips
        }
    }
}

/// Times of round trips.
package struct RoundTrips: Hashable, Sendable {
    /// Ascending.
    private var sorted: [Duration] = []

    package var count: Int { sorted.count }
    package var least: Duration? { sorted.first }

    mutating func add(_ duration: Duration) {
        sorted.insert(duration, at: sorted.firstIndex { $0 > duration } ?? sorted.endIndex)
    }

    /// The time that `percent` percent of the round trips do not exceed.
    package func percentile(_ percent: Int) -> Duration? {
        guard !sorted.isEmpty else { return nil }
        return sorted[min(sorted.count - 1, max(0, (sorted.count * percent + 99) / 100 - 1))]
    }
}
