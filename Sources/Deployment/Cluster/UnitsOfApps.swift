import Git
import Model
import Planning

extension ClusterReader {
    /// The units of each app of a host: of its deployed apps, and of apps that only the root tree has. There may be no root
    /// tree, or mistakes in it.
    package func units(on host: Hostname, _ root: ObjectID?) throws(ClusterError) -> [AppName: [String]] {
        var trees: [HostTree] = []
        if let root, let id = try hosts(in: root).first(where: { $0.host == host })?.tree { trees.append(try deployedTree(host, id)) }
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
