import CSystem
import Model
import Wire

/// Compares a host with its record. It sends differences as it finds them, so that they never pile up here.
final class HostComparison: Heartbeat {
    private let system: System
    private let port: ClientChannel
    private var found: [Drift] = []
    private var disabled: [UnitName] = []
    private var rest = Drift.maximumFindings
    /// The time of the last message to the client, by the monotonic clock.
    private var told = csys_monotonic_ns()
    /// The last error. With one, the state of the host as a whole is unknown.
    private var failure: AgentError?

    init(system: System, port: ClientChannel) {
        self.system = system
        self.port = port
    }

    func run(_ stored: StoredRecord, _ privateApps: [PrivateApp], _ systemd: Systemd?) throws(AgentError) {
        system.pulse = self
        defer { system.pulse = nil }
        let record = stored.record
        for (path, mode) in Layout.directories { compareAttributes(of: path.text, at: path, app: nil, mode: mode) }
        compareLeftovers(record)
        for app in record.apps { compare(app, privateApps.first { $0.app == app.name }) }
        for app in record.apps {
            for link in record.links where link.app == app.name {
                // A user may own the directory, and must not keep the agent busy.
                let there = (status(link.path)?.size ?? 0) > 1 << 28 ? .other : look(link.path)
                if case .symlink(let target) = there, isSameText(target, link.target.text) { continue }
                add(link.app, .link(link.path, link.source, there))
            }
            for file in record.placed where file.app == app.name { compare(file, record) }
            do { try Secrets(system: system).compare(app.name) { self.add(app.name, $0) } } catch { failure = error }
        }
        if let systemd {
            if stored.knowsEnablement { compareEnablement(stored) }
            do { compare(record, try systemd.show(record.units.map { $0.name }), systemd) } catch { failure = error }
        }
        flush()
        if let failure { throw failure }
    }

    private func compare(_ file: PlacedFile, _ record: Record) {
        guard let content = record.content(of: file.source, in: file.app) else { return }
        let there = look(file.path)
        guard case .file(content, _) = there else { return add(file.app, .placed(file.path, file.source, there)) }
        do {
            let recorded = try system.attributes(file.access)
            if let found = status(file.path)?.attributes, found != recorded {
                add(file.app, .attributes(file.path.text, found: found, recorded: recorded))
            }
        } catch {
            failure = error
        }
    }

    /// Compares the links that enable the units one by one: systemd reports a unit as enabled as long as one of them exists.
    private func compareEnablement(_ stored: StoredRecord) {
        do {
            let now = try EnabledLinks(system: system).snapshot().links
            for unit in stored.record.units {
                let recorded = stored.enablement.filter { $0.unit == unit.name }.map { $0.link }
                if recorded.contains(where: { !now.contains($0) }) { add(unit.app, .disabled(unit.name)) }
                for link in now where link.enables(unit.name) && !recorded.contains(link) {
                    add(unit.app, .enabledBy(unit.name, link.path))
                }
            }
        } catch {
            failure = error
        }
    }

    private func compareLeftovers(_ record: Record) {
        do {
            for path in try StaleFiles(system: system).find(record) { add(nil, .leftover(path.text)) }
        } catch {
            failure = error
        }
        for name in list(Layout.apps) {
            if let app = AppName(name), !record.apps.contains(where: { $0.name == app }), isThere(app.current) {
                add(nil, .leftover(app.directory.text))
            }
        }
    }

    private func compare(_ record: Record, _ statuses: [UnitStatus], _ systemd: Systemd) {
        for index in record.units.indices {
            let unit = record.units[index], status = statuses[index]
            if systemd.isDisabled(unit.name), !disabled.contains(unit.name) { add(unit.app, .disabled(unit.name)) }
            // Restarts from long ago do not matter.
            switch systemd.verdict(unit.name, status, before: status.invocation) {
            case .unwell(let problem), .forgotten(let problem): add(unit.app, .unwell(unit.name, problem))
            case .healthy, .pending: break
            }
        }
    }

    // MARK: Versions

