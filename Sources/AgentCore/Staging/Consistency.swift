import Model
import Wire

extension Preparation {
    /// Whether record and steps match. A client that requests anything else is faulty, and a host that obeyed it would
    /// contradict its record.
    var isConsistent: Bool {
        // The commits distinguish the old record from the new one.
        expected != record.commit && record.isConsistent && stepsFitRecord
            // Without a record, a host that keeps none looks the same before and after.
            && (!leavesNothing || (expected != nil && record.apps.isEmpty))
    }

    private var stepsFitRecord: Bool {
        // All dictionaries here have numbers and list indices as values: each further type of value adds code to the agent.
        let (untouched, checkedOut, activated, removed) = (0, 1, 2, 3)
        var apps: [AppName: Int] = [:]
        for app in record.apps { apps[app.name] = untouched }
        var links: [AbsolutePath: Int] = [:]
        for index in record.links.indices { links[record.links[index].path] = index }
        var placed: [AbsolutePath: Int] = [:]
        for index in record.placed.indices { placed[record.placed[index].path] = index }
        for step in steps {
            switch (step.action, step.app) {
            case (.checkout, let app?):
                guard apps[app] == untouched else { return false }
                apps[app] = checkedOut
            case (.grant, let app?):
                guard apps[app] == activated else { return false }
            case (.activate, let app?):
                guard apps[app] == checkedOut else { return false }
                apps[app] = activated
            case (.remove, let app?):
                guard apps[app] == nil else { return false }
                apps[app] = removed
            case (.link(let path, let source), let app?):
                guard let index = links[path], record.links[index] == Link(path: path, app: app, source: source) else { return false }
            case (.displace(let path, _), let app?):
                var owner: AppName?
                if let index = links[path] { owner = record.links[index].app }
                if let index = placed[path] { owner = record.placed[index].app }
                guard owner == app else { return false }
            case (.place(let path, let source, let access, _), let app?):
                guard let index = placed[path], record.placed[index] == PlacedFile(path: path, app: app, source: source, access: access)
                else { return false }
            case (.unlink(let path), _), (.unplace(let path), _):
                guard links[path] == nil, placed[path] == nil, !path.touches(Layout.root) else { return false }
            case (.unseal(let count), let app?):
                var sealed = 0
                for one in record.apps where one.name == app {
                    for file in one.files where file.path.secretName != nil { sealed += 1 }
                }
                guard count == sealed else { return false }
            case (.checkout, nil), (.activate, nil), (.remove, nil), (.link, nil), (.grant, nil), (.displace, nil), (.place, nil),
                (.unseal, nil):
                return false
            case (.confirm, _), (.sysusers, _), (.tmpfiles, _), (.disable, _), (.daemonReload, _), (.enable, _), (.start, _),
                (.restart, _), (.check, _), (.test, _), (.restartIfUp, _), (.reload, _), (.stop, _), (.validate, _), (.probe, _):
                break
            }
        }
        return !apps.values.contains(checkedOut)
    }
}

extension Record {
    /// Whether the record contains its commit's object, so that it can be verified later, every app appears once, every
    /// placed file has a content, and every link and placed file belongs to an app and obstructs no other.
    var isConsistent: Bool {
        guard objects.contains(where: { $0.kind == .commit && $0.id == commit }) else { return false }
        var names: [AppName: Int] = [:]
        for app in apps where names.updateValue(1, forKey: app.name) != nil { return false }
        var paths: [AbsolutePath: Int] = [:]
        for link in links {
            guard names[link.app] != nil, !link.path.touches(Layout.root),
                paths.updateValue(1, forKey: link.path) == nil
            else { return false }
        }
        for file in placed {
            guard content(of: file.source, in: file.app) != nil, !file.path.touches(Layout.root),
                paths.updateValue(1, forKey: file.path) == nil
            else { return false }
        }
        for path in paths.keys {
            var above = path.parent
            while let directory = above {
                if paths[directory] != nil { return false }
                above = directory.parent
            }
        }
        return true
    }
}

extension AbsolutePath {
    /// Whether one path is the other or below it.
    fileprivate func touches(_ other: AbsolutePath) -> Bool { isInside(other) || other.isInside(self) }
}
