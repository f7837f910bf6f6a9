import Git
import Model
import Planning

/// A plan that returns hosts to their previous state.
package struct UndoPlan {
    package var plan: Plan
    /// The root tree of everything that the cluster's hosts run after it.
    package var root: ObjectID
    /// The deploys that the hosts of the plan lose, by host. Empty for an undo to a named commit.
    package var undone: [Hostname: ObjectID]
}

extension ClusterReader {
    /// A plan that returns hosts to their previous state.
    ///
    /// Without a filter, it applies to the hosts of the last deploy that changed something. With `commit`, hosts go
    /// back to their trees in it instead; without a filter, all hosts that run anything.
    package func undoPlan(to commit: ObjectID?, cluster: String, filter: HostFilter) throws(ClusterError) -> UndoPlan {
        let deployed = try deployed(cluster)
        let deploys = commit == nil ? try deploysToUndo(deployed, cluster, filter) : [:]
        let goals = if let commit { try goals(in: commit, deployed, cluster, filter) } else { deploys.mapValues(\.before) }
        var targets: [Hostname: ObjectID?] = [:]
        for (host, goal) in goals {
            let tree = try goal.map { commit throws(ClusterError) in try hostTreeID(of: host, in: commit) } ?? nil
            targets[host] = .some(try tree.map { tree throws(ClusterError) in try read(store.treeWithoutLeftFiles(tree)) })
        }
        let goal = try runningRoot(deployed, except: targets)
        var plan = try plan(root: goal, cluster: cluster, filter: filter, origin: .history, leaves: .again(goals))
        // Emptied hosts are in no tree, which is expected here.
        plan.orphans = []
        for index in plan.hosts.indices { try goBack(&plan.hosts[index], isUndo: commit == nil) }
        let hosts = Set(plan.hosts.map(\.host))
        let root = try runningRoot(deployed, except: Dictionary(plan.hosts.map { ($0.host, $0.wanted.id) }) { first, _ in first })
        return UndoPlan(plan: plan, root: root, undone: deploys.mapValues(\.commit).filter { hosts.contains($0.key) })
    }

    /// The root tree of everything that the hosts run, except those that get another tree, or none.
    func runningRoot(
        _ deployed: [Hostname: ObjectID], except targets: [Hostname: ObjectID?] = [:]
    ) throws(ClusterError) -> ObjectID {
        let empty = try read(store.write(RecordedObject(kind: .tree, bytes: [])))
        var trees = targets.map { (host: $0.key, tree: $0.value ?? empty) }
        for (host, running) in deployed where targets[host] == nil {
            if let tree = try hostTreeID(of: host, in: running) { trees.append((host, tree)) }
        }
        return try read(store.writeRoot(trees))
    }

    private func goBack(_ plan: inout HostPlan, isUndo: Bool) throws(ClusterError) {
        // The name check of an emptied host uses the options that it was deployed with.
        if plan.wanted.apps.isEmpty, let base = plan.base, let tree = try hostTreeID(of: plan.host, in: base) {
            plan.wanted.options = try deployedTree(plan.host, tree).options
        }
        // Other changes in the commit are not omissions of the operator.
        plan.limit?.leftOut = []
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

    /// The deploys that led to the hosts' present states.
    private func deploysToUndo(
        _ deployed: [Hostname: ObjectID], _ cluster: String, _ filter: HostFilter
    ) throws(ClusterError) -> [Hostname: PastStep] {
        let elsewhere = Set(try read(store.deployedCommits()).map(\.host)).subtracting(deployed.keys)
        var running: [Hostname: ObjectID?] = [:]
        for (host, commit) in deployed where filter.includes(host) { running[host] = .some(commit) }
        // A removed host comes back if its removal was the last deploy, or by its name.
        for host in filter.hosts where deployed[host] == nil && !elsewhere.contains(host) { running[host] = .some(nil) }
        let isRemoved = { (host: Hostname) in !elsewhere.contains(host) }
        let replaced = try read(
            store.replaced(by: running, cluster, removed: filter.isAll ? isRemoved : nil, isEnough: { filter.isAll && $0.newest != nil }) {
                host, before throws(StoreError) in
                guard let running = deployed[host], filter.isPartial(host) else { return false }
                return try store.hasSameApps(host, in: running, and: before, filter)
            })
        if replaced.deploys.isEmpty, filter.isAll || deployed.isEmpty { throw .nothingToUndo }
        for host in filter.hosts where running[host] == .some(nil) && replaced.deploys[host] == nil {
            if try read(store.wasForgotten(host)) { throw .notDeployed(host) }
        }
        if !filter.isAll { try filter.check(Set(deployed.keys).union(replaced.deploys.keys).sorted()) }
        let unknown = filter.isAll ? [] : deployed.keys.filter { filter.includes($0) && replaced.deploys[$0] == nil }
        guard unknown.isEmpty else { throw .unknownBefore(unknown.sorted()) }
        return replaced.deploys.filter { $0.value.commit == replaced.newest || !filter.isAll }
    }

    /// The commit, for the hosts that have a tree in it.
    private func goals(
        in commit: ObjectID, _ deployed: [Hostname: ObjectID], _ cluster: String, _ filter: HostFilter
    ) throws(ClusterError) -> [Hostname: ObjectID?] {
        let info = try read(store.commitInfo(commit))
        // A removed host comes back by its name.
        let removed =
            DeployMessage.cluster(of: info.message) == cluster
            ? Set(filter.hosts).subtracting(try read(store.deployedCommits()).map(\.host)) : []
        var trees: [Hostname: ObjectID] = [:]
        for (host, tree) in try hosts(in: info.tree) where filter.includes(host) && (deployed[host] != nil || removed.contains(host)) {
            trees[host] = tree
        }
        if deployed.isEmpty, trees.isEmpty { throw .nothingToUndo }
        try filter.check(Set(deployed.keys).union(trees.keys).sorted())
        // For another store's commit, this store has only the trees of hosts that were seen to run it.
        let absent = trees.filter { !store.contains($0.value) }.keys
        let unnamed = filter.isAll ? [] : deployed.keys.filter { filter.includes($0) && trees[$0] == nil }
        guard absent.isEmpty, unnamed.isEmpty, !trees.isEmpty else {
            throw .notInCommit((absent + unnamed).sorted(), commit)
        }
        return trees.mapValues { _ in .some(commit) }
    }
}

extension Store {
    /// Whether two commits have the same for the chosen apps of a host.
    fileprivate func hasSameApps(
        _ host: Hostname, in one: ObjectID, and other: ObjectID, _ filter: HostFilter
    ) throws(StoreError) -> Bool {
        func apps(_ commit: ObjectID) throws(StoreError) -> Set<TreeEntry> {
            guard let tree = try tree(of: host, in: commit) else { return [] }
            return Set(
                try self.tree(tree).filter { $0.kind == .directory && $0.name != LeftFiles.app && filter.includes(app: $0.name, on: host) })
        }
        return try apps(one) == apps(other)
    }
}
