import ArgumentParser
import Deployment
import Git
import Model
import Platform

/// Shell completions. Errors result in no completions.
enum Complete {
    static let hosts = CompletionKind.custom { _, _, prefix in hosts(after: prefix) }
    /// Lists of hosts and apps.
    static let placeLists = CompletionKind.custom { _, _, prefix in
        let list = prefix.lastIndex(of: ",").map { prefix[...$0] } ?? ""
        return places(String(prefix.dropFirst(list.count))).map { list + $0 }
    }
    /// Units and apps that run on hosts of the default cluster.
    static let units = CompletionKind.custom { _, _, prefix in unitNames().filter { $0.hasPrefix(prefix) } }
    static let commits = CompletionKind.custom { _, _, prefix in commitNames().filter { $0.hasPrefix(prefix) } }

    /// The arguments of `deptool diff`: clusters or two commits, then hosts or apps.
    static let differences = CompletionKind.custom { words, _, prefix in
        if words.dropLast().contains(where: { CommitRange($0) != nil }) { return places(prefix) }
        guard let dots = prefix.firstRange(of: "..") else { return (clusters() + commitNames()).filter { $0.hasPrefix(prefix) } }
        let old = prefix[..<dots.upperBound]
        return commitNames().map { old + $0 }.filter { $0.hasPrefix(prefix) }
    }

    /// `HOST/APP/NAME`, of the default cluster.
    static let secrets = CompletionKind.custom { _, _, prefix in
        let parts = prefix.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, let directory else { return places(prefix).map { $0 + "/" } }
        let above = "\(parts[0])/\(parts[1])"
        return secretNames("\(directory)/\(above)/secrets").map { "\(above)/\($0)" }.filter { $0.hasPrefix(prefix) }
    }

    private static var store: Store? { try? Workspace.storeOnly() }

    /// Hosts of the default cluster, and deployed hosts of the store. In a comma-separated list, completes the last
    /// name.
    private static func hosts(after prefix: String) -> [String] {
        let list = prefix.lastIndex(of: ",").map { prefix[...$0] } ?? ""
        return hostNames().map { list + $0 }.filter { $0.hasPrefix(prefix) }
    }

    private static func hostNames() -> [String] {
        guard let store else { return [] }
        let deployed = ((try? store.deployedCommits()) ?? []).map(\.host.text)
        return Set(deployed + (directory.map(directories) ?? [])).sorted()
    }

    /// Hosts, or after a host's name and a slash, its apps.
    private static func places(_ prefix: String) -> [String] {
        guard let slash = prefix.firstIndex(of: "/"), let directory else { return hosts(after: prefix) }
        let host = prefix[..<slash]
        return directories("\(directory)/\(host)").map { "\(host)/\($0)" }.filter { $0.hasPrefix(prefix) }
    }

    private static func unitNames() -> [String] {
        guard let store, let workspace = try? Workspace(directory: nil) else { return [] }
        return (try? ClusterReader(store).restartable(cluster: workspace.cluster).sorted()) ?? []
    }

    private static func commitNames() -> [String] {
        guard let store, let events = try? store.pastEvents(100) else { return [] }
        var seen: Set<ObjectID> = []
        return events.compactMap { event in
            switch event {
            case .deploy(let deploy): deploy.note.commit
            case .found(_, _, let commit, _): commit
            case .forgotten: nil
            }
        }.filter { seen.insert($0).inserted }.map(\.short)
    }

    private static func clusters() -> [String] {
        guard let store, let clusters = try? Workspace.clusters(of: store) else { return [] }
        let here = workingDirectory() + "/"
        return clusters.map { $0.directory.hasPrefix(here) ? String($0.directory.dropFirst(here.count)) : $0.directory }
    }

    /// The directory of the default cluster.
    private static var directory: String? { (try? Workspace(directory: nil))?.directory }

    private static func secretNames(_ path: String) -> [String] {
        namesOfEntries(in: path, .regular).filter { $0.hasSuffix(".age") }.map { String($0.dropLast(4)) }
    }

    private static func directories(_ path: String) -> [String] { namesOfEntries(in: path, .directory) }
}
