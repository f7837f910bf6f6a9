import Git
import Model
import Planning

/// A host of which only some apps change: its current state, with these apps in their new versions.
struct PartialHost {
    var tree: ObjectID
    var limit: HostPlan.Limit

    /// Whether the choice is the reason for a mistake in the tree, and what else could be chosen.
    func explained(_ error: ClusterError, _ origin: HostTree.Origin, isWholeValid: Bool) -> ClusterError {
        guard isWholeValid, origin == .history || !limit.leftOut.isEmpty else { return error }
        return switch error {
        case .tree(let problem): .limited([problem], leftOut: limit.leftOut)
        case .trees(let problems): .limited(problems, leftOut: limit.leftOut)
        default: error
        }
    }
}

extension ClusterReader {
    /// The deployed tree `old` with those apps of `new` that the filter selects. A host on which nothing is deployed
    /// yet also gets the new `host.json`.
    func partialHost(
        _ host: Hostname, of old: ObjectID?, with new: ObjectID?, _ filter: HostFilter
    ) throws(ClusterError) -> PartialHost {
        let before = try entries(old)
        let after = try entries(new)
        func isChosen(_ entry: TreeEntry) -> Bool { entry.kind == .directory && filter.includes(app: entry.name, on: host) }
        // Nothing was ever deployed there, or the host was emptied.
        let isNew = !before.contains { $0.kind == .directory }
        let kept = (isNew ? after.filter { $0.kind != .directory } : before).filter { !isChosen($0) }
        let leftOut = Set(before).symmetricDifference(after).filter { !isChosen($0) && !(isNew && kept.contains($0)) }
        return PartialHost(
            tree: try read(store.writeTree(kept + after.filter(isChosen))),
            limit: HostPlan.Limit(
                apps: Set((before + after).filter(isChosen).compactMap { AppName($0.name) }).sorted(),
                leftOut: Set(leftOut.map(\.name)).sorted()))
    }

    /// The names of the apps in the trees of a host.
    func appNames(_ trees: [ObjectID?]) throws(ClusterError) -> Set<String> {
        var names: Set<String> = []
        for tree in trees { names.formUnion(try entries(tree).filter { $0.kind == .directory }.map(\.name)) }
        return names
    }

    private func entries(_ tree: ObjectID?) throws(ClusterError) -> [TreeEntry] {
        guard let tree else { return [] }
        return try read(store.tree(tree))
    }

    /// The root tree of a plan's commit: `root`, with the planned trees of hosts that get another one than it has.
    package func root(of plan: Plan, in root: ObjectID) throws(ClusterError) -> ObjectID {
        let planned = Dictionary(plan.hosts.map { ($0.host, $0.wanted) }) { first, _ in first }
        let hosts = try hosts(in: root)
        let known = Set(hosts.map(\.host))
        // A host that is emptied is in no tree.
        let more = plan.hosts.filter { !known.contains($0.host) && !$0.wanted.apps.isEmpty }.map { ($0.host, $0.wanted.id) }
        if more.isEmpty, hosts.allSatisfy({ planned[$0.host] == nil || planned[$0.host]?.id == $0.tree }) { return root }
        return try read(store.writeRoot(hosts.map { ($0.host, planned[$0.host]?.id ?? $0.tree) } + more))
    }
}
