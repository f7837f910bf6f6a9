import Model

/// The effects of a deploy, host by host.
package struct Plan: Hashable, Sendable {
    /// Hosts with changes, ordered by name.
    package var hosts: [HostPlan]
    /// Deployed hosts that are no longer in the config tree.
    package var orphans: [Hostname]
    /// Hosts with changes that are left out, since they are held.
    package var held: [Hold] = []

    package init(hosts: [HostPlan], orphans: [Hostname] = []) {
        self.hosts = hosts
        self.orphans = orphans
    }

    /// The plan with a program of the operator that has to confirm it, once all hosts are ready.
    package func confirmedByProgram() -> Plan {
        var plan = self
        for index in plan.hosts.indices {
            plan.hosts[index].steps.removeAll { if case .confirm(_, .everyHost) = $0.action { true } else { false } }
            let limit = Safety.otherHostsTimeout + Safety.programTimeout + .seconds(60)
            plan.hosts[index].steps.append(Step(nil, .confirm(within: limit, because: .program)))
        }
        return plan
    }
}

/// The effects of a deploy on one host.
package struct HostPlan: Hashable, Sendable {
    package var host: Hostname
    /// The commit that the plan starts from; nil if nothing is deployed.
    package var base: ObjectID?
    /// Ordered by name.
    package var changes: [AppChange]
    package var steps: [Step]
    /// The host's state after the deploy.
    package var wanted: HostTree
    /// The contents that the host already has, as far as known.
    package var present: Set<ObjectID>
    /// Set if only some apps were chosen; the host keeps the others as they are.
    package var limit: Limit?

    /// Changes made on the host outside Deptool, which the steps revert.
    package var drift: [Drift]
    /// Whether to empty and forget the host.
    package var isRemoval: Bool
    /// Whether the host's own `host.json` differs from the deployed one. This changes nothing on the host but its
    /// record.
    package var hasNewOptions: Bool
    /// The key with which the host opens secrets, if `host.json` has another one than the deployed one, or none any more.
    package var newIdentity: Identity?
    /// Why part of the deployed state is unknown. Unknown parts are deployed as a whole.
    package var gap: String?
    /// The units that are enabled or disabled along with the unit of a step, by `Also=` in files of the plan. If a
    /// unit is only enabled again, just the additional ones.
    package internal(set) var also: [UnitName: [UnitName]] = [:]
    /// Units that the plan starts without a readiness check, ordered by name.
    package internal(set) var unjudged: [UnitName] = []
    /// Enabled units without an `[Install]` section, which systemd does not start at boot.
    package internal(set) var withoutInstall: [UnitName] = []
    /// The probes of the deployed apps of which units act, which a host that rolled back can be asked.
    package internal(set) var formerProbes: [AppProbe] = []
    /// Changed paths that the login depends on, and that neither a new login nor a test verifies.
    package var unproven: [AbsolutePath]
    /// The changed apps whose files not everybody may read, before or after the deploy.
    package let privateApps: Set<AppName>

    package enum Identity: Hashable, Sendable {
        /// Its SSH host key.
        case hostKey
        case own(String)

        package var phrase: String {
            switch self {
            case .hostKey: "opens secrets with its SSH host key"
            case .own(let key): "opens secrets with \(key)"
            }
        }
    }

    /// Nil if there is nothing to do. The wanted tree must be valid, and the drift must belong to the deployed tree.
    /// `contents` reads a file; where it returns nil, any change of a unit file counts. `restarts` go with a wanted tree that is
    /// the deployed one.
    package init?<Failure: Error>(
        base: ObjectID?, deployed: HostTree?, wanted: HostTree, safety: Safety = Safety(), isRemoval: Bool = false,
        drift: [Drift] = [], restarts: [AppName: [UnitName]] = [:], contents: (FileEntry) throws(Failure) -> [UInt8]?
    ) throws(Failure) {
        let old = deployed?.apps ?? []
        changes = AppChange.between(old, and: wanted.apps, drift: drift)
        for (app, units) in restarts.sorted(by: { $0.key < $1.key }) {
            changes.append(AppChange(app: app, kind: .restart, files: [], restarts: units))
        }
        privateApps = Set((old + wanted.apps).filter { $0.manifest.readers != .everybody || !$0.isManifestKnown }.map(\.name))
        self.drift = drift
        self.isRemoval = isRemoval
        hasNewOptions = deployed.map { $0.options != wanted.options } ?? false
        if deployed?.options.identity != wanted.options.identity {
            newIdentity = wanted.options.identity.map { .own($0) } ?? .hostKey
        }
        guard !changes.isEmpty || hasNewOptions || isRemoval || !drift.isEmpty else { return nil }
        host = wanted.host
        self.base = base
        self.wanted = wanted
        present = Set(old.flatMap { $0.files.map(\.id) })
        gap = deployed?.gap
        let unknown = gap == nil ? [] : old.isEmpty ? wanted.apps.map(\.name) : old.filter { !$0.isManifestKnown }.map(\.name)
        let generated = try deployed?.generatedUnits(contents) ?? GeneratedUnits()
        steps = StepBuilder(
            old: old, new: wanted.apps, changes: changes, unknown: Set(unknown),
            unitFiles: try UnitFileChanges(changes, contents), generatedBefore: generated, generated: try wanted.generatedUnits(contents)
        ).steps()
        unproven = safety.guardSteps(&steps, old: old, new: wanted.apps, changes: changes)
        if !safety.runsChecks { steps.removeAll { if case .validate = $0.action { true } else { false } } }
        if safety.isAtomic { steps.append(Step(nil, .confirm(within: Safety.otherHostsTimeout, because: .everyHost))) }
        try noteAlso(deployed: deployed, contents)
        try noteUnjudged(contents)
        try noteWithoutInstall(contents)
        noteFormerProbes(deployed: old)
    }

    /// The same without the contents of files.
    package init?(
        base: ObjectID?, deployed: HostTree?, wanted: HostTree, safety: Safety = Safety(), isRemoval: Bool = false,
        drift: [Drift] = []
    ) {
        self.init(base: base, deployed: deployed, wanted: wanted, safety: safety, isRemoval: isRemoval, drift: drift) { _ in nil }
    }
}

