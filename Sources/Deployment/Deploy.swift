import CSystem
import Git
import Model
import Planning
import SSH
import Wire

/// Carries out a plan on all its hosts.
public struct Deploy: Sendable {
    private let plan: Plan
    private let commit: ObjectID
    private let storePath: String
    private let access: Access
    private let holder: String

    /// Makes the commit that will be deployed.
    public init(
        _ plan: Plan, root: ObjectID, cluster: String, store: Store, access: Access
    ) throws(StoreError) {
        let author = store.author()
        commit = try store.commit(
            tree: root, parent: try store.lastCommit(), author: author,
            message: DeployMessage.make(cluster: cluster, hosts: plan.hosts.map(\.host)),
            time: csys_realtime_ns() / 1_000_000_000)
        try store.setLastCommit(commit, reason: "deploy")
        self.plan = plan
        self.access = access
        storePath = store.path
        holder = author.text
    }

    /// Runs it. Nobody changes anything before all hosts are locked and have their files; then every host goes its way.
    ///
    /// What happens is told to `report`, from the threads of the hosts, as it happens.
    public func run(
        report: @escaping @Sendable (Hostname, HostEvent) -> Void
    ) async -> [(host: Hostname, result: HostResult)] {
        let meeting = MeetingPoint(plan.hosts.count)
        return await withTaskGroup { group in
            for plan in plan.hosts {
                group.addTask {
                    await onOwnThread {
                        let result = deploy(plan, meeting) { report(plan.host, $0) }
                        report(plan.host, .ended(result))
                        return (plan.host, result)
                    }
                }
            }
            var results: [(host: Hostname, result: HostResult)] = []
            for await result in group { results.append(result) }
            return results.sorted { $0.host < $1.host }
        }
    }

    private func deploy(_ plan: HostPlan, _ meeting: MeetingPoint, _ report: (HostEvent) -> Void) -> HostResult {
        var isReady = false
        defer { if !isReady { meeting.vote(false) } }
        do throws(HostError) {
            let store = try opened()
            var session = try HostSession(plan.host, access: access, report: report)
            defer { session.close() }
            try session.verify(hostname: plan.wanted.options.hostname ?? plan.host.text)
            let preparation = try prepared(plan, store)
            switch try session.prepare(preparation, storePath: storePath, report: report) {
            case .ready: break
            case .busy(let holder): return .failed(.busy(holder))
            case .stale(let record): return .stale(try session.takeOver(record, into: store))
            }
            isReady = true
            meeting.vote(true)
            guard meeting.decision() else {
                session.abandon()
                return .failed(.otherHostNotReady)
            }
            let outcome = try session.apply(plan, report: report)
            if case .deployed = outcome {
                do {
                    try store.setDeployed(plan.host, commit, reason: "deploy")
                } catch {
                    // The host is right and says so at the next deploy.
                    return .deployed
                }
            }
            return HostResult(outcome)
        } catch {
            if case .lost(let reason) = error { return .unknown(reason) }
            return .failed(error)
        }
    }

    private func prepared(_ plan: HostPlan, _ store: Store) throws(HostError) -> Preparation {
        do { return try store.preparation(for: plan, commit: commit, holder: holder) } catch { throw .store(error) }
    }

    private func opened() throws(HostError) -> Store {
        do { return try Store.open(at: storePath) } catch { throw .store(error) }
    }
}

extension HostResult {
    init(_ outcome: Outcome) {
        self =
            switch outcome {
            case .deployed: .deployed
            case .rolledBack(let failure): .rolledBack(failure)
            case .broken(let failure, let undoing): .broken(failure, undoing: undoing)
            }
    }
}
