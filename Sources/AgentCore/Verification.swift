import CSystem
import Model
import Wire

/// Compares a host with its record. What differs is told as it is found, so that it never piles up here.
final class Verification {
    private let system: System
    private let systemd: Systemd?
    private let port: Port
    private var found: [Drift] = []
    private var rest = Drift.most
    /// When the laptop heard the last of this, by the monotonic clock.
    private var told = csys_monotonic_ns()

    init(system: System, systemd: Systemd?, port: Port) {
        self.system = system
        self.systemd = systemd
        self.port = port
    }

    func run(_ record: Record, _ privateApps: [PrivateApp]) throws(Failure) {
        for (path, mode) in Layout.directories { try compareAttributes(nil, path.text, path, mode) }
        for path in try Leftovers(system: system).find() { add(nil, .leftover(path.text)) }
        for name in try system.list(Layout.apps) {
            if let app = AppName(name), !record.apps.contains(where: { $0.name == app }), try system.target(of: app.current) != nil {
                add(nil, .leftover(app.directory.text))
            }
        }
        for app in record.apps { try compare(app, privateApps.first { $0.app == app.name }) }
        for link in record.links where try system.target(of: link.path) != link.target.text {
            add(link.app, .link(link.path, link.source, try look(link.path)))
        }
        try compareUnits(record.units)
        flush()
    }

    private func compareUnits(_ units: [DeployedUnit]) throws(Failure) {
        guard let systemd else { return }
        for (unit, status) in zip(units, try systemd.show(units.map { $0.name })) {
            if status.isDisabled { add(unit.app, .disabled(unit.name)) }
            // Of its restarts, those of long ago are no concern.
            if case .unwell(let problem) = status.verdict(before: status.invocation) {
                add(unit.app, .unwell(unit.name, problem))
            }
        }
    }

    // MARK: Versions

    private func compare(_ app: DeployedApp, _ restriction: PrivateApp?) throws(Failure) {
        guard let target = try system.target(of: app.name.current), let name = Version(target),
            case let version = app.name.version(name), try system.status(of: version)?.kind == csys_kind_directory
        else {
            return add(app.name, .current(try look(app.name.current)))
        }
        let group = try restriction?.group.map { group throws(Failure) in try system.id(of: group) }
        let mode: UInt32 = restriction == nil ? 0o755 : group == nil ? 0o700 : 0o750
        try compareAttributes(app.name, ".", version, mode, gid: group)
        // The files of the app, and the directories that hold them.
        var known: [AbsolutePath: ObjectID] = [:]
        for file in app.files {
            let path = version.appending(file.path)
            let there = try look(path)
            if case .file(let id, _) = there {
                try compareAttributes(app.name, file.path.text, path, file.mode)
                if id != file.id { add(app.name, .file(file.path, there)) }
            } else {
                add(app.name, .file(file.path, there))
            }
            var directory: AbsolutePath? = path
            while let here = directory, here != version, known[here] == nil {
                known[here] = file.id
                directory = here.parent
            }
        }
        try walk(app.name, version, below: version, known)
    }

    /// Compares what is in a directory of a version, but for the files.
    private func walk(
        _ app: AppName, _ directory: AbsolutePath, below version: AbsolutePath, _ known: [AbsolutePath: ObjectID]
    ) throws(Failure) {
        for name in try system.list(directory) {
            let path = directory.appending(name: name)
            let text = String(decoding: path.text.utf8.dropFirst(version.text.utf8.count + 1), as: UTF8.self)
            if known[path] == nil {
                add(app, .extra(text))
            } else if try system.status(of: path)?.kind == csys_kind_directory {
                try compareAttributes(app, text, path, 0o755)
                try walk(app, path, below: version, known)
            }
        }
    }

    private func compareAttributes(
        _ app: AppName?, _ name: String, _ path: AbsolutePath, _ mode: UInt32, gid: UInt32? = nil
    ) throws(Failure) {
        // Whoever has moved a directory elsewhere, and linked it, says there who may what.
        guard let status = try system.status(of: path), status.kind != csys_kind_symlink else { return }
        let there = Drift.Attributes(mode: status.mode, uid: status.uid, gid: status.gid)
        let recorded = Drift.Attributes(
            mode: mode, uid: UInt32(truncatingIfNeeded: csys_getuid()), gid: gid ?? UInt32(truncatingIfNeeded: csys_getgid()))
        if there != recorded { add(app, .attributes(name, found: there, recorded: recorded)) }
    }

    // MARK: Looking and telling

    private func look(_ path: AbsolutePath) throws(Failure) -> Drift.Found {
        // A file may take long; more than that it is alive need nobody know.
        if csys_monotonic_ns() - told > 5_000_000_000 { tell(.pong) }
        return try system.found(at: path)
    }

    private func add(_ app: AppName?, _ finding: Drift.Finding) {
        guard rest > 0 else { return }
        rest -= 1
        found.append(Drift(app, finding))
        if found.count == 100 { flush() }
    }

    private func flush() {
        if !found.isEmpty { tell(.drift(found)) }
        found = []
    }

    private func tell(_ reply: Reply) {
        port.send(reply)
        told = csys_monotonic_ns()
    }
}

extension System {
    func found(at path: AbsolutePath) throws(Failure) -> Drift.Found {
        switch try occupant(of: path) {
        case nil: .nothing
        case .file: .file(try hash(path), size: try status(of: path)?.size ?? 0)
        case .directory: .directory
        case .symlink(let target): .symlink(to: target)
        case .other: .other
        }
    }
}

extension UnitStatus {
    /// Whether somebody has disabled it. A unit that is `static` or `generated`, say, cannot be enabled.
    fileprivate var isDisabled: Bool {
        unitFileState == "disabled" || unitFileState.hasPrefix("linked") || unitFileState.hasPrefix("masked")
    }
}
