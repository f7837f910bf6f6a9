import Model

/// Orders the steps of one host. The order is that of the phases of a deploy in the manual:
///
/// 1. check out all apps, and have their programs check the files;
/// 2. stop and disable units to remove, while their files are still there;
/// 3. activate the new versions;
/// 4. links, sysusers, readers of private apps, secrets, tmpfiles;
/// 5. links of units, daemon-reload;
/// 6. remove apps;
/// 7. enable and start, or restart, check and probe;
/// 8. reload, check and probe.
struct StepBuilder {
    let old: [AppTree]
    let new: [AppTree]
    let changes: [AppChange]
    /// Apps whose deployed manifest is unknown: their units may be running.
    let unknown: Set<AppName>
    let unitFiles: UnitFileChanges
    /// Of the old and new trees.
    let generatedBefore: GeneratedUnits
    let generated: GeneratedUnits

    /// The rules for each unit, with their app. An app that has them no more, or is gone, had the unit read its files by its old
    /// ones, which are not present.
    let rules: [UnitName: [(app: AppTree, rule: OnChange, isPresent: Bool)]]

    init(
        old: [AppTree], new: [AppTree], changes: [AppChange], unknown: Set<AppName> = [], unitFiles: UnitFileChanges = UnitFileChanges(),
        generatedBefore: GeneratedUnits = GeneratedUnits(), generated: GeneratedUnits = GeneratedUnits()
    ) {
        (self.old, self.new, self.changes, self.unknown, self.unitFiles) = (old, new, changes, unknown, unitFiles)
        (self.generatedBefore, self.generated) = (generatedBefore, generated)
        var rules: [UnitName: [(app: AppTree, rule: OnChange, isPresent: Bool)]] = [:]
        for (app, isPresent) in new.map({ ($0, true) }) + old.map({ ($0, false) }) {
            for rule in app.rules
            where rules[rule.unit]?.contains(where: { $0.app.name == app.name && ($0.rule.ifDown == nil) == (rule.ifDown == nil) }) != true
            {
                rules[rule.unit, default: []].append((app, rule, isPresent))
            }
        }
        self.rules = rules
    }

    private var checkedOut: [AppName] { changes.filter(\.hasNewVersion).map(\.app) }

    func steps() -> [Step] {
        let (links, files) = (linkSteps(), placeSteps())
        let changes = links.go + files.go + links.come + files.come
        var steps = checkedOut.map { Step($0, .checkout(for: readers(of: $0) == .everybody ? .everybody : .root)) }
        let units = unitSteps()
        steps += new.filter { needsChecks($0, units) }.flatMap { app in
            app.checks.map { Step(app.name, .validate($0, within: app.manifest.checkTimeout)) }
        }
        steps += loginChecks(steps)
        steps += disableSteps()
        steps += checkedOut.map { Step($0, .activate) }
        steps += changes.filter { !concernsUnits($0) }
        if touches(.sysusers) { steps.append(Step(nil, .sysusers)) }
        // systemd-sysusers may just have made the group.
        for app in checkedOut {
            if case .group(let group) = readers(of: app) { steps.append(Step(app, .grant(group))) }
        }
        steps += unsealSteps()
        if touches(.tmpfiles) { steps.append(Step(nil, .tmpfiles)) }
        steps += changes.filter(concernsUnits)
        if touches(.daemonReload) { steps.append(Step(nil, .daemonReload)) }
        steps += self.changes.filter { $0.kind == .remove }.map { Step($0.app, .remove) }
        return steps + units
    }

    /// Before a restart of sshd on request: with a mistake in a file of no app, new logins would become impossible.
    private func loginChecks(_ steps: [Step]) -> [Step] {
        changes.filter { change in change.restarts.contains { ["ssh.service", "sshd.service"].contains($0.text) } }.map { change in
            Step(change.app, .validate(["/usr/sbin/sshd", "-t"], within: .seconds(30)))
        }.filter { !steps.contains($0) }
    }

    /// Whether an app gets new files, or something acts on one of its units: those that it lists or has rules for, or that act for it.
    private func needsChecks(_ app: AppTree, _ units: [Step]) -> Bool {
        checkedOut.contains(app.name)
            || units.contains { step in
                guard let unit = step.action.actsOn else { return false }
                return step.app == app.name || app.manifest.units.contains(unit)
                    || rules[unit]?.contains { $0.app.name == app.name } == true
            }
    }

