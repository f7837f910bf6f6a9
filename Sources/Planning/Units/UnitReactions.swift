import Model

/// The effects of a host's changed unit files, drop-ins and quadlets on their units.
struct UnitFileChanges: Hashable, Sendable {
    private var reactions: [AppName: [RelativePath: Reaction]] = [:]

    init() {}

    /// `contents` reads a file.
    init<Failure: Error>(_ changes: [AppChange], _ contents: (FileEntry) throws(Failure) -> [UInt8]?) throws(Failure) {
        for change in changes where change.kind == .update {
            // The settings of the running unit are unknown if the file was changed on the host. A new or removed file may also
            // hide another of its name, or uncover it.
            let drifted = Set(change.drift.compactMap(\.source))
            for file in change.files where !drifted.contains(file.path) {
                guard let type = file.path.unitType, let before = file.old, let after = file.new else { continue }
                guard let old = try contents(before), let new = try contents(after) else { continue }
                reactions[change.app, default: [:]][file.path] = UnitFile.reaction(from: old, to: new, type: type)
            }
        }
    }

    /// The reaction to a changed file of an app; a restart if the file is not a unit's, or its contents are unknown.
    func reaction(to file: RelativePath, of app: AppName) -> Reaction { reactions[app]?[file] ?? .restart }
}

extension Drift {
    /// The file of the app that somebody changed, or whose copy or link.
    fileprivate var source: RelativePath? {
        switch finding {
        case .file(let path, _), .link(_, let path, _), .placed(_, let path, _): path
        default: nil
        }
    }
}

extension RelativePath {
    /// The type of the units that a file of an app defines or changes, such as `service`; nil if it is no such file.
    fileprivate var unitType: String? {
        if let name = below("quadlets") {
            let first = name.components[0]
            let isQuadlet = Quadlet.unit(of: name.components.count == 1 ? first : String(first.dropLast(2))) != nil
            return isQuadlet || name.components.count > 1 ? "service" : nil
        }
        guard let first = below("systemd")?.components.first else { return nil }
        let unit = first.hasSuffix(".d") ? String(first.dropLast(2)) : first
        return unit.split(separator: ".").last.map(String.init)
    }
}

extension StepBuilder {
    /// The reaction of a unit to the changes, with the reason.
    struct Cause {
        var reaction: Reaction
        /// The app whose change causes it; the unit's own if it changes.
        var app: AppName
        /// All apps with a change of that reaction, each once.
        var apps: [AppName]
        /// And those with any that concerns the unit.
        var everyone: Set<AppName>
        var reason: Step.Reason
    }

    private struct Trigger {
        var app: AppName
        var file: RelativePath
        var reaction: Reaction
    }

    /// Nil if no change concerns the unit. `owner` is the app that lists the unit; nil if none does.
    func cause(of unit: UnitName, owner: AppTree?) -> Cause? {
        let triggers = changes.flatMap { change in
            change.touched.compactMap { file in
                reaction(of: unit, owner: owner, to: file, in: change).map { Trigger(app: change.app, file: file, reaction: $0) }
            }
        }
        guard let strongest = triggers.map(\.reaction).max() else { return nil }
        // The unit's own app comes first.
        let causes = triggers.filter { $0.reaction == strongest }
        guard let first = causes.first(where: { $0.app == owner?.name }) ?? causes.first else { return nil }
        let isOwn = owner == nil || first.app == owner?.name
        let path = isOwn ? first.file : (try? RelativePath("\(first.app.text)/\(first.file.text)")) ?? first.file
        let apps = Set(causes.map(\.app)).sorted()
        return Cause(
            reaction: strongest, app: first.app, apps: apps, everyone: Set(triggers.map(\.app)),
            reason: Step.Reason(path: path, others: causes.count - 1))
    }

    /// The strongest reaction to a changed file that anything asks of a unit; nil if nothing does.
    private func reaction(of unit: UnitName, owner: AppTree?, to file: RelativePath, in change: AppChange) -> Reaction? {
        if isPart(file, of: unit, in: change.app) {
            return hasMoved(file, from: change, to: owner) ? nil : unitFiles.reaction(to: file, of: change.app)
        }
        var rulings: [AppName: Reaction] = [:]
        var isRuled = false
        // A manifest's own rule comes before that of a directory with a meaning.
        for (app, rule, isPresent) in rules[unit] ?? [] where rulings[app.name] == nil {
            guard let reaction = rule.reaction(to: file, of: change.app, owner: app.name) else { continue }
            rulings[app.name] = reaction
            if isPresent, app.name == owner?.name { isRuled = true }
        }
        var found = Array(rulings.values)
        if let owner, owner.name == change.app, !isRuled,
            concerns(file, unit, of: owner),
            file.text != Manifest.fileName || hasOtherFiles(change.app)
        {
            found.append(unitFiles.reaction(to: file, of: change.app))
        }
        return found.max()
    }

    /// Whether a file of an app is the unit's own file, a drop-in of it, or the quadlet that it is generated from.
    private func isPart(_ file: RelativePath, of unit: UnitName, in app: AppName) -> Bool {
        if unit.consistsOfFile(file) { return true }
        guard let name = file.below("quadlets") else { return false }
        for source in [generated[unit], generatedBefore[unit]].compactMap({ $0 }) where source.app == app {
            if source.file.path == file { return true }
            // Quadlets have drop-ins of their own.
            if let quadlet = source.file.path.below("quadlets"), name.components.count == 2, name.components[0] == "\(quadlet.text).d" {
                return true
            }
        }
        // Those of a type concern the units of all apps.
        guard name.components.count == 2, let source = generated[unit] ?? generatedBefore[unit] else { return false }
        return name.components[0] == "\(source.file.path.name.split(separator: ".").last ?? "").d"
    }

    /// Whether a file of another app is now the same file of the unit's app.
    private func hasMoved(_ file: RelativePath, from change: AppChange, to owner: AppTree?) -> Bool {
        guard let owner, owner.name != change.app, change.removes(file) else { return false }
        return changes.first { $0.app == owner.name }?.touched.contains(file) ?? false
    }

    /// Whether a changed manifest gives the app other files on the host, or other readers. Its other keys do not concern
    /// units.
    private func hasOtherFiles(_ app: AppName) -> Bool {
        guard let was = old.first(where: { $0.name == app }), let will = new.first(where: { $0.name == app }), was.isManifestKnown else {
            return true
        }
        return was.manifest.symlinks != will.manifest.symlinks || was.manifest.copies != will.manifest.copies
            || was.manifest.readers != will.manifest.readers
    }
}
