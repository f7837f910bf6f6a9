import Git
import Model
import Planning

extension ClusterReader {
    /// Finds the changes that an undo took back and that would come again: the config tree on disk is ahead of the undo.
    func noteUndone(_ plans: inout [HostPlan]) throws(ClusterError) {
        // By host: what it ran, the changed apps that no deploy accounts for yet, and its place in the plans.
        var sought: [Hostname: (commit: ObjectID, apps: Set<AppName>, index: Int)] = [:]
        for (index, plan) in plans.enumerated() {
            guard let base = plan.base else { continue }
            sought[plan.host] = (base, Set(plan.changes.map(\.app)), index)
        }
        var undone: [(index: Int, app: AppName, undo: ObjectID, before: ObjectID?)] = []
        var rest = Self.maximumDeploys
        try read(
            store.readHistory { event in
                guard case .begun(let note) = event else { return true }
                for host in note.hosts {
                    guard let one = sought[host.host], one.commit == note.commit else { continue }
                    let changed = one.apps.intersection(host.apps.filter { $0.change != .restarted }.map(\.name))
                    if note.kind == .undo { undone += changed.map { (one.index, $0, note.commit, host.before) } }
                    sought[host.host] = host.before.map { ($0, one.apps.subtracting(changed), one.index) }
                    if sought[host.host]?.apps.isEmpty == true { sought[host.host] = nil }
                }
                rest -= 1
                return rest > 0 && !sought.isEmpty
            })
        var trees: [ObjectID: [Hostname: ObjectID]] = [:]
        for (index, app, undo, before) in undone {
            let plan = plans[index]
            let wanted = plan.wanted.apps.first { $0.name == app }?.id
            var former: ObjectID?
            if let before {
                if trees[before] == nil { trees[before] = try self.trees(of: before) }
                if let tree = trees[before]?[plan.host], store.contains(tree) {
                    former = try read(store.tree(tree)).first { $0.name == app.text }?.id
                }
            }
            guard wanted == former, let change = plan.changes.firstIndex(where: { $0.app == app }) else { continue }
            plans[index].changes[change].undoneIn = undo
        }
    }

    /// Looks at this many of the last deploys, so that planning takes as long with a long history.
    private static var maximumDeploys: Int { 1000 }
}
