import Git
import Model
import Planning

extension ClusterReader {
    /// The units of each app of a host: of what is deployed, and of apps that only the root tree has.
    package func units(on host: Hostname, _ root: ObjectID) throws(ClusterError) -> [AppName: [String]] {
        var trees: [HostTree] = []
        if let tree = try hosts(in: root).first(where: { $0.host == host }) { trees.append(try hostTree(host, tree.tree)) }
        if let commit = try read(store.deployedCommit(host)), let id = try hostTreeID(of: host, in: commit) {
            trees.append(try deployedTree(host, id))
        }
        var units: [AppName: [String]] = [:]
        for tree in trees {
            for app in tree.apps { units[app.name] = try tree.units(of: app, unitFile) }
        }
        return units
    }
}
