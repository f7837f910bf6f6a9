import Git
import Model
import Planning
import Wire

/// A plan that waits for approval: its base, its steps, and everything needed to carry them out with another store.
/// Untrusted until it has been compared with a plan made here.
package struct PlanFile {
    package struct Host: Hashable, Sendable {
        package var host: Hostname
        package var base: ObjectID?
        package var steps: [Step]
        /// The chosen apps; empty for a plan of the whole host.
        package var apps: [AppName] = []
    }

    package var cluster: String
    package var safety: Safety
    /// The root tree.
    package var root: ObjectID
    package var hosts: [Host]
    /// The root tree, the hosts' trees, and the contents that the hosts do not have yet.
    var objects: [RecordedObject]

    /// The first bytes of a plan file.
    package static let magic = Array("deptool plan 1\n".utf8)
    /// Maximum size in bytes.
    package static let limit = 1 << 30

    package enum ReadError: Error, Hashable, Sendable {
        case notAPlan
        case malformed(WireError)
        /// Objects that the plan refers to are missing.
        case incomplete
        case tooLarge
        case store(StoreError)
        case cluster(ClusterError)
        /// The host runs another commit than the plan's base, according to the store.
        case hostMoved(Hostname, base: ObjectID?, deployed: ObjectID?)
        /// The config tree here differs for this host.
        case treeMoved(Hostname)
        /// This tool makes another plan from the same trees.
        case otherPlan(Hostname)
    }

    /// Writes a plan to a file.
    package init(_ plan: Plan, root: ObjectID, cluster: String, safety: Safety, store: Store) throws(ReadError) {
        self.cluster = cluster
        self.safety = safety
        self.root = root
        hosts = plan.hosts.map { Host(host: $0.host, base: $0.base, steps: $0.steps, apps: $0.limit?.apps ?? []) }
        objects = []
        var seen: Set<ObjectID> = []
        var size = 0
        do throws(StoreError) {
            objects.append(try store.object(root))
            var pending = plan.hosts.map(\.wanted.id)
            while let id = pending.popLast() {
                guard seen.insert(id).inserted else { continue }
                objects.append(try store.object(id))
                pending += try store.tree(id).filter { $0.kind == .directory }.map(\.id)
            }
            for host in plan.hosts {
                for case let new? in host.changes.flatMap(\.files).map(\.new?.id) where !host.present.contains(new) {
                    guard seen.insert(new).inserted else { continue }
                    size += Int(clamping: try store.blobSize(new))
                    guard size <= Self.limit else { break }
                    objects.append(RecordedObject(kind: .blob, bytes: try store.blob(new, limit: Self.limit)))
                }
            }
        } catch {
            throw .store(error)
        }
        guard size <= Self.limit else { throw .tooLarge }
    }

    /// Makes the same plan here, with the objects of the file in the store, and returns it if both are identical.
    ///
    /// `tree` is the root tree of the cluster's directory here, if there is one.
    package func plan(store: Store, tree: ObjectID?) throws(ReadError) -> Plan {
        let reader = ClusterReader(store, safety: safety)
        for host in hosts {
            let deployed = try inCluster(reader.read(store.deployedCommit(host.host)))
            guard deployed == host.base else { throw .hostMoved(host.host, base: host.base, deployed: deployed) }
        }
        try takeObjects(store)
        let wanted = try trees(root, reader)
        let filter = HostFilter(places: hosts.flatMap(\.places))
        var leftOut: [Hostname: [String]] = [:]
        // An empty directory is no config tree: `init` makes one.
        if let tree, case let here = try trees(tree, reader), !here.isEmpty {
            for host in hosts {
                var same = here[host.host]
                if !host.apps.isEmpty {
                    let part = try inCluster(reader.partialHost(host, with: same, filter))
                    (same, leftOut[host.host]) = (part.tree, part.limit.leftOut)
                }
                guard same == wanted[host.host] else { throw .treeMoved(host.host) }
            }
        }
        if hosts.isEmpty { return Plan(hosts: []) }
        var plan = try inCluster(reader.plan(root: root, cluster: cluster, filter: filter))
        plan.orphans = []
        for (index, host) in plan.hosts.enumerated() { plan.hosts[index].limit?.leftOut = leftOut[host.host] ?? [] }
        for host in hosts {
            let here = plan.hosts.first { $0.host == host.host }
            // The recorded tree is that of the file's root, even if only some apps are planned.
            guard let here, here.steps == host.steps,
                here.wanted.id == wanted[host.host] || here.wanted.apps.isEmpty && wanted[host.host] == nil
            else {
                throw .otherPlan(host.host)
            }
        }
        return plan
    }

    private func inCluster<Result>(_ body: @autoclosure () throws(ClusterError) -> Result) throws(ReadError) -> Result {
        do { return try body() } catch { throw .cluster(error) }
    }

    private func trees(_ root: ObjectID, _ reader: ClusterReader) throws(ReadError) -> [Hostname: ObjectID] {
        Dictionary(try inCluster(reader.hosts(in: root)).map { ($0.host, $0.tree) }) { first, _ in first }
    }

    private func takeObjects(_ store: Store) throws(ReadError) {
        let offered = Dictionary(objects.map { ($0.id, $0) }) { first, _ in first }
        do throws(AdoptionError) {
            for id in try store.take(root, of: Set(hosts.map(\.host)), from: offered) {
                guard let content = offered[id], content.kind == .blob else { throw .inconsistent }
                do { _ = try store.write(content) } catch { throw .store(error) }
            }
        } catch {
            switch error {
            case .store(let error): throw .store(error)
            case .inconsistent: throw .incomplete
            }
        }
    }
}

