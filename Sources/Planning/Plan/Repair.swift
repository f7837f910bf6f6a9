import Model

// Turns drift on a host into a part of its plan: the usual steps restore the recorded state.

extension AppChange {
    /// Whether the app is checked out: it changes, or its files on the host are unreliable.
    var hasNewVersion: Bool {
        switch kind {
        case .add, .update: true
        case .remove, .restart: false
        case .repair: drift.contains(where: \.concernsVersion)
        }
    }

    /// The files that change, or near which something changed on the host: the reasons to restart units. Ordered.
    var touched: [RelativePath] {
        if drift.isEmpty, !files.isEmpty { return files.map(\.path) }
        var paths = Set(files.map(\.path))
        for drift in drift {
            switch drift.finding {
            case .file(let path, _), .link(_, let path, _), .placed(_, let path, _): paths.insert(path)
            case .extra(let text), .attributes(let text, _, _): if let path = try? RelativePath(text) { paths.insert(path) }
            case .secret(let path, _): paths.insert(path)
            case .current, .disabled, .enabledBy, .unwell, .leftover: break
            }
        }
        // A new version needs at least one.
        if paths.isEmpty, hasNewVersion, let current = try? RelativePath("current") { paths.insert(current) }
        return paths.sorted()
    }

    func removes(_ path: RelativePath) -> Bool { files.contains { $0.path == path && $0.new == nil } }
}

extension Drift {
    /// The app whose steps restore it; nil if every deploy does.
    var subject: AppName? {
        if case .leftover(let path) = finding { return (try? AbsolutePath(path))?.below(Layout.apps).flatMap { AppName($0.text) } }
        return app
    }

    fileprivate var concernsVersion: Bool {
        switch finding {
        case .file, .extra, .current: true
        // A placed file has an absolute path; the version holds only its original.
        case .attributes(let path, _, _): path.utf8.first != UInt8(ascii: "/")
        case .link, .placed, .secret, .disabled, .enabledBy, .unwell, .leftover: false
        }
    }

    var concernsSecrets: Bool {
        switch finding {
        case .current, .attributes: concernsVersion
        default: false
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
    /// Whether it is a foreign file or symlink that a link can replace.
    package var isForeign: Bool {
        switch self {
        case .file: true
        case .symlink(let target): !Layout.isOurs(target)
        case .nothing, .directory, .other: false
        }
    }
}
