import Git
import Model
import Planning

extension ClusterReader {
    /// Finds the changes that an undo took back and that would come again: the config tree on disk is ahead of the undo.
    func noteUndone(_ plans: inout [HostPlan]) throws(ClusterError) {
        // By host: what it runs, and its place in the plans and the changed apps that no deploy accounts for yet.
        var running: [Hostname: ObjectID?] = [:]
        var sought: [Hostname: (index: Int, apps: Set<AppName>)] = [:]
        for (index, plan) in plans.enumerated() {
            guard let base = plan.base else { continue }
            running[plan.host] = .some(base)
            sought[plan.host] = (index, Set(plan.changes.map(\.app)))
        }
        var undone: [(index: Int, app: AppName, undo: ObjectID, before: ObjectID?)] = []
        try read(
            store.goBack(from: running, maximum: Self.maximumDeploys) { host, step in
                guard let (index, apps) = sought[host] else { return false }
                let changed = apps.intersection(step.apps.filter { $0.change != .restarted }.map(\.name))
                if step.kind == .undo { undone += changed.map { (index, $0, step.commit, step.before) } }
                sought[host] = (index, apps.subtracting(changed))
                return step.before != nil && changed.count < apps.count
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
    static var maximumDeploys: Int { 1000 }
}