    /// The probes of the apps of which units act.
    private func probeSteps(_ steps: [Step]) -> [Step] {
        let units = Set(steps.compactMap(\.action.actsOn))
        let causes = Set(steps.compactMap { $0.action.actsOn == nil ? nil : $0.app })
        return new.filter { app in causes.contains(app.name) || app.manifest.units.contains(where: units.contains) }
            .flatMap { app in app.manifest.probes.map { Step(app.name, .probe($0)) } }
    }

    private func readers(of app: AppName) -> Manifest.Readers {
        new.first { $0.name == app }?.manifest.readers ?? .everybody
    }

    /// For the apps whose sealed files, or their readers, change. A group can be another one by now, of the same name.
    private func unsealSteps() -> [Step] {
        changes.compactMap { change in
            let (was, will) = (old.first { $0.name == change.app }, new.first { $0.name == change.app })
            let files = will?.sealedFiles ?? []
            let isTouched = change.touched.contains { $0.secretName != nil } || change.kind == .remove && was?.sealedFiles.isEmpty == false
            let readers = will?.manifest.readers ?? .everybody
            var hasOtherReaders = !files.isEmpty && was?.manifest.readers != readers
            if case .group = readers, !files.isEmpty { hasOtherReaders = true }
            // The open secrets follow from the current version and its readers.
            let isRepaired = !files.isEmpty && change.drift.contains(where: \.concernsSecrets)
            return isTouched || hasOtherReaders || isRepaired ? Step(change.app, .unseal(files: files.count)) : nil
        }
    }

    // MARK: Links and placed files

    private func concernsUnits(_ step: Step) -> Bool {
        guard let path = step.action.path else { return false }
        return PlacedDirectory.all.contains { $0.effect == .daemonReload && path.isInside($0.target) }
    }

