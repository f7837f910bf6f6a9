import Model

/// Orders the steps of one host. The order is that of the phases of a deploy in the manual:
///
/// 1. check out all apps;
/// 2. stop and disable units to remove, while their files are still there;
/// 3. activate the new versions;
/// 4. links, sysusers, readers of private apps, tmpfiles;
/// 5. links of units, daemon-reload;
/// 6. remove apps;
/// 7. enable and start, or restart;
/// 8. check.
struct StepBuilder {
    let old: [AppTree]
    let new: [AppTree]
    let changes: [AppChange]
    /// Apps whose deployed manifest is unknown: their units may be running.
    var unknown: Set<AppName> = []

    private var checkedOut: [AppName] { changes.filter(\.hasNewVersion).map(\.app) }

    func steps() -> [Step] {
        let (links, files) = (linkSteps(), placeSteps())
        let changes = links.go + files.go + links.come + files.come
        var steps = checkedOut.map { Step($0, .checkout(for: readers(of: $0) == .everybody ? .everybody : .root)) }
        steps += disableSteps()
        steps += checkedOut.map { Step($0, .activate) }
        steps += changes.filter { !concernsUnits($0) }
        if touches(.sysusers) { steps.append(Step(nil, .sysusers)) }
        // systemd-sysusers may just have made the group.
        for app in checkedOut {
            if case .group(let group) = readers(of: app) { steps.append(Step(app, .grant(group))) }
        }
        if touches(.tmpfiles) { steps.append(Step(nil, .tmpfiles)) }
        steps += changes.filter(concernsUnits)
        if touches(.daemonReload) { steps.append(Step(nil, .daemonReload)) }
        steps += self.changes.filter { $0.kind == .remove }.map { Step($0.app, .remove) }
        steps += unitSteps()
        return steps
    }

    private func readers(of app: AppName) -> Manifest.Readers {
        new.first { $0.name == app }?.manifest.readers ?? .everybody
    }

    // MARK: Links and placed files

    private func concernsUnits(_ step: Step) -> Bool {
        guard let path = step.action.path else { return false }
        return LinkDirectory.all.contains { $0.reaction == .daemonReload && path.isInside($0.target) }
    }

    /// Links to remove, and links to make or change, each ordered by path.
    private func linkSteps() -> (go: [Step], come: [Step]) {
        let before = Dictionary(old.flatMap(\.links).map { ($0.path, $0) }) { first, _ in first }
        let after = Dictionary(new.flatMap(\.links).map { ($0.path, $0) }) { first, _ in first }
        // A file placed there replaces the link by itself.
        let placed = Set(new.flatMap(\.placed).map(\.path))
        let gone = before.values.filter { after[$0.path] == nil && !placed.contains($0.path) }.sorted { $0.path < $1.path }
        var drifted: [AbsolutePath: Drift.Found] = [:]
        for case .link(let path, _, let found) in changes.flatMap(\.drift).map(\.finding) { drifted[path] = found }
        let come = after.values.filter { before[$0.path] != $0 || drifted[$0.path] != nil }.sorted { $0.path < $1.path }
        return (
            gone.map { Step($0.app, .unlink(path: $0.path)) },
            come.flatMap { link in
                let displaced = drifted[link.path].flatMap { $0.isForeign ? Step(link.app, .displace(path: link.path, $0)) : nil }
                return [displaced, Step(link.app, .link(path: link.path, source: link.source))].compactMap { $0 }
            }
        )
    }

    /// Placed files to remove, and those to add or change, each ordered by path.
    private func placeSteps() -> (go: [Step], come: [Step]) {
        let before = placedFiles(old)
        let after = placedFiles(new)
        let links = Set(new.flatMap(\.links).map(\.path))
        var drifted: [AbsolutePath: Drift.Found?] = [:]
        for finding in changes.flatMap(\.drift).map(\.finding) {
            switch finding {
            case .placed(let path, _, let found): drifted[path] = found
            case .attributes(let path, _, _): if let path = try? AbsolutePath(path) { drifted.updateValue(nil, forKey: path) }
            default: break
            }
        }
        let go = before.values.map(\.file).filter { after[$0.path] == nil && !links.contains($0.path) }.sorted { $0.path < $1.path }
        var come: [Step] = []
        for (path, will) in after.sorted(by: { $0.key < $1.key }) {
            let was = before[path]
            guard was == nil || was?.file != will.file || was?.content != will.content || drifted[path] != nil else { continue }
            if let found = drifted[path] ?? nil, found.isForeign { come.append(Step(will.file.app, .displace(path: path, found))) }
            come.append(
                Step(will.file.app, .place(path: path, source: will.file.source, will.file.access, was == nil ? .new : .updated)))
        }
        return (go.map { Step($0.app, .unplace(path: $0.path)) }, come)
    }

    private func placedFiles(_ apps: [AppTree]) -> [AbsolutePath: (file: PlacedFile, content: ObjectID?)] {
        var files: [AbsolutePath: (PlacedFile, ObjectID?)] = [:]
        for app in apps {
            for file in app.placed { files[file.path] = (file, app.file(file.source)?.id) }
        }
        return files
    }