extension HostPlan {
    /// The apps of a host that the operator chose.
    package struct Limit: Hashable, Sendable {
        /// Ordered. Not all of them need to change.
        package var apps: [AppName]
        /// The names of other apps that differ from the deployed ones, and of `host.json` if that differs. Ordered,
        /// for people: a directory may have a name that no app can have.
        package var leftOut: [String]

        package init(apps: [AppName], leftOut: [String]) { (self.apps, self.leftOut) = (apps, leftOut) }
    }
}

/// The changes to one app.
package struct AppChange: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case add, update, remove
        /// Restores the app's deployed state.
        case repair
        /// Only restarts units, since the operator asked for it.
        case restart
    }

    package var app: AppName
    package var kind: Kind
    /// Ordered by path.
    package var files: [FileChange]
    /// Changes made to the app on the host outside Deptool.
    package var drift: [Drift] = []
    /// The commit of an undo that took this very change back.
    package var undoneIn: ObjectID?
    /// The units to restart without a change.
    package var restarts: [UnitName] = []

    static func between(_ old: [AppTree], and new: [AppTree], drift: [Drift] = []) -> [AppChange] {
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
            return AppChange(app: name, kind: kind, files: FileChange.merge(files, drift, was: was, will: will), drift: drift)
        }
    }
}

/// The change to one file.
package struct FileChange: Hashable, Sendable {
    package var path: RelativePath
    /// Nil if the file is new.
    package var old: FileEntry?
    /// Nil if the file is removed.
    package var new: FileEntry?

    /// For a file that was edited or removed on the host, the change starts from its present state.
    fileprivate static func merge(_ changes: [FileChange], _ drift: [Drift], was: AppTree?, will: AppTree?) -> [FileChange] {
        if drift.isEmpty { return changes }
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

    /// Both arguments are ordered by path, and so is the result.
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
