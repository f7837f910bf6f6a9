import Foundation
import Model
import Planning
import TestSupport
import Testing

/// Laws for the steps between any two trees.
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
                for file in [
                    "sysusers/u.conf", "tmpfiles/t.conf", "quadlets/q.container", "systemd/x.service.d/\(name).conf", "f*", "f",
                    "secrets/a.age", "secrets/b.age",
                ]
                where Int.random(in: 0..<4, using: &random) == 0 {
                    files[file] = "\(Int.random(in: 0...1, using: &random))"
                }
                if files["f"] != nil { files["f*"] = nil }
                var copies: [String: String] = [:]
                for path in ["/etc/x", "/etc/y", "/etc/z"] where links[path] == nil && Int.random(in: 0..<4, using: &random) == 0 {
                    copies[path] = Bool.random(using: &random) ? "0640" : "0644"
                }
                if Bool.random(using: &random) {
                    files["manifest.json"] = manifest(
                        units: units, links: links, copies: copies, onChange: randomRules(name, &random))
                    if Bool.random(using: &random) {
                        files["manifest.json"]?.removeLast()
                        files["manifest.json"]? += #", "checks": [["/bin/c"]], "health": [{"tcp": "[::1]:1"}]}"#
                    }
                }
                apps[name] = files
            }
            if (try? tree(apps).validate()) != nil { return apps }
        }
    }

    /// Rules for some units of this app or another, or of none.
    private func randomRules(_ app: String, _ random: inout Seeded) -> [String: [String: [String]]] {
        var all: [String: [String: [String]]] = [:]
        for unit in ["x.service", "y.timer", "foreign.service"] where Int.random(in: 0..<3, using: &random) == 0 {
            var rules: [String: [String]] = [:]
            for path in ["./", "conf/", "conf/x", "f", "../a/", "../b/conf/", "../c/f", "tmpfiles/", "manifest.json"]
            where !path.hasPrefix("../\(app)/") && Int.random(in: 0..<4, using: &random) == 0 {
                rules[["nothing", "reload", "restart"].randomElement(using: &random) ?? "", default: []].append(path)
            }
            if !rules.isEmpty { all[unit] = rules }
        }
        return all
    }

    @Test func `the steps between random trees are complete and in order`() throws {
        var random = Seeded()
        for round in 0..<400 {
            let place = Comment(rawValue: "seed \(random.seed), round \(round)")
            let (before, after) = (try randomApps(&random), try randomApps(&random))
            let (old, new) = (try tree(before), try tree(after))
            let safety = Safety(guard: .auto, isAtomic: round % 2 == 0)
            let contents = Contents([before, after])
            guard let plan = HostPlan(base: nil, deployed: old, wanted: new, safety: safety, contents: contents.read) else {
                #expect(old.apps == new.apps, place)
                continue
            }
            #expect(old.apps != new.apps, place)
            #expect(HostPlan(base: nil, deployed: new, wanted: new) == nil, place)
            checkOrder(plan.steps, place)
            checkCompleteness(plan.steps, old, new, place)
            checkReactions(plan.steps, before, after, place)
            #expect(run(plan.steps, from: old, to: new) == State(new), place)
        }
    }

    private func checkOrder(_ steps: [Step], _ comment: Comment) {
        func rank(_ step: Step) -> Int {
            switch step.action {
            case .checkout: -1
            case .disable, .stop: 1
            case .activate: 2
            case .unlink(let path) where !isUnit(path), .link(let path, _) where !isUnit(path), .displace(let path, _) where !isUnit(path),
                .place(let path, _, _, _) where !isUnit(path), .unplace(let path) where !isUnit(path):
                4
            case .sysusers: 5
            case .grant: 6
            case .tmpfiles: 8
            // A group may just have been made.
            case .unseal: 7
            case .unlink, .link, .displace, .place, .unplace: 9
            case .daemonReload: 10
            case .remove: 11
            case .enable: 12
            case .start, .restart, .restartIfUp: 13
            case .check(let unit, _, _): steps.contains { reloads($0, unit) } ? 17 : 14
            case .reload: 16
            // Those of an app that a reload concerns come after it.
            case .probe: isLate(step) ? 18 : 15
            case .validate: 0
            case .test(.sshdBefore): 1
            case .test: 19
            case .confirm(_, .login): 19
            case .confirm(_, .everyHost), .confirm(_, .program): 20
            }
        }
        func isLate(_ step: Step) -> Bool {
            guard let reload = steps.lastIndex(where: { if case .reload = $0.action { true } else { false } }) else { return false }
            return steps[reload...].contains(step)
        }
        func reloads(_ step: Step, _ unit: UnitName) -> Bool { if case .reload(unit, _, _, _) = step.action { true } else { false } }
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
        // Exactly the started, restarted and reloaded units are judged.
        let judged = steps.compactMap { if case .check(let unit, _, _) = $0.action { unit } else { nil } }
        let touched = steps.compactMap { step in
            switch step.action {
            case .start(let unit, _, _), .restart(let unit, _, _), .restartIfUp(let unit, _, _), .reload(let unit, _, _, _): unit
            default: nil
            }
        }
        // Several new apps can each ask the host to examine a unit.
        #expect(Set(judged) == Set(touched), comment)
        #expect(Set(judged).count == judged.count, comment)
        let reloads = steps.contains(Step(nil, .daemonReload))
        if steps.contains(where: { if case .place(let path, _, _, _) = $0.action { isUnit(path) } else { false } }) {
            #expect(reloads, comment)
        }
    }

    /// Compares what units do with a second reading of the manual: for every unit and every changed file, from texts alone.
    private func checkReactions(_ steps: [Step], _ old: Apps, _ new: Apps, _ comment: Comment) {
        var did: [String: String] = [:]
        for step in steps {
            switch step.action {
            case .start(let unit, _, _): did[unit.text] = "start"
            case .restart(let unit, _, _), .restartIfUp(let unit, _, _): did[unit.text] = "restart"
            case .reload(let unit, _, _, _): did[unit.text] = "reload"
            default: break
            }
        }
        func manifest(_ apps: Apps, _ app: String) -> Manifest {
            (try? Manifest(parsing: Array((apps[app]?["manifest.json"] ?? "{}").utf8))) ?? Manifest()
        }
        let words = ["nothing", "reload", "restart"]
        let authors = Set(old.keys).union(new.keys)
        for unit in ["x.service", "y.timer", "z.socket", "foreign.service"] {
            let owner = new.keys.first { manifest(new, $0).units.contains { $0.text == unit } }
            if let owner, !old.keys.contains(where: { manifest(old, $0).units.contains { $0.text == unit } }) {
                // Files that another app changes may be of the unit, and it may run.
                #expect(did[unit] == "start" || did[unit] == "restart" && old.count > 0, "\(comment), \(unit) of \(owner)")
                continue
            }
            // Unlisted units matter only to rules, and stopped ones stay stopped.
            let isStopped = old.keys.contains { manifest(old, $0).units.contains { $0.text == unit } }
            if owner == nil, isStopped || !authors.contains(where: { !lastRules(of: $0, for: unit, old, new).isEmpty }) {
                #expect(did[unit] == nil, "\(comment), \(unit)")
                continue
            }
            var strongest = 0
            var restarting: Set<String> = []
            for app in Set(old.keys).union(new.keys) {
                let (was, will) = (old[app] ?? [:], new[app] ?? [:])
                var names = Set(was.keys).union(will.keys)
                for name in names where name.hasSuffix("*") { names.insert(String(name.dropLast())) }
                for name in names where !name.hasSuffix("*") {
                    guard was[name] != will[name] || was[name + "*"] != will[name + "*"] else { continue }
                    if name == "systemd/\(unit)" || name.hasPrefix("systemd/\(unit).d/") {
                        let isMoved = will[name] == nil && app != owner && owner.map { new[$0]?[name] != old[$0]?[name] } == true
                        if !isMoved { (strongest, _) = (2, restarting.insert(app)) }
                        continue
                    }
                    var isRuled = false
                    for author in authors {
                        let rules = lastRules(of: author, for: unit, old, new)
                        let target = author == app ? name : "../\(app)/\(name)"
                        let matching = rules.filter { path, _ in
                            path == target
                                || path.hasSuffix("/") && target.hasPrefix(path == "./" ? "" : path)
                                    && (path != "./" || author == app)
                        }
                        guard let (_, word) = matching.max(by: { $0.0 == "./" ? true : $1.0 == "./" ? false : $0.0.count < $1.0.count })
                        else { continue }
                        strongest = max(strongest, words.firstIndex(of: word) ?? 0)
                        if word == "restart" { restarting.insert(app) }
                        if author == owner, !self.rules(of: author, for: unit, in: new).isEmpty { isRuled = true }
                    }
                    guard app == owner, !isRuled else { continue }
                    if name == "manifest.json" {
                        let (m, n) = (manifest(old, app), manifest(new, app))
                        guard old[app] == nil || m.symlinks != n.symlinks || m.copies != n.copies else { continue }
                    }
                    (strongest, _) = (2, restarting.insert(app))
                }
            }
            // New apps may only take over files with which the unit runs already.
            let mayRun = owner != nil && strongest == 2 && restarting.allSatisfy { old[$0] == nil && $0 != owner }
            let expected = strongest == 0 ? nil : mayRun ? "start" : words[strongest]
            #expect(did[unit] == expected, "\(comment), \(unit) of \(owner ?? "nobody")")
        }
    }

    /// The old ones of an app that has none any more.
    private func lastRules(of app: String, for unit: String, _ old: Apps, _ new: Apps) -> [(String, String)] {
        let present = rules(of: app, for: unit, in: new)
        return present.isEmpty ? rules(of: app, for: unit, in: old) : present
    }

    private func rules(of app: String, for unit: String, in apps: Apps) -> [(String, String)] {
        guard let text = apps[app]?["manifest.json"], let json = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
            let systemd = json["systemd"] as? [String: Any], let all = systemd["on_change"] as? [String: [String: [String]]]
        else { return [] }
        return (all[unit] ?? [:]).flatMap { word, paths in paths.map { ($0, word) } }
    }

    /// The state of a host: versions of apps, links, and units that are enabled and running.
    private struct State: Equatable {
        var apps: [AppName: ObjectID]
        var links: [AbsolutePath: AbsolutePath]
        var placed: [AbsolutePath: Placed]
        var units: Set<UnitName>
        /// The sealed files that are open.
        var secrets: [AppName: [FileEntry]]

        init(_ tree: HostTree) {
            apps = Dictionary(uniqueKeysWithValues: tree.apps.map { ($0.name, $0.id) })
            links = Dictionary(uniqueKeysWithValues: tree.apps.flatMap(\.links).map { ($0.path, $0.target) })
            placed = Dictionary(
                uniqueKeysWithValues: tree.apps.flatMap { app in app.placed.map { ($0.path, Placed($0, app)) } })
            units = Set(tree.apps.flatMap(\.manifest.units))
            secrets = Dictionary(uniqueKeysWithValues: tree.apps.map { ($0.name, Self.sealed($0)) }).filter { !$0.value.isEmpty }
        }

        static func sealed(_ app: AppTree?) -> [FileEntry] { app?.files.filter { $0.path.text.hasPrefix("secrets/") } ?? [] }
    }

    private struct Placed: Equatable {
        var content: ObjectID?
        var access: FileAccess

        init(_ file: PlacedFile, _ app: AppTree) {
            content = app.files.first { $0.path == file.source }?.id
            access = file.access
        }
    }

    /// A model host that follows the steps, and ignores senseless ones.
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
            case (.unseal(let count), let app?):
                let sealed = State.sealed(new.apps.first { $0.name == app })
                state.secrets[app] = sealed.isEmpty ? nil : sealed
                #expect(count == sealed.count)
            case (.disable(let unit, _), _), (.stop(let unit, _), _): state.units.remove(unit)
            case (.start(let unit, _, _), _), (.restart(let unit, _, _), _): state.units.insert(unit)
            default: break
            }
        }
        return state
    }
}