    /// Links to remove, and links to make or change, each ordered by path.
    private func linkSteps() -> (go: [Step], come: [Step]) {
        let before = Dictionary(old.flatMap(\.links).map { ($0.path, $0) }) { first, _ in first }
        let after = Dictionary(new.flatMap(\.links).map { ($0.path, $0) }) { first, _ in first }
        // A file placed there replaces the link without a step.
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
        // Files that are to stay belong to nothing once their app goes.
        let go = before.values.map(\.file)
            .filter { after[$0.path] == nil && !links.contains($0.path) && $0.app.text != LeftFiles.app }.sorted { $0.path < $1.path }
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
    private func touches(_ effect: PlacedDirectory.Effect) -> Bool {
        let directories = PlacedDirectory.all.filter { $0.effect == effect }
        return changes.contains { change in
            // sysusers and tmpfiles have nothing to do for a removed file.
            change.touched.contains { path in
                directories.contains { path.below($0.name) != nil } && (effect == .daemonReload || !change.removes(path))
            }
        }
    }

    // MARK: Units

    private func disableSteps() -> [Step] {
        // A unit that Podman generates from now on needs no link of `systemctl enable`, and would leave it behind.
        let kept = Set(new.flatMap(\.manifest.units).filter { generated[$0] == nil || generatedBefore[$0] != nil })
        var stopped: Set<UnitName> = []
        var steps = old.flatMap { app in
            app.manifest.units.filter { !kept.contains($0) }.map { unit in
                stopped.insert(unit)
                let limit = app.manifest.timeout
                return Step(app.name, generatedBefore[unit] == nil ? .disable(unit, within: limit) : .stop(unit, within: limit))
            }
        }
        // Units of quadlets that go, which nothing lists.
        for (unit, source) in generatedBefore.sources.sorted(by: { $0.key < $1.key })
        where generated.sources[unit] == nil && !stopped.contains(unit) && UnitKind(unstartable: unit.text) == nil {
            guard let app = old.first(where: { $0.name == source.app }) else { continue }
            steps.append(Step(app.name, .stop(unit, within: app.manifest.timeout)))
        }
        return steps
    }

    private func unitSteps() -> [Step] {
        let before = Set(old.flatMap(\.manifest.units))
        // Services may need the kernel's settings, a module or a profile when they start.
        var (steps, early) = (UnitStepList(), UnitStepList())
        for app in new {
            for unit in app.manifest.units {
                addSteps(for: unit, of: app, isNew: !before.contains(unit), to: &steps)
            }
        }
        let listed = Set(new.flatMap(\.manifest.units))
        // Units that other programs or the distribution run, and that the plan does not stop.
        for unit in Set(rules.keys).subtracting(listed).subtracting(before).sorted() {
            guard let cause = cause(of: unit, owner: nil), let app = rules[unit]?.first?.app else { continue }
            let (limit, settle) = (app.manifest.timeout, app.manifest.settle)
            let check = Step(cause.app, .check(unit, settle: settle, within: limit))
            let ofDirectory = rules[unit]?.compactMap(\.rule.ifDown).first
            var list = UnitStepList()
            switch cause.reaction {
            case .nothing: continue
            case .reload: list.addReload(Step(cause.app, .reload(unit, because: cause.reason, ifDown: .leave, within: limit)), check)
            case .restart:
                if ofDirectory == .start {
                    // One step for each app: the host decides whether the app only takes over files.
                    list.start = cause.apps.map { Step($0, .start(unit, ifUp: .restart, within: limit)) }
                    list.check = [check]
                } else {
                    list.addStart(Step(cause.app, .restartIfUp(unit, because: cause.reason, within: limit)), check)
                }
            }
            if ofDirectory == nil { steps.add(list) } else { early.add(list) }
        }
        addRestarts(to: &steps)
        // A proxy may have to be reloaded before an app answers.
        let late = probeSteps(steps.reload)
        let others = probeSteps(early.start + early.reload + steps.start).filter { !late.contains($0) }
        return early.start + early.check + early.reload + early.reloadCheck + steps.enable + steps.start + steps.check + others
            + steps.reload + steps.reloadCheck + late
    }

    /// The restarts that the operator asked for. A unit that no app enables stays down if it is down.
    private func addRestarts(to steps: inout UnitStepList) {
        for change in changes {
            guard let app = new.first(where: { $0.name == change.app }), let path = app.files.first?.path else { continue }
            for unit in change.restarts {
                let (reason, limit) = (Step.Reason.asked(path), app.manifest.timeout)
                steps.addStart(
                    Step(
                        app.name,
                        app.manifest.units.contains(unit)
                            ? .restart(unit, because: reason, within: limit) : .restartIfUp(unit, because: reason, within: limit)),
                    Step(app.name, .check(unit, settle: app.manifest.settle, within: limit)))
            }
        }
    }

    /// The steps of a unit that an app lists.
    private func addSteps(for unit: UnitName, of app: AppTree, isNew: Bool, to steps: inout UnitStepList) {
        let limit = app.manifest.timeout
        let own = changes.first { $0.app == app.name }
        let isGenerated = generated[unit] != nil
        let cause = cause(of: unit, owner: app)
        // The step belongs to the app whose change causes it.
        guard let shown = own?.app ?? cause?.app else { return }
        let check = Step(shown, .check(unit, settle: app.manifest.settle, within: limit))
        if isNew {
            if !isGenerated { steps.enable.append(Step(shown, .enable(unit, .new))) }
            if unknown.contains(app.name), let first = own?.touched.first {
                let reason = Step.Reason(path: first, others: (own?.touched.count ?? 1) - 1)
                return steps.addStart(Step(shown, .restart(unit, because: reason, within: limit)), check)
            }
            let hasOtherFiles = own?.touched.contains { $0.text != Manifest.fileName } == true || cause.map { $0.app != app.name } == true
            let others = cause.map { $0.reaction == .restart ? $0.apps.filter { $0 != shown } : [] } ?? []
            if let cause, others.contains(where: { !isAdded($0) }) {
                return steps.addStart(Step(shown, .restart(unit, because: cause.reason, within: limit)), check)
            }
            steps.addStart(Step(shown, .start(unit, ifUp: hasOtherFiles ? .restart : .leave, within: limit)), check)
            steps.start += others.map { Step($0, .start(unit, ifUp: .restart, within: limit)) }
            return
        }
        let isDisabled = own?.drift.contains { $0.finding == .disabled(unit) } ?? false
        if !isGenerated {
            if isDisabled {
                steps.enable.append(Step(shown, .enable(unit, .new)))
            } else if own?.touched.contains(where: { $0.below("systemd") != nil }) == true || isChangedElsewhere(unit, in: app.name)
                || own?.drift.contains(where: { $0.isEnabledElsewhere(unit) }) == true
            {
                steps.enable.append(Step(shown, .enable(unit, .refreshed)))
            }
        }
        switch cause {
        case let cause? where cause.reaction == .restart && cause.everyone.allSatisfy { $0 != app.name && isAdded($0) }:
            // New apps may only take over files with which the unit runs already. The host decides, by one step for each app.
            steps.start += cause.apps.map { Step($0, .start(unit, ifUp: .restart, within: limit)) }
            steps.check.append(check)
        case let cause? where cause.reaction == .restart:
            steps.addStart(Step(shown, .restart(unit, because: cause.reason, within: limit)), check)
        case let cause? where cause.reaction == .reload:
            steps.addReload(Step(shown, .reload(unit, because: cause.reason, ifDown: .start, within: limit)), check)
        default:
            if own?.drift.contains(where: { $0.isDown(unit) }) == true {
                steps.addStart(Step(shown, .start(unit, ifUp: .leave, within: limit)), check)
            } else if isDisabled {
                steps.check.append(check)
            }
        }
    }

    private func isAdded(_ app: AppName) -> Bool { changes.contains { $0.app == app && $0.kind == .add } }

    /// Whether the unit restarts when a file of its own app changes. A service, and a unit that starts one, depends
    /// on all of them. Other units depend only on their own files, except that a target restarts the units that
    /// Podman generates.
    ///
    /// Files that another program of the host reads in their place concern no unit of the app.
    func concerns(_ file: RelativePath, _ unit: UnitName, of app: AppTree) -> Bool {
        if let directory = PlacedDirectory.holding(file), !directory.placesAll, !app.isListed(file, in: directory) { return false }
        return switch unit.type {
        case "service", "socket", "timer": true
        case "target" where app.files.contains(where: { $0.path.below("quadlets") != nil }): true
        default: unit.consistsOfFile(file)
        }
    }

    /// Whether another app's change concerns the unit's file or drop-ins. Files that merely move to `app` do not count.
    private func isChangedElsewhere(_ unit: UnitName, in app: AppName) -> Bool {
        let own = changes.first { $0.app == app }?.touched ?? []
        return changes.contains { change in
            change.app != app
                && change.touched.contains { file in
                    unit.consistsOfFile(file) && !(change.removes(file) && own.contains(file))
                }
        }
    }
}

/// The steps of units, by the phase that they belong to.
private struct UnitStepList {
    var (enable, start, check): ([Step], [Step], [Step]) = ([], [], [])
    /// Reloads come after all other units are healthy, so that a proxy finds its upstreams.
    private(set) var (reload, reloadCheck): ([Step], [Step]) = ([], [])

