import Git
import Model

/// The differences between two commits.
package struct CommitDifference {
    /// Paths begin with the host's and the app's names.
    package var files: [ChangedFile]
    /// Hosts that differ, but whose trees the store lacks because it only synced other hosts of the commit.
    package var absent: [Hostname]
}

extension ClusterReader {
    /// Compares two commits. `places` are hosts, or apps as in `web1/nginx`, with patterns; none for all.
    package func difference(
        from old: ObjectID, to new: ObjectID, _ places: [String]
    ) throws(ClusterError) -> CommitDifference {
        let (before, after) = (try trees(of: old), try trees(of: new))
        let hosts = Set(before.keys).union(after.keys).sorted()
        let filter = HostFilter(places: places)
        try filter.check(hosts)
        var result = CommitDifference(files: [], absent: [])
        for host in hosts where before[host] != after[host] && filter.includes(host) {
            guard [before[host], after[host]].allSatisfy({ $0.map(store.contains) != false }) else {
                result.absent.append(host)
                continue
            }
            let files = try read(store.compareTrees(old: before[host], new: after[host]))
            result.files += files.filter { file in
                filter.includes(app: String(file.path.prefix { $0 != "/" }), on: host)
            }.map { ChangedFile(path: "\(host.text)/\($0.path)", old: $0.old, new: $0.new) }
        }
        return result
    }

    func trees(of commit: ObjectID) throws(ClusterError) -> [Hostname: ObjectID] {
        let root = try read(store.commitInfo(commit).tree)
        return Dictionary(try hosts(in: root).map { ($0.host, $0.tree) }) { first, _ in first }
    }
}
