import Model
import Planning

/// Renders a plan for the operator to confirm.
package struct PlanText {
    private let style: Style
    /// Whether to leave out what a private app's manifest says of checks and probes.
    private let hidesPrivate: Bool

    package init(style: Style, hidesPrivate: Bool = false) {
        self.style = style
        self.hidesPrivate = hidesPrivate
    }

    package func render(_ plan: Plan) -> String {
        plan.hosts.map(render).joined(separator: "\n") + hint(plan) + orphans(plan.orphans)
    }

    /// One for all hosts: most of them run the same units.
    func hint(_ plan: Plan) -> String {
        let units = Set(plan.hosts.flatMap(\.unjudged)).sorted()
        guard let first = units.first else { return "" }
        let (others, it) = (units.count - 1, units.count == 1 ? "it has" : "they have")
        let what = first.text + (others == 0 ? " is" : " and \(count(others, "other unit")) are")
        return "\nDeptool cannot tell whether \(what) ready, since \(it) no probe (`health` in the manifest) and no Type=notify.\n"
    }

    func orphans(_ hosts: [Hostname]) -> String {
        guard !hosts.isEmpty else { return "" }
        let lines = hosts.map { "    \($0.text)\n" }.joined()
        return "\nNot in the config tree any more, but still deployed:\n" + lines
            + "`deptool deploy --remove-host NAME` empties such a host, `deptool forget NAME` leaves it as it is.\n"
    }

    func render(_ plan: HostPlan) -> String { render(plan, name: plan.host.text) }

    /// With an empty name, only what is below it, and not indented.
    func render(_ plan: HostPlan, name: String) -> String {
        let text = lines(plan)
        if !name.isEmpty { return style.heading(name) + (plan.base == nil ? " (new host)" : "") + "\n" + text }
        return text.split(separator: "\n").map { $0.dropFirst(4) + "\n" }.joined()
    }

    private func lines(_ plan: HostPlan) -> String {
        var text = ""
        if let gap = plan.gap {
            text += "    \(style.changed("! what is deployed cannot be read (\(visible(gap)))"))\n"
            text += "      Links and units that only that has stay.\n"
        }
        if plan.hasNewOptions { text += "    \(style.changed("~ host.json"))\n" }
        if let identity = plan.newIdentity, !plan.isRemoval { text += "    \(style.changed(identity.phrase))\n" }
        for drift in plan.drift where plan.isOwnerless(drift) { text += "    \(style.changed("! " + drift.phrase))\n" }
        if plan.isRemoval, plan.changes.isEmpty { text += "    nothing is left to remove\n" }
        for change in plan.changes {
            let again = change.undoneIn.map { " (again: \($0.short) is the undo of it)" } ?? ""
            text += "    \(heading(change))\(again)\n"
            for drift in change.drift { text += "        \(style.changed("! " + drift.phrase))\n" }
            // The drift above already lists the files.
            for file in change.kind == .repair || change.isOfLeftFiles ? [] : change.files { text += "        \(line(file))\n" }
            text += steps(of: change.app, plan)
        }
        let changed = Set(plan.changes.map(\.app))
        for app in Set(plan.steps.compactMap(\.app)).subtracting(changed).sorted() {
            let steps = steps(of: app, plan)
            if !steps.isEmpty { text += "    leave \(app.text) as it is\n" + steps }
        }
        for (index, step) in plan.steps.enumerated() where plan.owner(ofStep: index) == nil {
            if let phrase = step.phrase { text += "    \(phrase)\n" }
        }
        if let leftOut = plan.limit?.leftOut, !leftOut.isEmpty {
            text += "    left out by --limit: changes to \(leftOut.map(visible).joined(separator: ", "))\n"
        }
        for path in plan.unproven {
            text += "    the login proves nothing about \(visible(path.text)), which is read at a restart or boot\n"
        }
        return text
    }

    private func steps(of app: AppName, _ plan: HostPlan) -> String {
        let isHidden = hidesPrivate && plan.privateApps.contains(app)
        return plan.steps.enumerated().compactMap { index, step -> String? in
            guard plan.owner(ofStep: index) == app else { return nil }
            return (isHidden ? step.publicPhrase ?? plan.phrase(step) : plan.phrase(step)).map { "        \($0)\n" }
        }.joined()
    }

    private func heading(_ change: AppChange) -> String {
        if change.isOfLeftFiles { return change.kind == .remove ? "forget the files left there" : "leave files" }
        return "\(word(change.kind)) \(change.app.text)"
    }

    private func word(_ kind: AppChange.Kind) -> String {
        switch kind {
        case .add: "add"
        case .update: "update"
        case .remove: "remove"
        case .repair: "repair"
        case .restart: "restart"
        }
    }

    func line(_ file: FileChange) -> String {
        change(file) + (SecretsDirectory.secret(file.path) == nil ? "" : " (sealed)")
    }

    private func change(_ file: FileChange) -> String {
        switch (file.old, file.new) {
        case (nil, let new?): return style.added("+ " + visible(new.path.text))
        case (let old?, nil): return style.removed("- " + visible(old.path.text))
        case (let old?, let new?) where old.isExecutable != new.isExecutable:
            let mode = new.isExecutable ? "now executable" : "no longer executable"
            return style.changed("~ " + visible(new.path.text)) + " (\(mode))"
        default: return style.changed("~ " + visible(file.path.text))
        }
    }
}

