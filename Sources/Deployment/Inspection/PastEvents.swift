import Git
import Model
import Planning

/// Something that happened, as an operator looks back on it.
package enum PastEvent: Hashable, Sendable {
    case deploy(PastDeploy)
    /// The host was seen to run a commit that another store had deployed; nil for nothing. Times are seconds since the
    /// epoch.
    case found(time: Int64, Hostname, commit: ObjectID?, before: ObjectID?)
    /// The operator made the store forget what is deployed there.
    case forgotten(time: Int64, Hostname, commit: ObjectID)
}

/// A deploy, and how it ended where that is known.
package struct PastDeploy: Hashable, Sendable {
    package struct End: Hashable, Sendable {
        package var end: DeployEnd
        /// For people; empty where there is nothing to say.
        package var phrase: String

        package init(end: DeployEnd, phrase: String) {
            self.end = end
            self.phrase = phrase
        }
    }

    package var note: HistoryEntry
    /// Without an end, the deploy is under way, or its client was switched off.
    package var ends: [Hostname: End]

    package init(note: HistoryEntry, ends: [Hostname: End]) {
        self.note = note
        self.ends = ends
    }
}

extension Store {
    /// What happened on the hosts, the newest first, at most so many events. Of a deploy to several hosts, those that the
    /// filter leaves out are left out.
    package func pastEvents(_ limit: Int, _ filter: HostFilter = .all) throws(StoreError) -> [PastEvent] {
        var events: [PastEvent] = []
        var ends: [ObjectID: [Hostname: PastDeploy.End]] = [:]
        try readHistory { event in
            switch event {
            case .ended(_, let commit, let host, let end, let phrase):
                // What was found out later is known better.
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

    /// What this store's deploys replaced by those commits, host by host: nil where that was nothing. Hosts whose commit
    /// another store deployed are missing.
    func replaced(by deployed: [Hostname: ObjectID]) throws(StoreError) -> [Hostname: ObjectID?] {
        var result: [Hostname: ObjectID?] = [:]
        try readHistory { event in
            if case .begun(let note) = event {
                for host in note.hosts where deployed[host.host] == note.commit { result[host.host] = .some(host.before) }
            }
            return result.count < deployed.count
        }
        return result
    }
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
                }
            })
    }
}

extension HostResult {
    /// For the history.
    var end: DeployEnd {
        switch self {
        case .deployed: .done
        case .rolledBack, .lockedOut: .rolledBack
        case .broken: .broken
        case .failed, .stale: .failed
        case .unknown: .unknown
        }
    }
}
