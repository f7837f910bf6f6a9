import Model

/// All that a deploy would do, host by host.
public struct Plan: Hashable, Sendable {
    /// Hosts with something to do, ordered by name.
    public var hosts: [HostPlan]
    /// Hosts that are deployed but not in the config tree any more.
    public var orphans: [Hostname]

    public init(hosts: [HostPlan], orphans: [Hostname] = []) {
        self.hosts = hosts
        self.orphans = orphans
    }
}

/// What a deploy would do to one host.
public struct HostPlan: Hashable, Sendable {
    public var host: Hostname
    /// The commit that the plan starts from; nil when nothing is deployed.
    public var base: ObjectID?
    /// Ordered by name.
    public var changes: [AppChange]
    public var steps: [Step]
    /// What the host will have.
    public var wanted: HostTree
    /// The contents that the host has already, as far as is known.
    public var present: Set<ObjectID>

    /// Whether the host is to be emptied and forgotten.
    public var isRemoval: Bool
    /// Whether the host's own `host.json` says something else than when it was deployed. The host does nothing about that,
    /// but what is known of it changes.
    public var hasNewOptions: Bool

    /// Nil when there is nothing to do. The wanted tree must be valid.
    public init?(
        base: ObjectID?, deployed: HostTree?, wanted: HostTree, safety: Safety = Safety(), isRemoval: Bool = false
    ) {
        let old = deployed?.apps ?? []
        changes = AppChange.between(old, wanted.apps)
        self.isRemoval = isRemoval
        hasNewOptions = deployed.map { $0.options != wanted.options } ?? false
        guard !changes.isEmpty || hasNewOptions || isRemoval else { return nil }
        host = wanted.host
        self.base = base
        self.wanted = wanted
        present = Set(old.flatMap { $0.files.map(\.id) })
        steps = StepBuilder(old: old, new: wanted.apps, changes: changes).steps()
        if let login = safety.login(old: old, new: wanted.apps, changes: changes) {
            steps.append(Step(nil, .confirm(within: Safety.patience, because: login)))
        }
        if safety.isAtomic { steps.append(Step(nil, .confirm(within: Safety.patienceForOthers, because: .everyHost))) }
    }
}

/// What changes in one app.
public struct AppChange: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case add, update, remove
    }

    public var app: AppName
    public var kind: Kind
    /// Ordered by path.
    public var files: [FileChange]

    static func between(_ old: [AppTree], _ new: [AppTree]) -> [AppChange] {
        let before = Dictionary(old.map { ($0.name, $0) }) { first, _ in first }
        let after = Dictionary(new.map { ($0.name, $0) }) { first, _ in first }
        return Set(before.keys).union(after.keys).sorted().compactMap { name in
            let (was, will) = (before[name], after[name])
            if let was, let will, was.id == will.id { return nil }
            let kind: Kind = was == nil ? .add : will == nil ? .remove : .update
            return AppChange(app: name, kind: kind, files: FileChange.between(was?.files ?? [], will?.files ?? []))
        }
    }
}

/// What changes in one file.
public struct FileChange: Hashable, Sendable {
    public var path: RelativePath
    /// Nil when the file is new.
    public var old: FileEntry?
    /// Nil when the file goes.
    public var new: FileEntry?

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
