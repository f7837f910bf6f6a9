import Model
import Planning
import TestSupport
import Testing

/// What holds for the steps between any two trees.
@Suite struct LawTests {
    private typealias Apps = [String: [String: String]]

    /// A valid tree; small alphabets, so that two of them have much in common.
    private func randomApps(_ random: inout Seeded) throws -> Apps {
        while true {
            var apps: Apps = [:]
            for name in ["a", "b", "c"] where Int.random(in: 0..<4, using: &random) > 0 {
                var files = ["conf/x": "\(Int.random(in: 0...1, using: &random))"]
                var (units, links): ([String], [String: String]) = ([], [:])
                for unit in ["x.service", "y.timer", "z.socket"] {
                    if Int.random(in: 0..<3, using: &random) == 0 { files["systemd/" + unit] = "\(Int.random(in: 0...1, using: &random))" }
                    if Int.random(in: 0..<3, using: &random) == 0 { units.append(unit) }
                }
                for path in ["/etc/x", "/etc/x/y", "/etc/y", "/opt/z"] where Int.random(in: 0..<5, using: &random) == 0 {
                    links[path] = Bool.random(using: &random) ? "conf" : "conf/x"
                }
                for file in ["sysusers/u.conf", "tmpfiles/t.conf", "quadlets/q.container", "systemd/x.service.d/\(name).conf", "f*", "f"]
                where Int.random(in: 0..<4, using: &random) == 0 {
                    files[file] = "\(Int.random(in: 0...1, using: &random))"
                }
                if files["f"] != nil { files["f*"] = nil }
                var copies: [String: String] = [:]
                for path in ["/etc/x", "/etc/y", "/etc/z"] where links[path] == nil && Int.random(in: 0..<4, using: &random) == 0 {
                    copies[path] = Bool.random(using: &random) ? "0640" : "0644"
                }
                if Bool.random(using: &random) { files["manifest.json"] = manifest(units: units, links: links, copies: copies) }
                apps[name] = files
            }
            if (try? tree(apps).validate()) != nil { return apps }
        }
    }

    @Test func `the steps between random trees are complete and in order`() throws {
        var random = Seeded()
        for round in 0..<400 {
            let place = Comment(rawValue: "seed \(random.seed), round \(round)")
            let (old, new) = (try tree(try randomApps(&random)), try tree(try randomApps(&random)))
            guard let plan = HostPlan(base: nil, deployed: old, wanted: new, safety: Safety(guard: .auto, isAtomic: round % 2 == 0)) else {
                #expect(old.apps == new.apps, place)
                continue
            }
            #expect(old.apps != new.apps, place)
            #expect(HostPlan(base: nil, deployed: new, wanted: new) == nil, place)
            checkOrder(plan.steps, place)
            checkCompleteness(plan.steps, old, new, place)
            #expect(run(plan.steps, from: old, to: new) == State(new), place)
        }
    }

    private func checkOrder(_ steps: [Step], _ comment: Comment) {
        func rank(_ step: Step) -> Int {
            switch step.action {
            case .checkout: 0
            case .disable: 1
            case .activate: 2
            case .unlink(let path) where !isUnit(path), .link(let path, _) where !isUnit(path), .displace(let path, _) where !isUnit(path),
                .place(let path, _, _, _) where !isUnit(path), .unplace(let path) where !isUnit(path):
                4
            case .sysusers: 5
            case .grant: 6
            case .tmpfiles: 7
            case .unlink, .link, .displace, .place, .unplace: 9
            case .daemonReload: 10
            case .remove: 11
            case .enable: 12
            case .start, .restart: 13
            case .check: 14
            case .test(.sshdBefore): 1
            case .test: 15
            case .confirm(_, .login): 15
            case .confirm(_, .everyHost): 16
            }
        }
        let ranks = steps.map(rank)
        #expect(ranks == ranks.sorted(), comment)
        #expect(Set(steps).count == steps.count, comment)
    }

    private func isUnit(_ path: AbsolutePath) -> Bool {
        ["/etc/systemd/system/", "/etc/containers/systemd/"].contains { path.text.hasPrefix($0) }
    }

    private func checkCompleteness(_ steps: [Step], _ old: HostTree, _ new: HostTree, _ comment: Comment) {
        let was = Set(old.apps.flatMap(\.links))
        let links = steps.compactMap { step -> Link? in
            guard case .link(let path, let source) = step.action, let app = step.app else { return nil }
            return Link(path: path, app: app, source: source)
        }
        #expect(links.count == Set(links).count, comment)
        #expect(Set(links) == Set(new.apps.flatMap(\.links)).subtracting(was), comment)
        // Every app that gets new files has its units restarted or started, and judged.
        for app in new.apps {
            let before = old.apps.first { $0.name == app.name }
            let judged = steps.compactMap { if case .check(let unit, _, _) = $0.action, $0.app == app.name { unit } else { nil } }
            #expect(judged == (before?.id == app.id ? [] : app.manifest.units), comment)
        }
        let reloads = steps.contains(Step(nil, .daemonReload))
        if steps.contains(where: { if case .place(let path, _, _, _) = $0.action { isUnit(path) } else { false } }) {
            #expect(reloads, comment)
        }
    }

    /// What a host is: versions of apps, links, and units that are enabled and running.
    private struct State: Equatable {
        var apps: [AppName: ObjectID]
        var links: [AbsolutePath: AbsolutePath]
        var placed: [AbsolutePath: Placed]
        var units: Set<UnitName>

        init(_ tree: HostTree) {
            apps = Dictionary(uniqueKeysWithValues: tree.apps.map { ($0.name, $0.id) })
            links = Dictionary(uniqueKeysWithValues: tree.apps.flatMap(\.links).map { ($0.path, $0.target) })
            placed = Dictionary(
                uniqueKeysWithValues: tree.apps.flatMap { app in app.placed.map { ($0.path, Placed($0, app)) } })
            units = Set(tree.apps.flatMap(\.manifest.units))
        }
    }

    private struct Placed: Equatable {
        var content: ObjectID?
        var access: FileAccess

        init(_ file: PlacedFile, _ app: AppTree) {
            content = app.files.first { $0.path == file.source }?.id
            access = file.access
        }
    }

    /// A host that follows the steps, and stays as it is where they make no sense.
    private func run(_ steps: [Step], from old: HostTree, to new: HostTree) -> State {
        var state = State(old)
        var checkedOut: [AppName: ObjectID] = [:]
        for step in steps {
            switch (step.action, step.app) {
            case (.checkout, let app?): checkedOut[app] = new.apps.first { $0.name == app }?.id
            case (.activate, let app?): state.apps[app] = checkedOut[app]
            case (.remove, let app?): state.apps[app] = nil
            case (.link(let path, let source), let app?):
                state.links[path] = app.current.appending(source)
                state.placed[path] = nil
            case (.place(let path, let source, let access, _), let app?):
                guard let tree = new.apps.first(where: { $0.name == app }) else { break }
                state.placed[path] = Placed(PlacedFile(path: path, app: app, source: source, access: access), tree)
                state.links[path] = nil
            case (.unplace(let path), _): state.placed[path] = nil
            case (.unlink(let path), _): state.links[path] = nil
            case (.disable(let unit, _), _): state.units.remove(unit)
            case (.start(let unit, _, _), _): state.units.insert(unit)
            default: break
            }
        }
        return state
    }
}
