import Git
import Model
import Planning

extension ClusterReader {
    /// A plan that returns hosts to their previous state, and the root tree of everything that the cluster's hosts
    /// run after it.
    ///
    /// Without a filter, it applies to the hosts of the last deploy that changed something. With `commit`, hosts go
    /// back to their trees in it instead; without a filter, all hosts that run anything.
    package func undoPlan(
        to commit: ObjectID?, cluster: String, filter: HostFilter
    ) throws(ClusterError) -> (plan: Plan, root: ObjectID) {
        let deployed = try deployed(cluster)
        guard !deployed.isEmpty else { throw .nothingToUndo }
        try filter.check(deployed.keys.sorted())
        var targets = if let commit { try targets(in: commit, deployed, filter) } else { try targets(deployed, filter) }
        try chooseApps(&targets, deployed, filter)
        let root = try runningRoot(deployed, except: targets)
        var plan = try plan(root: root, cluster: cluster, filter: filter, origin: .history)
        // Emptied hosts are in no tree, which is expected here.
        plan.orphans = []
        for index in plan.hosts.indices { try goBack(&plan.hosts[index], isUndo: commit == nil) }
        return (plan, root)
    }

    /// The root tree of everything that the hosts run, except those that get another tree, or none.
    func runningRoot(
        _ deployed: [Hostname: ObjectID], except targets: [Hostname: ObjectID?] = [:]
    ) throws(ClusterError) -> ObjectID {
        let empty = try read(store.write(RecordedObject(kind: .tree, bytes: [])))
        var trees: [(host: Hostname, tree: ObjectID)] = []
        for (host, running) in deployed {
            if let target = targets[host] {
                trees.append((host, target ?? empty))
            } else if let tree = try hostTreeID(of: host, in: running) {
                trees.append((host, tree))
            }
        }
        return try read(store.writeRoot(trees))
    }

    /// Has only the chosen apps go back, where only apps were chosen.
    private func chooseApps(
        _ targets: inout [Hostname: ObjectID?], _ deployed: [Hostname: ObjectID], _ filter: HostFilter
    ) throws(ClusterError) {
        var running: [Hostname: ObjectID?] = [:]
        for (host, commit) in deployed where filter.isPartial(host) { running[host] = .some(try hostTreeID(of: host, in: commit)) }
        try filter.checkApps(targets.keys.sorted()) { host throws(ClusterError) in
            try appNames([targets[host] ?? nil, running[host] ?? nil])
        }
        for (host, now) in running {
            guard let target = targets[host] else { continue }
            targets[host] = try partialHost(host, of: now, with: target, filter).tree
        }
    }

    private func goBack(_ plan: inout HostPlan, isUndo: Bool) throws(ClusterError) {
        // The name check of an emptied host uses the options that it was deployed with.
        if plan.wanted.apps.isEmpty, let base = plan.base, let tree = try hostTreeID(of: plan.host, in: base) {
            plan.wanted.options = try deployedTree(plan.host, tree).options
        }
        // The host keeps the version before the running one.
        guard isUndo else { return }
        for change in plan.changes where change.kind == .update { plan.present.formUnion(change.files.compactMap(\.new?.id)) }
    }

    /// The known commits that run on the cluster's hosts.
    func deployed(_ cluster: String) throws(ClusterError) -> [Hostname: ObjectID] {
        var deployed: [Hostname: ObjectID] = [:]
        var clusters: [ObjectID: String?] = [:]
        for (host, commit) in try read(store.deployedCommits()) {
            if clusters[commit] == nil {
                let info = try read(store.commitInfo(commit))
                clusters[commit] = .some(DeployMessage.cluster(of: info.message))
            }
            if clusters[commit] == cluster { deployed[host] = commit }
        }
        return deployed
    }

    /// The trees of the hosts before their present ones; nil for none.
    private func targets(
        _ deployed: [Hostname: ObjectID], _ filter: HostFilter
    ) throws(ClusterError) -> [Hostname: ObjectID?] {
        let replaced = try read(
            store.replaced(by: deployed) { host, before throws(StoreError) in
                guard let running = deployed[host], filter.isPartial(host) else { return false }
                return try store.hasSameApps(host, running, before, filter)
            })
        let known = filter.isAll ? replaced.deploys.filter { $0.value.commit == replaced.newest } : replaced.deploys
        if filter.isAll, known.isEmpty { throw .nothingToUndo }
        let unknown = filter.isAll ? [] : deployed.keys.filter { filter.includes($0) && known[$0] == nil }
        guard unknown.isEmpty else { throw .unknownBefore(unknown.sorted()) }
        var targets: [Hostname: ObjectID?] = [:]
        for (host, deploy) in known where filter.includes(host) {
            targets[host] = .some(try deploy.before.map { commit throws(ClusterError) in try hostTreeID(of: host, in: commit) } ?? nil)
        }
        return targets
    }

    /// The hosts' trees in the commit.
    private func targets(
        in commit: ObjectID, _ deployed: [Hostname: ObjectID], _ filter: HostFilter
    ) throws(ClusterError) -> [Hostname: ObjectID?] {
        let root = try read(store.commitInfo(commit).tree)
        var targets: [Hostname: ObjectID?] = [:]
        for (host, tree) in try hosts(in: root) where deployed[host] != nil && filter.includes(host) { targets[host] = tree }
        // For another store's commit, this store has only the trees of hosts that were seen to run it.
        let absent = targets.filter { $0.value.map(store.contains) == false }.keys
        let unnamed = filter.isAll ? [] : deployed.keys.filter { filter.includes($0) && targets[$0] == nil }
        guard absent.isEmpty, unnamed.isEmpty, !targets.isEmpty else {
            throw .notInCommit((absent + unnamed).sorted(), commit)
        }
        return targets
    }
}

extension Store {
    /// Whether two commits have the same for the chosen apps of a host.
    fileprivate func hasSameApps(
        _ host: Hostname, _ one: ObjectID, _ other: ObjectID, _ filter: HostFilter
    ) throws(StoreError) -> Bool {
        func apps(_ commit: ObjectID) throws(StoreError) -> Set<TreeEntry> {
            guard let tree = try tree(of: host, in: commit) else { return [] }
            return Set(try self.tree(tree).filter { $0.kind == .directory && filter.includes(app: $0.name, on: host) })
        }
        return try apps(one) == apps(other)
    }
}
