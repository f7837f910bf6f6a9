import Model

// How what somebody changed on a host becomes a part of its plan: the same steps as for other changes restore it.

extension AppChange {
    /// Whether the app is checked out: it is another one, or its files on the host are not to be relied on.
    var hasNewVersion: Bool {
        switch kind {
        case .add, .update: true
        case .remove: false
        case .repair: drift.contains(where: \.concernsVersion)
        }
    }

    /// The files that change, or around which something was changed: what units are restarted for. Ordered.
    var touched: [RelativePath] {
        var paths = Set(files.map(\.path))
        for drift in drift {
            switch drift.finding {
            case .file(let path, _), .link(_, let path, _), .placed(_, let path, _): paths.insert(path)
            case .extra(let text), .attributes(let text, _, _): if let path = try? RelativePath(text) { paths.insert(path) }
            case .current, .disabled, .enabledBy, .unwell, .leftover: break
            }
        }
        // There has to be one.
        if paths.isEmpty, hasNewVersion, let current = try? RelativePath("current") { paths.insert(current) }
        return paths.sorted()
    }

    func removes(_ path: RelativePath) -> Bool { files.contains { $0.path == path && $0.new == nil } }
}

extension Drift {
    /// The app whose steps restore it; nil for what every deploy restores.
    var subject: AppName? {
        if case .leftover(let path) = finding { return (try? AbsolutePath(path))?.below(Layout.apps).flatMap { AppName($0.text) } }
        return app
    }

    fileprivate var concernsVersion: Bool {
        switch finding {
        case .file, .extra, .current: true
        // Of a placed file, which has an absolute path, the version has the original.
        case .attributes(let path, _, _): path.utf8.first != UInt8(ascii: "/")
        case .link, .placed, .disabled, .enabledBy, .unwell, .leftover: false
        }
    }

    func isEnabledElsewhere(_ unit: UnitName) -> Bool {
        if case .enabledBy(unit, _) = finding { true } else { false }
    }

    func isDown(_ unit: UnitName) -> Bool {
        if case .unwell(unit, _) = finding { true } else { false }
    }
}

extension Drift.Found {
    /// Whether it is in the way of a link, and a link can take its place.
    package var isForeign: Bool {
        switch self {
        case .file: true
        case .symlink(let target): !Layout.isOurs(target)
        case .nothing, .directory, .other: false
        }
    }
}