    mutating func addStart(_ step: Step, _ check: Step) {
        start.append(step)
        self.check.append(check)
    }

    mutating func add(_ other: UnitStepList) {
        start += other.start
        check += other.check
        reload += other.reload
        reloadCheck += other.reloadCheck
    }

    mutating func addReload(_ step: Step, _ check: Step) {
        reload.append(step)
        reloadCheck.append(check)
    }
}

extension UnitName {
    /// Whether the app's file is part of the unit.
    func consistsOfFile(_ file: RelativePath) -> Bool { file.below("systemd").map(consists) ?? false }

    fileprivate var type: String { String(text[text.utf8.index(after: text.utf8.lastIndex(of: UInt8(ascii: ".")) ?? text.startIndex)...]) }
}

extension Step.Action {
    /// The unit that the step starts, restarts or reloads.
    var actsOn: UnitName? {
        switch self {
        case .start(let unit, _, _), .restart(let unit, _, _), .restartIfUp(let unit, _, _), .reload(let unit, _, _, _): unit
        default: nil
        }
    }

    /// The path on the host where the step makes, removes or displaces something.
    var path: AbsolutePath? {
        switch self {
        case .link(let path, _), .displace(let path, _), .unlink(let path), .place(let path, _, _, _), .unplace(let path): path
        default: nil
        }
    }
}
