import Git
import Model
import Planning

/// Why there is no plan.
package enum ClusterError: Error, Hashable, Sendable {
    case store(StoreError)
    case tree(TreeError)
    /// Names that no host of the cluster matches, and the hosts there are.
    case unknownHosts([String], known: [Hostname])
    case noHosts
    /// A host that shall be removed is in the config tree.
    case hostInTree(Hostname)
    /// Nothing is known to be deployed on the host.
    case notDeployed(Hostname)
    /// A host is in another cluster's directory too.
    case hostInTwoClusters(Hostname, other: String)
    /// No deploy of this store is there to be undone.
    case nothingToUndo
    /// Another store deployed what these hosts run, so it is not known what they ran before.
    case unknownBefore([Hostname])
    /// The commit has no tree for these hosts, or the store does not have it.
    case notInCommit([Hostname], ObjectID)
}
