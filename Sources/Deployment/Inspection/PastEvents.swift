import Git
import Model
import Planning

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

    /// The deploys of this store that made `deployed` what it is, and the commits that they replaced, by host; nil for none.
    /// Passes over what changes nothing for the host, and over deploys for which `isSame` holds of the replaced commit. Omits hosts whose commit another
    /// store deployed.
    func replaced(
        by deployed: [Hostname: ObjectID], isSame: (Hostname, ObjectID) throws(StoreError) -> Bool = { _, _ in false }
    ) throws(StoreError) -> Replaced {
        var sought = deployed
        var result = Replaced()
        var failure: StoreError?
        try readHistory { event in
            guard case .begun(let note) = event else { return true }
            do throws(StoreError) {
                for host in note.hosts where sought[host.host] == note.commit && result.deploys[host.host] == nil {
                    let isPassed = try host.before.map { before throws(StoreError) in
                        if note.kind == .restart || note.kind == .leave { return true }
                        return try isSame(host.host, before)
                    }
                    if let before = host.before, isPassed == true {
                        sought[host.host] = before
                    } else {
                        result.deploys[host.host] = (note.commit, host.before)
                        result.newest = result.newest ?? note.commit
                    }
                }
            } catch {
                failure = error
            }
            return failure == nil && result.deploys.count < deployed.count
        }
        if let failure { throw failure }
        return result
    }
}

/// Deploys, and what they replaced.
struct Replaced {
    var deploys: [Hostname: (commit: ObjectID, before: ObjectID?)] = [:]
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