extension HostPlan {
    /// Whether the drift belongs to none of the listed apps.
    fileprivate func isOwnerless(_ drift: Drift) -> Bool { !changes.contains { $0.drift.contains(drift) } }

    /// The effect of a step, with the units that systemd changes along with it.
    fileprivate func phrase(_ step: Step) -> String? {
        var unit: UnitName?
        switch step.action {
        case .checkout, .grant:
            // Only a means to the files that it leaves.
            if step.app?.text == LeftFiles.app { return nil }
        case .unplace(let path) where path.managed() != nil: break
        case .unlink(let path), .unplace(let path):
            if !isTaken(path) { return step.phrase.map { $0 + " (nothing takes its place)" } }
        // The files may be there already, and then the unit goes on as it is.
        case .restartIfUp(let unit, let because, _) where !because.isAsked && changes.allSatisfy { $0.kind == .add }:
            return "restart unit \(unit.text) if it runs with other files (\(because.phrase))"
        case .reload(let unit, let because, .leave, _) where changes.allSatisfy { $0.kind == .add }:
            return "reload unit \(unit.text) if it runs with other files (\(because.phrase))"
        case .enable(let enabled, _): unit = enabled
        case .disable(let disabled, _): unit = disabled
        default: break
        }
        guard let unit, let others = also[unit] else { return step.phrase }
        let names = others.map(\.text).joined(separator: ", ")
        switch step.action {
        case .enable(_, .refreshed): return "enable \(names) along with unit \(unit.text) (Also=)"
        case .enable: return (step.phrase ?? "") + " and, along with it, \(names) (Also=)"
        default: return (step.phrase ?? "") + ", and disable \(names) along with it (Also=)"
        }
    }

    /// How many links and copies of manifests go without anything in their place.
    package var holes: Int {
        steps.count { step in
            switch step.action {
            case .unplace(let path) where PlacedDirectory.all.contains { path.isInside($0.target) }: false
            case .unlink(let path), .unplace(let path): !isTaken(path)
            default: false
            }
        }
    }

    /// Whether a step makes something at the path, above it or below it.
    private func isTaken(_ path: AbsolutePath) -> Bool {
        steps.contains { step in
            switch step.action {
            case .link(let other, _), .place(let other, _, _, _): other == path || other.isInside(path) || path.isInside(other)
            default: false
            }
        }
    }

    /// The app under which to show a step. A step for the whole host appears before the first start of a unit that
    /// needs it, else after the last link that requires it; nil for steps after everything else.
    fileprivate func owner(ofStep index: Int) -> AppName? {
        if let app = steps[index].app { return app }
        switch steps[index].action {
        case .confirm, .test: return nil
        case .daemonReload:
            if let next = steps[index...].first(where: { $0.action.bringsUpUnit }) { return next.app }
        default: break
        }
        return steps[..<index].last { $0.app != nil }?.app
    }
}

extension AppChange {
    fileprivate var isOfLeftFiles: Bool { app.text == LeftFiles.app }
}

extension Step.Action {
    fileprivate var bringsUpUnit: Bool {
        switch self {
        case .enable, .start, .restart, .restartIfUp, .reload: true
        default: false
        }
    }
}

