import Git
import Model
import Planning
import Platform

/// An event in the operator's history.
package enum PastEvent: Hashable, Sendable {
    case deploy(PastDeploy)
    /// A sync found the host running a commit that another store had deployed; nil for none. Times are in seconds
    /// since the epoch.
    case found(time: Int64, Hostname, commit: ObjectID?, before: ObjectID?)
    /// The operator made the store forget the host's deployed state.
    case forgotten(time: Int64, Hostname, commit: ObjectID)
}

/// A deploy, and its end on each host where known.
package struct PastDeploy: Hashable, Sendable {
    package struct End: Hashable, Sendable {
        package var end: DeployEnd
        /// For people; can be empty.
        package var phrase: String

        package init(end: DeployEnd, phrase: String) {
            self.end = end
            self.phrase = phrase
        }
    }

    package var note: HistoryEntry
    /// A host without an end is still being deployed to, or its client was switched off.
    package var ends: [Hostname: End]

    package init(note: HistoryEntry, ends: [Hostname: End]) {
        self.note = note
        self.ends = ends
    }
}

extension Store {
    /// The events on the hosts, newest first, at most `limit`. Hosts that the filter excludes are left out of deploys
    /// to several hosts.
    package func pastEvents(_ limit: Int, _ filter: HostFilter = .all) throws(StoreError) -> [PastEvent] {
        var events: [PastEvent] = []
        var ends: [ObjectID: [Hostname: PastDeploy.End]] = [:]
        try readHistory { event in
            switch event {
            case .ended(_, let commit, let host, let end, let phrase):
                // A later finding is more accurate.
                if ends[commit]?[host] == nil { ends[commit, default: [:]][host] = .init(end: end, phrase: phrase) }
            case .begun(var note):
                note.hosts = note.hosts.filter { filter.includes($0.host) }
                let known = ends.removeValue(forKey: note.commit) ?? [:]
                if !note.hosts.isEmpty {
                    events.append(.deploy(PastDeploy(note: note, ends: known.filter { filter.includes($0.key) })))
                }
            case .found(let time, let host, let commit, let before):
                if let commit { ends[commit, default: [:]][host] = .init(end: .done, phrase: "") }
                if filter.includes(host) { events.append(.found(time: time, host, commit: commit, before: before)) }
            case .forgotten(let time, let host, let commit):
                if filter.includes(host) { events.append(.forgotten(time: time, host, commit: commit)) }
            }
            return events.count < limit
        }
        return events
    }

    /// Records the end of the last deploy to the host if only the host knew it. `running` is what the host runs.
    package func settle(_ host: Hostname, running: ObjectID?) throws(StoreError) {
        var (open, note): (Bool, HistoryEntry?) = (true, nil)
        try readHistory { event in
            switch event {
            case .ended(_, _, host, let end, _): open = end == .unknown
            case .found(_, host, _, _), .forgotten(_, host, _): open = false
            case .begun(let entry) where entry.hosts.contains { $0.host == host }: note = entry
            default: break
            }
            return open && note == nil
        }
        guard open, let note else { return }
        let before = note.hosts.first { $0.host == host }?.before
        let end: (DeployEnd, String)? = running == note.commit ? (.done, "") : running == before ? (.rolledBack, "rolled back") : nil
        if let (end, phrase) = end { try self.note([.ended(time: WallClock.seconds, commit: note.commit, host, end, phrase)]) }
    }

    /// The deploys of this store that led to the hosts' current state, nil for none, and the commits that they replaced. Skips
    /// deploys that changed nothing for the host, and those for which `isSame` holds of the replaced commit. Omits hosts whose
    /// commit another store deployed, and hosts without a deploy since they left another cluster.
    func replaced(
        by running: [Hostname: ObjectID?], _ cluster: String, removed: ((Hostname) -> Bool)? = nil,
        isEnough: (Replaced) -> Bool = { _ in false },
        isSame: (Hostname, ObjectID) throws(StoreError) -> Bool = { _, _ in false }
    ) throws(StoreError) -> Replaced {
        var result = Replaced()
        try goBack(from: running, removed: removed, isEnough: { isEnough(result) }) { host, step throws(StoreError) in
            if (running[host] ?? nil) == nil, step.cluster != cluster { return false }
            if let before = step.before, try changesNothing(step, on: host) ? true : isSame(host, before) { return true }
            result.deploys[host] = step
            result.newest = result.newest ?? step.commit
            return false
        }
        return result
    }

    /// Whether the deploy restarted units, or made Deptool forget the files that it had left.
    private func changesNothing(_ step: PastStep, on host: Hostname) throws(StoreError) -> Bool {
        if step.kind == .restart || step.kind == .leave { return true }
        guard step.apps.map(\.name.text) == [LeftFiles.app], step.apps[0].change == .removed, let before = step.before else { return false }
        let (was, now) = (try tree(of: host, in: before), try tree(of: host, in: step.commit))
        return try was.map(treeWithoutLeftFiles) == now
    }

    /// The tree of a host without the app of files that only stay there.
    func treeWithoutLeftFiles(_ tree: ObjectID) throws(StoreError) -> ObjectID {
        try writeTree(self.tree(tree).filter { $0.name != LeftFiles.app })
    }
}

/// Deploys, and what they replaced.
struct Replaced {
    var deploys: [Hostname: PastStep] = [:]
    /// The last of the deploys.
    var newest: ObjectID?
}

extension HostNote {
    init(_ plan: HostPlan) {
        self.init(
            host: plan.host, before: plan.base,
            apps: plan.changes.map { change in
                switch change.kind {
                case .add: App(.added, change.app)
                case .update, .repair: App(.updated, change.app)
                case .remove: App(.removed, change.app)
                case .restart: App(.restarted, change.app)
                }
            })
    }
}

extension HostResult {
    /// For the history.
    var end: DeployEnd {
        switch self {
        case .deployed, .checked: .done
        case .rolledBack, .lockedOut: .rolledBack
        case .broken: .broken
        case .failed, .stale: .failed
        case .unknown: .unknown
        }
    }
}
