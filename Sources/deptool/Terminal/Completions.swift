import ArgumentParser
import CSystem
import Deployment
import Git
import Model

/// What a shell offers when Tab is pressed. Whatever goes wrong, it offers nothing.
enum Complete {
    static let hosts = CompletionKind.custom { _, _, prefix in hosts(after: prefix) }
    static let commits = CompletionKind.custom { _, _, prefix in commitNames().filter { $0.hasPrefix(prefix) } }

    /// The words of `deptool diff`: clusters or two commits, and behind those hosts or apps.
    static let differences = CompletionKind.custom { words, _, prefix in
        if words.dropLast().contains(where: { CommitRange($0) != nil }) { return places(prefix) }
        guard let dots = prefix.firstRange(of: "..") else { return (clusters() + commitNames()).filter { $0.hasPrefix(prefix) } }
        let old = prefix[..<dots.upperBound]
        return commitNames().map { old + $0 }.filter { $0.hasPrefix(prefix) }
    }

    private static var store: Store? { try? Workspace.storeOnly() }

    /// Of the default cluster and of what the store knows to be deployed; in a list with commas, the last name is completed.
    private static func hosts(after prefix: String) -> [String] {
        let list = prefix.lastIndex(of: ",").map { prefix[...$0] } ?? ""
        return hostNames().map { list + $0 }.filter { $0.hasPrefix(prefix) }
    }

    private static func hostNames() -> [String] {
        guard let store else { return [] }
        let deployed = ((try? store.deployedCommits()) ?? []).map(\.host.text)
        return Set(deployed + (directory.map(directories) ?? [])).sorted()
    }

    /// Hosts, and with a host's name and a slash, its apps.
    private static func places(_ prefix: String) -> [String] {
        guard let slash = prefix.firstIndex(of: "/"), let directory else { return hosts(after: prefix) }
        let host = prefix[..<slash]
        return directories("\(directory)/\(host)").map { "\(host)/\($0)" }.filter { $0.hasPrefix(prefix) }
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

    /// The default cluster's.
    private static var directory: String? { (try? Workspace(directory: nil))?.directory }

    private static func directories(_ path: String) -> [String] {
        var (opened, names): (OpaquePointer?, [String]) = (nil, [])
        guard csys_opendir(path, &opened) == 0, let opened else { return [] }
        defer { csys_closedir(opened) }
        var name: UnsafePointer<CChar>?
        var kind = csys_kind_other
        while csys_readdir(opened, &name, &kind) == 1 {
            if kind == csys_kind_directory, let name { names.append(String(cString: name)) }
        }
        return names.filter { !$0.hasPrefix(".") }.sorted()
    }
}
