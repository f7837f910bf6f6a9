import Git
import Model
import Planning

/// A deploy of this store that a host kept.
struct PastStep {
    var commit: ObjectID
    var kind: HistoryEntry.Kind
    var cluster: String
    /// The host's previous commit; nil for none.
    var before: ObjectID?
    var apps: [HostNote.App]
}

extension Store {
    /// Goes back through the history: for each host from its current commit, nil for none, to the deploy of that commit, then to
    /// the commit before, and so on while `body` returns true for the host. Also starts from none for hosts for which `removed`
    /// returns true.
    ///
    /// Skips deploys of other stores that changed nothing on the host, such as restarts. Another store's change ends the search,
    /// and so does an event that the host was forgotten or found without a deploy. Stops when `isEnough`, at the latest after
    /// `maximum` deploys.
    func goBack(
        from running: [Hostname: ObjectID?], removed: ((Hostname) -> Bool)? = nil, maximum: Int = .max,
        isEnough: () -> Bool = { false }, _ body: (Hostname, PastStep) throws(StoreError) -> Bool
    ) throws(StoreError) {
        var sought = running
        // Hosts about which nothing more is to find out, and deploys that ended well on hosts that ran nothing later.
        var (settled, kept): (Set<Hostname>, [Hostname: Set<ObjectID>]) = ([], [:])
        var own: Set<ObjectID>?
        var rest = maximum
        func settle(_ host: Hostname) {
            settled.insert(host)
            sought[host] = nil
        }
        /// The commit whose origin is sought: an inner nil for none; nil if the host does not matter.
        func goal(_ host: Hostname) -> ObjectID?? {
            settled.contains(host) ? nil : sought[host] ?? (removed?(host) == true ? .some(nil) : nil)
        }
        func follow(_ event: HistoryEvent) throws(StoreError) {
            switch event {
            case .ended(_, let commit, let host, .done, _):
                if case .some(nil) = goal(host) { kept[host, default: []].insert(commit) }
            case .ended: break
            case .begun(let entry):
                for note in entry.hosts {
                    guard let goal = goal(note.host) else { continue }
                    // The last deploy to a host that runs nothing emptied it.
                    guard goal == entry.commit || goal == nil && kept[note.host]?.contains(entry.commit) == true else { continue }
                    let step = PastStep(
                        commit: entry.commit, kind: entry.kind, cluster: entry.cluster, before: note.before, apps: note.apps)
                    if try body(note.host, step) { sought[note.host] = .some(note.before) } else { settle(note.host) }
                }
                rest -= 1
            case .found(_, let host, let commit, let before):
                guard let goal = goal(host), goal == commit else { break }
                guard let commit, let before else { return settle(host) }
                if own == nil { own = try ownCommits() }
                // The result of a deploy of this store may be found out later.
                if own?.contains(commit) == true { break }
                let tree = try tree(of: host, in: commit)
                if tree != nil, try tree == self.tree(of: host, in: before) { sought[host] = .some(before) } else { settle(host) }
            case .forgotten(_, let host, _):
                if case .some(nil) = goal(host) { settle(host) }
            }
        }
        var failure: StoreError?
        try readHistory { event in
            do throws(StoreError) { try follow(event) } catch { failure = error }
            return failure == nil && rest > 0 && (removed != nil || !sought.isEmpty) && !isEnough()
        }
        if let failure { throw failure }
    }

    /// Whether the operator once made the store forget the host's deployed state.
    func wasForgotten(_ host: Hostname) throws(StoreError) -> Bool {
        var isFound = false
        try readHistory { event in
            if case .forgotten(_, host, _) = event { isFound = true }
            return !isFound
        }
        return isFound
    }

    private func ownCommits() throws(StoreError) -> Set<ObjectID> {
        var commits: Set<ObjectID> = []
        try readHistory { event in
            if case .begun(let entry) = event { commits.insert(entry.commit) }
            return true
        }
        return commits
    }
}
