import Model
import Planning

/// Renders a plan for the operator to confirm.
package struct PlanText {
    private let style: Style
    /// Whether to omit the checks and probes of a private app.
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
        withoutInstall(plan) + unjudged(plan)
    }

    private func withoutInstall(_ plan: Plan) -> String {
        let units = Set(plan.hosts.flatMap(\.withoutInstall)).sorted().map(\.text)
        guard let last = units.last else { return "" }
        let (names, they) =
            units.count == 1 ? (last + " has", "it") : (units.dropLast().joined(separator: ", ") + " and \(last) have", "them")
        return "\n\(names) no [Install] section, so systemd does not start \(they) at boot.\n"
    }

    private func unjudged(_ plan: Plan) -> String {
        let units = Set(plan.hosts.flatMap(\.unjudged)).sorted()
        guard let first = units.first else { return "" }
        let (others, it) = (units.count - 1, units.count == 1 ? "it has" : "they have")
        let what = first.text + (others == 0 ? " is" : " and \(count(others, "other unit")) are")
        return "\nDeptool cannot determine whether \(what) ready, since \(it) no probe (`health` in the manifest) and no Type=notify.\n"
    }

    func orphans(_ hosts: [Hostname]) -> String {
        guard !hosts.isEmpty else { return "" }
        let lines = hosts.map { "    \($0.text)\n" }.joined()
        return "\nNot in the config tree any more, but still deployed:\n" + lines
            + "`deptool deploy --remove-host NAME` empties such a host, `deptool forget NAME` leaves it as it is.\n"
    }

    func render(_ plan: HostPlan) -> String { render(plan, name: plan.host.text) }

    /// With an empty name, only the lines below it, not indented.
    func render(_ plan: HostPlan, name: String) -> String {
        let text = lines(plan)
        if !name.isEmpty { return style.heading(name) + (plan.base == nil ? " (new host)" : "") + "\n" + text }
        return text.split(separator: "\n").map { $0.dropFirst(4) + "\n" }.joined()
    }

    private func lines(_ plan: HostPlan) -> String {
        var text = ""
        if let gap = plan.gap {
            text += "    \(style.changed("! what is deployed cannot be read (\(visible(gap)))"))\n"
            text += "      Links and units that only the deployed manifest names stay.\n"
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
        // The files may exist already; then the unit keeps running unchanged.
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

extension AbsolutePath {
    /// The directory with a meaning that contains the path, and the path in it. A manifest may list files of some of them itself:
    /// then `source` is not the file of that directory.
    func managed(of source: RelativePath? = nil) -> (PlacedDirectory, RelativePath)? {
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