    /// Whether the changes add, change or remove a file in such a directory.
    private func touches(_ reaction: LinkDirectory.Reaction) -> Bool {
        let directories = LinkDirectory.all.filter { $0.reaction == reaction }
        return changes.contains { change in
            // sysusers and tmpfiles have nothing to do for a removed file.
            change.touched.contains { path in
                directories.contains { path.below($0.name) != nil } && (reaction == .daemonReload || !change.removes(path))
            }
        }
    }

    // MARK: Units

    private func disableSteps() -> [Step] {
        let kept = Set(new.flatMap(\.manifest.units))
        return old.flatMap { app in
            app.manifest.units.filter { !kept.contains($0) }
                .map { Step(app.name, .disable($0, within: app.manifest.timeout)) }
        }
    }

    private func unitSteps() -> [Step] {
        let before = Set(old.flatMap(\.manifest.units))
        var (enable, start, check): ([Step], [Step], [Step]) = ([], [], [])
        for app in new {
            let (settle, limit) = (app.manifest.settle, app.manifest.timeout)
            let own = changes.first { $0.app == app.name }
            for unit in app.manifest.units {
                let others = own == nil && !before.contains(unit) ? [] : changesElsewhere(of: unit, in: app.name)
                // The step belongs to the app whose change causes it.
                guard let shown = own?.app ?? others.first?.app else { continue }
                if !before.contains(unit) {
                    enable.append(Step(shown, .enable(unit, .new)))
                    if unknown.contains(app.name), let first = own?.touched.first {
                        let reason = Step.Reason(path: first, others: (own?.touched.count ?? 1) - 1)
                        start.append(Step(shown, .restart(unit, because: reason, within: limit)))
                    } else {
                        let hasOtherFiles = own?.touched.contains { $0.text != Manifest.fileName } == true || !others.isEmpty
                        start.append(Step(shown, .start(unit, ifUp: hasOtherFiles ? .restart : .leave, within: limit)))
                    }
                } else {
                    let isDisabled = own?.drift.contains { $0.finding == .disabled(unit) } ?? false
                    if isDisabled {
                        enable.append(Step(shown, .enable(unit, .new)))
                    } else if own?.touched.contains(where: { $0.below("systemd") != nil }) == true || !others.isEmpty
                        || own?.drift.contains(where: { $0.isEnabledElsewhere(unit) }) == true
                    {
                        enable.append(Step(shown, .enable(unit, .refreshed)))
                    }
                    let files = (own?.touched ?? []).filter { concerns($0, unit, of: app) } + others.map(\.path)
                    if let first = files.first {
                        let reason = Step.Reason(path: first, others: files.count - 1)
                        start.append(Step(shown, .restart(unit, because: reason, within: limit)))
                    } else if own?.drift.contains(where: { $0.isDown(unit) }) == true {
                        start.append(Step(shown, .start(unit, ifUp: .leave, within: limit)))
                    } else if !isDisabled {
                        continue
                    }
                }
                check.append(Step(shown, .check(unit, settle: settle, within: limit)))
            }
        }
        return enable + start + check
    }

    /// Whether the unit restarts when a file of its own app changes. A service, and a unit that starts one, depends
    /// on all of them. Other units depend only on their own files, except that a target restarts the units that
    /// Podman generates.
    private func concerns(_ file: RelativePath, _ unit: UnitName, of app: AppTree) -> Bool {
        switch unit.type {
        case "service", "socket", "timer": true
        case "target" where app.files.contains(where: { $0.path.below("quadlets") != nil }): true
        default: unit.consistsOfFile(file)
        }
    }

    /// Changed files of other apps that belong to the unit: its unit file and drop-ins. The paths start with the
    /// app's name. Files that merely move to `app` count as its own changes.
    private func changesElsewhere(of unit: UnitName, in app: AppName) -> [(app: AppName, path: RelativePath)] {
        let own = changes.first { $0.app == app }?.touched ?? []
        return changes.filter { $0.app != app }.flatMap { change in
            let moved = change.files.filter { $0.new == nil && own.contains($0.path) }.map(\.path)
            return change.touched.compactMap { file -> (app: AppName, path: RelativePath)? in
                guard unit.consistsOfFile(file), !moved.contains(file),
                    let whole = try? RelativePath("\(change.app.text)/\(file.text)")
                else { return nil }
                return (change.app, whole)
            }
        }
    }
}

extension UnitName {
    /// Whether the app's file is part of the unit.
    fileprivate func consistsOfFile(_ file: RelativePath) -> Bool { file.below("systemd").map(consists) ?? false }

    fileprivate var type: String { String(text[text.utf8.index(after: text.utf8.lastIndex(of: UInt8(ascii: ".")) ?? text.startIndex)...]) }
}

extension Step.Action {
    /// The path on the host where the step makes, removes or displaces something.
    var path: AbsolutePath? {
        switch self {
        case .link(let path, _), .displace(let path, _), .unlink(let path), .place(let path, _, _, _), .unplace(let path): path
        default: nil
        }
    }
}