extension Step {
    /// The effect of the step, for the plan; nil if other lines of the plan cover it.
    var phrase: String? {
        switch action {
        // The plan lists the app's files, and always checks out, activates and checks them.
        case .checkout(for: .everybody), .activate, .remove, .check, .enable(_, .refreshed), .test(.sshdBefore): nil
        case .checkout(for: .root): "only root can read it"
        case .grant(let group): "let the group \(group.text) read it"
        case .link(let path, let source): "link \(visible(path.text)) -> \(visible(source.text))"
        case .displace(let path, .file): "keep \(visible(path.text)) as it is in \(Layout.store.text)/kept"
        case .displace(let path, _): "replace \(visible(path.text)), which is not Deptool's"
        case .unlink(let path): "unlink \(visible(path.text))"
        // For a changed file of a directory with a meaning, the file's own line is enough.
        case .place(let path, let source, _, .updated) where path.managed(of: source) != nil: nil
        case .place(let path, let source, let access, _): place(path, source, access)
        case .unplace(let path): "remove " + (path.managed().map { "\($0.noun) \(visible($1.text))" } ?? visible(path.text))
        case .sysusers: "run systemd-sysusers"
        case .tmpfiles: "run systemd-tmpfiles"
        case .test(.sshd): "test what sshd reads when it restarts, and whether that lets you in"
        case .test(.sudo): "test what sudo reads"
        case .test(.nftables): "test what nftables reads when it restarts"
        case .confirm(_, .login(let touched?)): "keep it only if a new login works (\(visible(touched)) is touched)"
        case .confirm(_, .login(nil)): "keep it only if a new login works"
        case .confirm(_, .program): "keep it only if every host succeeds and your confirmation program agrees"
        case .confirm(_, .everyHost): "keep it only if every host succeeds"
        case .disable(let unit, _): "stop and disable unit \(unit.text)"
        case .daemonReload: "reload systemd"
        case .enable(let unit, .new): "enable unit \(unit.text)"
        case .start(let unit, .leave, _): "start unit \(unit.text)"
        case .start(let unit, .restart, _): "start unit \(unit.text) (restart it if it runs with other files)"
        case .restart(let unit, let because, _):
            "restart unit \(unit.text)\(unit.text.hasSuffix(".socket") ? " and its service" : "") (\(because.phrase))"
        case .restartIfUp(let unit, let because, _): "restart unit \(unit.text) if it runs (\(because.phrase))"
        case .reload(let unit, let because, .start, _): "reload unit \(unit.text) (\(because.phrase))"
        case .reload(let unit, let because, .leave, _): "reload unit \(unit.text) if it runs (\(because.phrase))"
        case .stop(let unit, _): "stop unit \(unit.text)"
        case .validate(let arguments, _):
            if let needed = Requirement.parse(arguments) {
                "require \(visible(needed.map(\.phrase).joined(separator: ", "))) before anything changes"
            } else {
                "check \(visible(OptionalCheck.command(arguments).joined(separator: " "))) before anything changes"
            }
        case .unseal(0): "remove the unsealed secrets"
        case .unseal(let files): "unseal \(count(files, "secret"))"
        case .probe(let probe): "probe \(probe.phrase)"
        }
    }

    /// In place of a phrase with words of the manifest that may be secret.
    fileprivate var publicPhrase: String? {
        switch action {
        case .validate: "run a check before anything changes"
        case .probe: "ask whether it answers"
        default: nil
        }
    }

    private func place(_ path: AbsolutePath, _ source: RelativePath, _ access: FileAccess) -> String {
        if let (directory, name) = path.managed(of: source) { return "place \(directory.noun) \(visible(name.text))" }
        return "copy \(visible(source.text)) to \(visible(path.text))" + (access == .ordinary ? "" : " (\(access.text))")
    }

    /// The present action, for the host's progress line.
    package var progress: String {
        switch action {
        // Too quick to name each file.
        case .checkout, .activate, .remove, .displace, .link, .unlink, .place, .unplace, .grant: "changing files and links"
        case .test: "testing files"
        case .confirm(_, .login): "trying a new login"
        case .confirm(_, .program): "waiting for the other hosts and your confirmation program"
        case .confirm(_, .everyHost): "waiting for the other hosts"
        case .sysusers: "creating users"
        case .tmpfiles: "creating temporary files"
        case .disable(let unit, _): "stopping \(unit.text)"
        case .daemonReload: "reloading systemd"
        case .enable(let unit, _): "enabling \(unit.text)"
        case .start(let unit, _, _): "starting \(unit.text)"
        case .restart(let unit, _, _), .restartIfUp(let unit, _, _): "restarting \(unit.text)"
        case .reload(let unit, _, _, _): "reloading \(unit.text)"
        case .stop(let unit, _): "stopping \(unit.text)"
        case .validate: "checking the files"
        case .unseal: "unsealing secrets"
        case .probe(let probe): "probing \(probe.phrase)"
        case .check(let unit, _, _): "checking \(unit.text)"
        }
    }
}

extension Step.Reason {
    var phrase: String {
        isAsked ? "asked for" : visible(path.text) + (others == 0 ? " changed" : " and \(count(others, "other file")) changed")
    }
}

extension AbsolutePath {
    /// The directory with a meaning that contains the path, and the path in it. A manifest may list files of some of them itself:
    /// then `source` is not the file of that directory.
    fileprivate func managed(of source: RelativePath? = nil) -> (PlacedDirectory, RelativePath)? {
        for directory in PlacedDirectory.all {
            guard let name = below(directory.target) else { continue }
            let isIts = source.map { directory.isExclusive || $0.below(directory.name) == name } ?? directory.placesAll
            return isIts ? (directory, name) : nil
        }
        return nil
    }
}

extension FileAccess {
    var octal: String { Drift.Attributes(mode: mode, uid: 0, gid: 0).octal }
    /// Mode and owner, in the notation of chmod(1) and chown(1).
    var text: String { octal + ", \(owner?.text ?? "root"):\(group?.text ?? "root")" }
}