    private func compare(_ app: DeployedApp, _ restriction: PrivateApp?) {
        let current = look(app.name.current)
        guard case .symlink(let target) = current, let name = Version(target), case let version = app.name.version(name),
            case .directory = look(version)
        else { return add(app.name, .current(current)) }
        var group: UInt32?
        if let name = restriction?.group {
            do { group = try system.id(of: name) } catch { failure = error }
        }
        compareAttributes(
            of: ".", at: version, app: app.name, mode: restriction == nil ? 0o755 : group == nil ? 0o700 : 0o750, gid: group)
        // The files of the app and their directories.
        var known: [AbsolutePath: Int] = [:]
        for file in app.files {
            let path = version.appending(file.path)
            let there = look(path)
            if case .file(file.id, _) = there {} else { add(app.name, .file(file.path, there)) }
            if case .file = there, restriction == nil || status(path)?.attributes != recorded(file.mode) {
                // Agents that protected private files only by the directory gave them ordinary modes.
                let mask: UInt32 = restriction == nil ? 0o777 : group == nil ? 0o500 : 0o550
                compareAttributes(of: file.path.text, at: path, app: app.name, mode: file.mode & mask, gid: group)
            }
            var directory: AbsolutePath? = path
            while let here = directory, here != version, known[here] == nil {
                known[here] = 1
                directory = here.parent
            }
        }
        walk(app.name, version, below: version, known)
    }

    /// Compares the entries of a version's directory, except files.
    private func walk(_ app: AppName, _ directory: AbsolutePath, below version: AbsolutePath, _ known: [AbsolutePath: Int]) {
        for name in list(directory) {
            let path = directory.appending(name: name)
            let text = text(path.text.bytes.dropFirst(version.text.utf8.count + 1))
            if known[path] == nil {
                add(app, .extra(text))
            } else if status(path)?.kind == csys_kind_directory {
                compareAttributes(of: text, at: path, app: app, mode: 0o755)
                walk(app, path, below: version, known)
            }
        }
    }

    private func compareAttributes(of name: String, at path: AbsolutePath, app: AppName?, mode: UInt32, gid: UInt32? = nil) {
        // A directory that was moved and symlinked keeps the permissions of its new location.
        guard let status = status(path), status.kind != csys_kind_symlink else { return }
        let there = status.attributes
        let recorded = recorded(mode, gid: gid)
        if there != recorded { add(app, .attributes(name, found: there, recorded: recorded)) }
    }

    private func recorded(_ mode: UInt32, gid: UInt32? = nil) -> Drift.Attributes {
        Drift.Attributes(
            mode: mode, uid: UInt32(truncatingIfNeeded: csys_getuid()), gid: gid ?? UInt32(truncatingIfNeeded: csys_getgid()))
    }

    // MARK: Looking

    private func look(_ path: AbsolutePath) -> Drift.Found {
        // A file may take long. The client needs only a sign of life.
        if csys_monotonic_ns() - told > 5_000_000_000 { tell(.pong) }
        do {
            return try system.found(at: path)
        } catch {
            note(error, path)
            return isThereAtAll(path) ? .other : .nothing
        }
    }

    /// Keeps an error, unless a user caused it in the user's own directory: no user may hide the state of the host.
    private func note(_ error: AgentError, _ path: AbsolutePath) {
        if !system.isUsersDoing(error, at: path) { failure = error }
    }

    private func isThereAtAll(_ path: AbsolutePath) -> Bool { (try? system.status(of: path)) ?? nil != nil }

    private func isThere(_ path: AbsolutePath) -> Bool {
        if case .nothing = look(path) { false } else { true }
    }

    private func status(_ path: AbsolutePath) -> csys_stat? {
        do {
            return try system.status(of: path)
        } catch {
            note(error, path)
            return nil
        }
    }

    private func list(_ path: AbsolutePath) -> [String] {
        do {
            return try system.list(path)
        } catch {
            failure = error
            return []
        }
    }

    // MARK: Telling

    private func add(_ app: AppName?, _ finding: Drift.Finding) {
        guard rest > 0 else { return }
        rest -= 1
        if case .disabled(let unit) = finding { disabled.append(unit) }
        found.append(Drift(app, finding))
        if found.count == 100 { flush() }
    }

    func beat() { tell(.pong) }

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
    /// A file that is too large to read in reasonable time, as a sparse file can be, counts as another kind of object.
    private func foundFile(at path: AbsolutePath) throws(AgentError) -> Drift.Found {
        let size = try status(of: path)?.size ?? 0
        return size > Drift.maximumHashed ? .other : .file(try hash(path, limit: size), size: size)
    }

    func found(at path: AbsolutePath) throws(AgentError) -> Drift.Found {
        switch try occupant(of: path) {
        case nil: .nothing
        case .file: try foundFile(at: path)
        case .directory: .directory
        case .symlink(let target): .symlink(to: target)
        case .other: .other
        }
    }
}

extension csys_stat {
    var attributes: Drift.Attributes { Drift.Attributes(mode: mode, uid: uid, gid: gid) }
}
