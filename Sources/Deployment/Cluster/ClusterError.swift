import Git
import Model
import Planning
import SSH

/// Why planning failed.
package enum ClusterError: Error, Hashable, Sendable {
    case store(StoreError)
    case tree(TreeError)
    /// At least two.
    case trees([TreeError])
    /// Problems of a host of which only some apps were chosen, at least one, and what else changes there.
    case limited([TreeError], leftOut: [String])
    /// ssh's settings or the keys of a host cannot be read.
    case ssh(Hostname, SSHError)
    /// Names that match no host of the cluster, and its hosts.
    case unknownHosts([String], known: [Hostname])
    /// Names that match no app of their hosts, and the apps of these.
    case unknownApps([String], known: [String])
    case noHosts
    /// Neither units nor apps with units: of this host, or of any. `known` are those that there are.
    case notRestartable([String], Hostname?, known: [String])
    /// An app of this many files would have to be left on the host.
    case leavesTooMuch(Hostname, files: Int)
    /// A host to remove is still in the config tree.
    case hostInTree(Hostname)
    /// The store has no deployed state for the host.
    case notDeployed(Hostname)
    /// A host is in another cluster's directory too.
    case hostInTwoClusters(Hostname, other: String)
    /// This store has no deploy to undo.
    case nothingToUndo
    /// Another store deployed these hosts, so their previous state is unknown.
    case unknownBefore([Hostname])
    /// The commit has no tree for these hosts, or the store does not have it.
    case notInCommit([Hostname], ObjectID)
}

extension ClusterError {
    /// Nil for no problems.
    init?(_ problems: [TreeError]) {
        guard let first = problems.first else { return nil }
        self = problems.count == 1 ? .tree(first) : .trees(problems)
    }
}
