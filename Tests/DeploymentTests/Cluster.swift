import Foundation
import Git
import Model
import Planning
import TestSupport
import Testing
import Wire

@testable import Deployment

/// A temporary directory with a store and a cluster, gone after the test.
final class Cluster {
    let path: String
    let store: Store

    init() throws {
        path =
            FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path + "/deptool-deployment-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path + "/prod", withIntermediateDirectories: true)
        store = try Store.create(at: path + "/store")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Another store, as of another operator.
    func otherStore() throws -> Store { try Store.create(at: path + "/other-\(UInt64.random(in: 0 ... .max))") }

    func write(_ file: String, _ text: String) throws {
        let url = URL(fileURLWithPath: path + "/prod/" + file)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        // In place of the old file, so that its inode is another.
        try Data(text.utf8).write(to: url, options: .atomic)
    }

    func remove(_ file: String) throws { try FileManager.default.removeItem(atPath: path + "/prod/" + file) }

    func root() throws -> ObjectID { try store.importCluster(at: path + "/prod") }

    func plan(_ filter: HostFilter = .all) throws -> Plan {
        try ClusterReader(store, safety: Safety(guard: .never)).plan(root: root(), cluster: "prod", filter: filter)
    }

    /// A commit of the present tree, without a record of the hosts' state.
    func commit(cluster: String = "prod") throws -> ObjectID {
        try store.commit(
            tree: root(), parent: nil, author: Author(name: "Ada", email: "ada@example.com"),
            message: DeployMessage.make(.deploy, cluster: cluster, hosts: []), time: 1_700_000_000)
    }

    /// As if the tree had been deployed to these hosts.
    @discardableResult
    func deploy(to hosts: String..., cluster: String = "prod") throws -> ObjectID {
        let commit = try commit(cluster: cluster)
        for host in hosts { try store.setDeployed(hostname(host), commit, reason: "test") }
        return commit
    }

    /// As if this store had deployed a plan of `root`, or of the present tree.
    @discardableResult
    func carryOut(_ plan: Plan, _ time: Int64 = 1, _ kind: HistoryEntry.Kind = .deploy, root: ObjectID? = nil) throws -> ObjectID {
        let commit = try store.commit(
            tree: try ClusterReader(store).root(of: plan, in: root ?? self.root()), parent: nil, author: Author(name: "Ada", email: "a@b"),
            message: DeployMessage.make(kind, cluster: "prod", hosts: []), time: time)
        try store.note([
            .begun(
                HistoryEntry(
                    time: time, commit: commit, kind: kind, cluster: "prod", author: "Ada <a@b>", hosts: plan.hosts.map(HostNote.init)))
        ])
        for host in plan.hosts {
            try store.note([.ended(time: time, commit: commit, host.host, .done, "done")])
            try store.setDeployed(host.host, commit, reason: "test")
        }
        return commit
    }

    /// Whether Git finds nothing wrong with a store.
    static func isSound(_ store: Store) throws -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git", "-c", "safe.directory=*", "-C", store.path, "fsck", "--strict", "--connectivity-only"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
