import Deployment
import Display
import Git
import Model
import Planning
import Platform

/// The store and the config tree of a command.
struct Workspace {
    let store: Store
    /// The cluster's directory.
    let directory: String
    /// The same for people: as it was typed, or from the working directory.
    let shown: String

    /// Configuration keys for the directory of the default cluster, which is the last one named, and for those of all
    /// clusters, one per line; relative to the directory that holds the store.
    static let defaultKey = "deptool.cluster"
    static let allKey = "deptool.clusters"

    /// The cluster's name: that of its directory.
    var cluster: String { String(directory.split(separator: "/").last ?? "/") }

    /// Finds the store, in `DEPTOOL_STORE` or in the working directory and its parents, and the cluster's directory:
    /// the given one, else the default.
    init(directory: String?) throws {
        store = try Self.storeOnly()
        if let directory {
            self.directory = absolute(directory, in: workingDirectory())
            shown = Self.shown(self.directory, typed: directory)
            return
        }
        let name: String?
        do { name = try store.configuration(Self.defaultKey) } catch { throw CommandError(error) }
        guard let name else {
            throw CommandError(
                "no default cluster",
                "Name the cluster's directory, as in `deptool plan prod`, or make one the default with `deptool init prod`.")
        }
        self.directory = absolute(name, in: Self.parent(of: store))
        shown = Self.shown(self.directory)
    }

    private static func shown(_ directory: String, typed: String? = nil) -> String {
        if let typed, typed.contains(where: { $0 != "." && $0 != "/" }) { return String(typed.reversed().drop { $0 == "/" }.reversed()) }
        let here = workingDirectory()
        if directory == here { return "." }
        return directory.hasPrefix(here + "/") ? String(directory.dropFirst(here.count + 1)) : directory
    }

    /// For commands without a cluster. Does not read a store that the user neither made nor adopted: it may have come
    /// with a checkout.
    static func storeOnly() throws(CommandError) -> Store {
        do throws(StoreError) {
            let place =
                if let path = environment("DEPTOOL_STORE") { try StorePath(path) } else { try Store.find(from: workingDirectory()) }
            guard try KnownStores.ofUser().contains(place) else { throw StoreError.unknownStore(path: place.path) }
            return try Store.open(place)
        } catch {
            throw CommandError(error)
        }
    }

    init(store: Store, directory: String) {
        self.store = store
        self.directory = directory
        shown = Self.shown(directory)
    }

    /// The directory that holds the cluster's.
    var parent: String { "/" + directory.split(separator: "/").dropLast().joined(separator: "/") }

    static func parent(of store: Store) -> String {
        let parts = store.path.split(separator: "/")
        return "/" + parts.dropLast().joined(separator: "/")
    }

    /// Whether the cluster has a directory of this name.
    func hasDirectory(_ name: String) -> Bool { Self.isDirectory("\(directory)/\(name)") }

    /// Imports the config tree into the store, and warns of probable mistakes.
    func importTree(quietly: Bool = false) throws -> ObjectID {
        try checkPlace()
        guard isThere else { throw absence }
        do {
            return try store.importCluster(at: directory) {
                if !quietly { Terminal.writeError("warning: \(visible($0.phrase(in: shown)))\n") }
            }
        } catch {
            throw CommandError(error, directory: shown)
        }
    }

    /// Makes the cluster the default.
    func remember() throws(StoreError) {
        let parent = Self.parent(of: store)
        let name = directory.hasPrefix(parent + "/") ? String(directory.dropFirst(parent.count + 1)) : directory
        if try store.configuration(Self.defaultKey) != name { try store.setConfiguration(Self.defaultKey, name) }
        if try Self.names(store).contains(name) { return }
        try store.exclusively { () throws(StoreError) in
            let known = try Self.names(store)
            if !known.contains(name) { try store.setConfiguration(Self.allKey, (known + [name]).joined(separator: "\n")) }
        }
    }

    /// All clusters ever named.
    static func clusters(of store: Store) throws -> [Workspace] {
        try deptool.reporting {
            try names(store).map { Workspace(store: store, directory: absolute($0, in: parent(of: store))) }
        }
    }

    private static func names(_ store: Store) throws(StoreError) -> [String] {
        (try store.configuration(allKey) ?? "").split(separator: "\n").map(String.init)
    }

    /// Whether the cluster's directory exists.
    var isThere: Bool { Self.isDirectory(directory) }

