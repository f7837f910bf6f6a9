import Model

/// All that a deploy would do, host by host.
package struct Plan: Hashable, Sendable {
    /// Hosts with something to do, ordered by name.
    package var hosts: [HostPlan]
    /// Hosts that are deployed but not in the config tree any more.
    package var orphans: [Hostname]

    package init(hosts: [HostPlan], orphans: [Hostname] = []) {
        self.hosts = hosts
        self.orphans = orphans
    }
}

/// What a deploy would do to one host.
package struct HostPlan: Hashable, Sendable {
    package var host: Hostname
    /// The commit that the plan starts from; nil when nothing is deployed.
    package var base: ObjectID?
    /// Ordered by name.
    package var changes: [AppChange]
    package var steps: [Step]
    /// What the host will have.
    package var wanted: HostTree
    /// The contents that the host has already, as far as is known.
    package var present: Set<ObjectID>

    /// What somebody changed on the host, and the steps restore.
    package var drift: [Drift]
    /// Whether the host is to be emptied and forgotten.
    package var isRemoval: Bool
    /// Whether the host's own `host.json` says something else than when it was deployed. The host does nothing about that,
    /// but what is known of it changes.
    package var hasNewOptions: Bool
    /// Why not all that is deployed is known. What is not known is deployed as a whole.
    package var gap: String?
    /// The units that are enabled or disabled along with one of a step, by `Also=` in files of the plan. Of a unit that is only
    /// enabled anew, those that come to it.
    package internal(set) var also: [UnitName: [UnitName]] = [:]
    /// What changes of that by which the host is reached, and neither a new login nor a test proves.
    package var unproven: [AbsolutePath]

    /// Nil when there is nothing to do. The wanted tree must be valid, and what drifted a part of the deployed one.
    package init?(
        base: ObjectID?, deployed: HostTree?, wanted: HostTree, safety: Safety = Safety(), isRemoval: Bool = false,
        drift: [Drift] = []
    ) {
        let old = deployed?.apps ?? []
        changes = AppChange.between(old, wanted.apps, drift)
        self.drift = drift
        self.isRemoval = isRemoval
        hasNewOptions = deployed.map { $0.options != wanted.options } ?? false
        guard !changes.isEmpty || hasNewOptions || isRemoval || !drift.isEmpty else { return nil }
        host = wanted.host
        self.base = base
        self.wanted = wanted
        present = Set(old.flatMap { $0.files.map(\.id) })
        gap = deployed?.gap
        let unknown = gap == nil ? [] : old.isEmpty ? wanted.apps.map(\.name) : old.filter { !$0.isManifestKnown }.map(\.name)
        steps = StepBuilder(old: old, new: wanted.apps, changes: changes, unknown: Set(unknown)).steps()
        unproven = safety.guardSteps(&steps, old: old, new: wanted.apps, changes: changes)
        if safety.isAtomic { steps.append(Step(nil, .confirm(within: Safety.otherHostsTimeout, because: .everyHost))) }
    }
}

/// What changes in one app.
package struct AppChange: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case add, update, remove
        /// The app is to be what it was.
        case repair
    }

    package var app: AppName
    package var kind: Kind
    /// Ordered by path.
    package var files: [FileChange]
    /// What somebody changed of it on the host.
    package var drift: [Drift] = []

    static func between(_ old: [AppTree], _ new: [AppTree], _ drift: [Drift] = []) -> [AppChange] {
        let before = Dictionary(old.map { ($0.name, $0) }) { first, _ in first }
        let after = Dictionary(new.map { ($0.name, $0) }) { first, _ in first }
        let drifted = Dictionary(grouping: drift.compactMap { drift in drift.subject.map { ($0, drift) } }) { $0.0 }
        return Set(before.keys).union(after.keys).union(drifted.keys).sorted().compactMap { name in
            let (was, will) = (before[name], after[name])
            let drift = (drifted[name] ?? []).map(\.1)
            let isSame = was != nil && was?.id == will?.id
            if isSame, drift.isEmpty { return nil }
            let kind: Kind = isSame ? .repair : will == nil ? .remove : was == nil ? .add : .update
            let files = FileChange.between(was?.files ?? [], will?.files ?? [])
            return AppChange(app: name, kind: kind, files: FileChange.merge(files, drift, was, will), drift: drift)
        }
    }
}

/// What changes in one file.
package struct FileChange: Hashable, Sendable {
    package var path: RelativePath
    /// Nil when the file is new.
    package var old: FileEntry?
    /// Nil when the file goes.
    package var new: FileEntry?

    /// Where somebody has edited or removed a file, the change begins with what is there.
    fileprivate static func merge(_ changes: [FileChange], _ drift: [Drift], _ was: AppTree?, _ will: AppTree?) -> [FileChange] {
        var changes = Dictionary(changes.map { ($0.path, $0) }) { first, _ in first }
        for case .file(let path, let found) in drift.map(\.finding) {
            let recorded = was?.files.first { $0.path == path }
            var change = FileChange(path: path, old: nil, new: will?.files.first { $0.path == path })
            if case .file(let id, _) = found {
                change.old = FileEntry(path: path, isExecutable: recorded?.isExecutable ?? false, id: id)
            }
            changes[path] = change.old == nil && change.new == nil ? nil : change
        }
        return changes.values.sorted { $0.path < $1.path }
    }

    /// Both ordered by path, and so is the result.
    static func between(_ old: [FileEntry], _ new: [FileEntry]) -> [FileChange] {
        var changes: [FileChange] = []
        var (i, j) = (0, 0)
        while i < old.count || j < new.count {
            if j == new.count || i < old.count && old[i].path < new[j].path {
                changes.append(FileChange(path: old[i].path, old: old[i], new: nil))
                i += 1
            } else if i == old.count || new[j].path < old[i].path {
                changes.append(FileChange(path: new[j].path, old: nil, new: new[j]))
                j += 1
            } else {
                if old[i] != new[j] { changes.append(FileChange(path: new[j].path, old: old[i], new: new[j])) }
                i += 1
                j += 1
            }
        }
        return changes
    }
}
