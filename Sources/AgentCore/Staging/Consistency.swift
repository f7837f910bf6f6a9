import Model
import Wire

extension Preparation {
    /// Whether record and steps hang together. A client that asks for anything else is mistaken, and a host that followed
    /// it would not be what its record says.
    var isConsistent: Bool {
        // The old record and the new one are told apart by their commits.
        expected != record.commit && record.isConsistent && stepsFitRecord
            // Without a record, a host that keeps none looks the same before and after.
            && (!leavesNothing || (expected != nil && record.apps.isEmpty))
    }

    private var stepsFitRecord: Bool {
        // Numbers and places in lists, as the values of all dictionaries here: each further type of value is code in the agent.
        let (untouched, checkedOut, activated, removed) = (0, 1, 2, 3)
        var apps: [AppName: Int] = [:]
        for app in record.apps { apps[app.name] = untouched }
        var links: [AbsolutePath: Int] = [:]
        for (index, link) in record.links.enumerated() { links[link.path] = index }
        var placed: [AbsolutePath: Int] = [:]
        for (index, file) in record.placed.enumerated() { placed[file.path] = index }
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
            case (.checkout, nil), (.activate, nil), (.remove, nil), (.link, nil), (.grant, nil), (.displace, nil), (.place, nil):
                return false
            case (.confirm, _), (.sysusers, _), (.tmpfiles, _), (.disable, _), (.daemonReload, _), (.enable, _), (.start, _),
                (.restart, _), (.check, _), (.test, _):
                break
            }
        }
        return !apps.values.contains(checkedOut)
    }
}

extension Record {
    /// Whether the record's commit is the object that it brings, so that it can be verified later, every app is there
    /// once, every placed file has a content, and every link and placed file is of an app and in nobody's way.
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
    /// Whether one of the two is the other or below it.
    fileprivate func touches(_ other: AbsolutePath) -> Bool { isInside(other) || other.isInside(self) }
}