    /// The error of a directory that does not exist, with the option for what was probably meant.
    var absence: CommandError {
        let name = visible(shown)
        let isHost = Hostname(shown).map { host in ((try? store.deployedCommits()) ?? []).contains { $0.host == host } } ?? false
        let isCommit = (try? store.commit(named: shown)) != nil
        return CommandError(
            "there is no directory \(name)",
            isHost
                ? "It is a host: use `--limit \(name)`."
                : isCommit ? "It is a commit: use `--to \(name)`." : "Name the cluster's directory, which holds one directory per host.")
    }

    /// The directories of the other clusters of the store.
    private func otherClusters() throws(StoreError) -> [String] {
        let parent = Self.parent(of: store)
        return try Self.names(store).map { absolute($0, in: parent) }.filter { $0 != directory && Self.isDirectory($0) }
    }

    private static func isDirectory(_ path: String) -> Bool {
        (try? status(of: path))?.kind == .directory
    }

    /// Checks that the cluster's directory neither contains another cluster's nor is inside one.
    func checkPlace() throws {
        let others = try reporting(otherClusters)
        let rule = "Name the directory that holds one directory per host."
        if let outer = others.first(where: { directory.hasPrefix($0 + "/") }) {
            throw CommandError("\(directory) is inside the cluster \(outer)", rule)
        }
        if let inner = others.first(where: { $0.hasPrefix(directory + "/") }) {
            throw CommandError(
                "\(directory) is around the cluster \(inner)",
                rule + " If the other one was a mistake, remove it from \(Self.allKey) in \(store.path)/config.")
        }
    }

    /// Clusters may share a store if their hosts differ. Returns the one of `others` that also has the host.
    private static func cluster(of host: Hostname, among others: [String]) -> String? {
        others.first { isDirectory("\($0)/\(host.text)") }
    }

    /// A plan that empties a host that is in no tree any more.
    func removalPlan(_ host: Hostname, _ root: ObjectID, safety: Safety, leaves: LeavingFiles) throws -> Plan {
        try reporting {
            if let other = Self.cluster(of: host, among: try otherClusters()) {
                throw CommandError(.hostInTree(host), directory: Self.shown(other))
            }
            return try ClusterReader(store, safety: safety).removalPlan(host, root: root, leaves: leaves)
        }
    }

    /// Plans, and makes the cluster the default once it has proved valid.
    /// With keys of hosts, every host must be able to open its new secrets.
    func plan(
        _ root: ObjectID, _ filter: HostFilter = .all, safety: Safety = Safety(), drift: [Hostname: [Drift]] = [:],
        hostKeys: HostKeys? = nil, leaves: LeavingFiles = .nothing
    ) throws -> Plan {
        try reporting {
            let reader = ClusterReader(store, safety: safety, hostKeys: hostKeys)
            try checkHosts(try reader.hosts(in: root).map(\.host))
            let plan = try reader.plan(root: root, cluster: cluster, filter: filter, drift: drift, leaves: leaves)
            try remember()
            return plan
        }
    }

    /// The hosts of the config tree by their directories, in which there may be mistakes, and deployed hosts of the cluster that are
    /// no longer in it. Makes the cluster the default.
    func knownHosts(_ filter: HostFilter) throws -> [Hostname] {
        try checkPlace()
        let present = hostDirectories()
        try checkHosts(present)
        return try reporting {
            let hosts = try ClusterReader(store).knownHosts(present, cluster: cluster)
            // The import reports why there are none.
            if hosts.isEmpty { _ = try importTree(quietly: true) }
            try filter.check(hosts)
            try remember()
            return hosts.filter(filter.includes)
        }
    }

    /// The hosts that have a directory, ordered by name.
    func hostDirectories() -> [Hostname] {
        namesOfEntries(in: directory).compactMap { Hostname($0) }.filter { hasDirectory($0.text) }.sorted()
    }

    /// Checks that the host is in no other cluster of the store.
    func checkIsOnlyHere(_ host: Hostname) throws {
        try reporting {
            if let other = Self.cluster(of: host, among: try otherClusters()) { throw ClusterError.hostInTwoClusters(host, other: other) }
        }
    }

    /// Checks that no host is also in another cluster of the store.
    private func checkHosts(_ hosts: [Hostname]) throws {
        try reporting {
            let others = try otherClusters()
            for host in hosts {
                if let other = Self.cluster(of: host, among: others) {
                    throw ClusterError.hostInTwoClusters(host, other: Self.shown(other))
                }
            }
        }
    }

    /// Turns errors into messages for the operator.
    func reporting<Result>(_ body: () throws -> Result) throws -> Result {
        try deptool.reporting(shown, body)
    }
}