extension PlanFile.Host {
    /// For the filter that selects what the plan changes.
    fileprivate var places: [String] { apps.isEmpty ? [host.text] : apps.map { "\(host.text)/\($0.text)" } }
}

extension ClusterReader {
    fileprivate func partialHost(
        _ host: PlanFile.Host, with whole: ObjectID?, _ filter: HostFilter
    ) throws(ClusterError) -> PartialHost {
        let old = try host.base.map { commit throws(ClusterError) in try hostTreeID(of: host.host, in: commit) } ?? nil
        return try partialHost(host.host, of: old, with: whole, filter)
    }
}

// MARK: Bytes

extension PlanFile {
    /// Throws `notAPlan` if the bytes are not a plan at all, such as after a mistyped directory name.
    package init(reading bytes: [UInt8]) throws(ReadError) {
        guard bytes.starts(with: Self.magic) else { throw .notAPlan }
        do {
            self = try PlanFile(decoding: Array(bytes.dropFirst(Self.magic.count)))
        } catch {
            throw .malformed(error)
        }
    }

    package var bytes: [UInt8] { Self.magic + encoded }
}

extension PlanFile: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        writer.text(cluster)
        writer.text(safety.guard.rawValue)
        // Older versions of Deptool, without plans of single apps, can read a plan of whole hosts.
        let isPartial = hosts.contains { !$0.apps.isEmpty }
        writer.byte((safety.isAtomic ? 1 : 0) | (safety.runsChecks ? 0 : 2) | (isPartial ? 4 : 0))
        writer.id(root)
        writer.list(hosts)
        writer.list(objects)
        if isPartial { writer.list(hosts.map { Choice($0.apps) }) }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        cluster = try reader.text()
        // A directory's name, and part of a commit message.
        guard !cluster.isEmpty, cluster.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") }) else { throw .badValue }
        guard let when = Safety.Guard(rawValue: try reader.text()) else { throw .unknownCase }
        let flags = try reader.byte()
        guard flags <= 7 else { throw .unknownCase }
        safety = Safety(guard: when, isAtomic: flags & 1 != 0, runsChecks: flags & 2 == 0)
        root = try reader.id()
        hosts = try reader.list(of: Host.self)
        objects = try reader.list(of: RecordedObject.self)
        guard flags & 4 != 0 else { return }
        let choices = try reader.list(of: Choice.self)
        guard choices.count == hosts.count else { throw .badValue }
        for (index, choice) in choices.enumerated() { hosts[index].apps = choice.apps }
    }
}

/// The apps that were chosen on a host.
private struct Choice: WireCodable {
    var apps: [AppName]

    init(_ apps: [AppName]) { self.apps = apps }

    func encode(to writer: inout ByteWriter) {
        writer.number(UInt64(apps.count))
        for app in apps { writer.text(app.text) }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        apps = []
        for _ in 0..<(try reader.count(limit: 1 << 16)) {
            guard let app = AppName(try reader.text()) else { throw .badValue }
            apps.append(app)
        }
    }
}

extension PlanFile.Host: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        writer.text(host.text)
        writer.optional(base)
        writer.list(steps)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        guard let host = Hostname(try reader.text()) else { throw .badValue }
        self.host = host
        base = try reader.optional(ObjectID.self)
        steps = try reader.list(of: Step.self)
    }
}
