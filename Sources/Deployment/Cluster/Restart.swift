import Git
import Model
import Planning

extension ClusterReader {
    /// A plan that restarts units without a change, and the root tree of everything that the cluster's hosts run.
    ///
    /// `names` are units that belong to a deployed app, and apps: all units that such an app enables. Without a filter, it
    /// applies to the hosts that have any of them; else each host has to have all.
    package func restartPlan(
        _ names: [String], cluster: String, filter: HostFilter
    ) throws(ClusterError) -> (plan: Plan, root: ObjectID) {
        let deployed = try deployed(cluster)
        if !filter.isAll { try filter.check(deployed.keys.sorted()) }
        var plan = Plan(hosts: [])
        var unfound = names
        var known: Set<String> = []
        for (host, commit) in deployed.sorted(by: { $0.key < $1.key }) where filter.includes(host) {
            guard let id = try hostTreeID(of: host, in: commit) else { continue }
            let tree = try hostTree(host, id)
            let units = try restartable(tree)
            let here = Set(units.flatMap { [$0.unit.text] + ($0.isEnabled ? [$0.app.text] : []) })
            let missing = names.filter { !here.contains($0) }
            guard filter.isAll || missing.isEmpty else { throw .notRestartable(missing, host, known: here.sorted()) }
            known.formUnion(here)
            unfound.removeAll(where: here.contains)
            // A unit goes before an app of the same name.
            let chosen = units.filter { unit in
                names.contains { name in
                    name == unit.unit.text || unit.isEnabled && name == unit.app.text && !units.contains { $0.unit.text == name }
                }
            }
            if chosen.isEmpty { continue }
            let restarts = Dictionary(grouping: chosen) { $0.app }.mapValues { $0.map(\.unit) }
            let host = try HostPlan(
                base: commit, deployed: tree, wanted: tree, safety: safety, restarts: restarts, contents: unitFile)
            if let host { plan.hosts.append(host) }
        }
        guard unfound.isEmpty else { throw .notRestartable(unfound, nil, known: known.sorted()) }
        return (plan, try runningRoot(deployed))
    }

    /// The names of everything that can be restarted in a cluster.
    package func restartable(cluster: String) throws(ClusterError) -> Set<String> {
        var names: Set<String> = []
        for (host, commit) in try deployed(cluster) {
            guard let id = try hostTreeID(of: host, in: commit) else { continue }
            names.formUnion(try restartable(hostTree(host, id)).flatMap { [$0.unit.text] + ($0.isEnabled ? [$0.app.text] : []) })
        }
        return names
    }

    /// The units that can be restarted by name: those that an app enables, and others of its unit files and quadlets.
    private func restartable(_ tree: HostTree) throws(ClusterError) -> [(app: AppName, unit: UnitName, isEnabled: Bool)] {
        var units: [(app: AppName, unit: UnitName, isEnabled: Bool)] = []
        for app in tree.apps {
            units += app.manifest.units.map { (app.name, $0, true) }
            for name in try tree.units(of: app, unitFile) {
                guard let unit = UnitName(name), unit.canRestart, !app.manifest.units.contains(unit) else { continue }
                units.append((app.name, unit, false))
            }
        }
        // Another app may enable the unit whose file is in this one.
        let enabled = Set(units.filter(\.isEnabled).map(\.unit))
        return units.filter { $0.isEnabled || !enabled.contains($0.unit) }
    }
}
