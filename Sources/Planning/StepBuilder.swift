import Model

/// Orders the steps of one host. The order is what the manual calls the phases of a deploy:
///
/// 1. check out all apps;
/// 2. stop and disable units that go, while their files are still there;
/// 3. activate the new versions;
/// 4. links, sysusers, tmpfiles;
/// 5. links of units, daemon-reload;
/// 6. remove apps that go;
/// 7. enable and start, or restart;
/// 8. check.
struct StepBuilder {
    let old: [AppTree]
    let new: [AppTree]
    let changes: [AppChange]

    private var checkedOut: [AppName] { changes.filter { $0.kind != .remove }.map(\.app) }

    func steps() -> [Step] {
        let links = linkSteps()
        var steps = checkedOut.map { Step($0, .checkout) }
        steps += disableSteps()
        steps += checkedOut.map { Step($0, .activate) }
        steps += links.filter { !isUnitLink($0) }
        if touches(.sysusers) { steps.append(Step(nil, .sysusers)) }
        if touches(.tmpfiles) { steps.append(Step(nil, .tmpfiles)) }
        steps += links.filter(isUnitLink)
        if touches(.daemonReload) { steps.append(Step(nil, .daemonReload)) }
        steps += changes.filter { $0.kind == .remove }.map { Step($0.app, .remove) }
        steps += unitSteps()
        return steps
    }

    // MARK: Links

    private func isUnitLink(_ step: Step) -> Bool {
        guard let path = step.action.linkPath else { return false }
        return LinkDirectory.all.contains { $0.reaction == .daemonReload && path.isInside($0.target) }
    }

    /// Links that go, then links that come or turn elsewhere, each ordered by path.
    private func linkSteps() -> [Step] {
        let before = Dictionary(old.flatMap(\.links).map { ($0.path, $0) }) { first, _ in first }
        let after = Dictionary(new.flatMap(\.links).map { ($0.path, $0) }) { first, _ in first }
        let gone = before.values.filter { after[$0.path] == nil }.sorted { $0.path < $1.path }
        let come = after.values.filter { before[$0.path] != $0 }.sorted { $0.path < $1.path }
        return gone.map { Step($0.app, .unlink(path: $0.path)) }
            + come.map { Step($0.app, .link(path: $0.path, source: $0.source)) }
    }

    /// Whether a file in a directory of that kind comes, changes or goes.
    private func touches(_ reaction: LinkDirectory.Reaction) -> Bool {
        let directories = LinkDirectory.all.filter { $0.reaction == reaction }
        return changes.contains { change in
            // A removed file leaves nothing for these two to do.
            change.files.contains { file in
                (reaction == .daemonReload || file.new != nil) && directories.contains { file.path.below($0.name) != nil }
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
        for change in changes {
            guard let app = new.first(where: { $0.name == change.app }) else { continue }
            let (settle, limit) = (app.manifest.settle, app.manifest.timeout)
            for unit in app.manifest.units {
                if !before.contains(unit) {
                    enable.append(Step(app.name, .enable(unit, .new)))
                    start.append(Step(app.name, .start(unit, within: limit)))
                } else {
                    if change.files.contains(where: { $0.path.below("systemd") != nil }) {
                        enable.append(Step(app.name, .enable(unit, .refreshed)))
                    }
                    guard let first = change.files.first else { continue }
                    let reason = Step.Reason(path: first.path, others: change.files.count - 1)
                    start.append(Step(app.name, .restart(unit, because: reason, within: limit)))
                }
                check.append(Step(app.name, .check(unit, settle: settle, within: limit)))
            }
        }
        return enable + start + check
    }
}

extension Step.Action {
    /// The path of a link that the step makes or removes.
    var linkPath: AbsolutePath? {
        switch self {
        case .link(let path, _), .unlink(let path): path
        default: nil
        }
    }
}
