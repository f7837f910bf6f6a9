import CSystem
import Model
import Wire

extension Transaction {
    func commit(_ journal: Journal) throws(AgentError) {
        let made = try removeEmptyDirectories(journal)
        if systemd != nil, !journal.unsealed.isEmpty { try Secrets(system: system).installBoot(agent) }
        try syncPlaced(journal)
        try syncGranted()
        let enabled = try enabledLinks(journal)
        for directory in try directories(journal) { try system.sync(directory) }
        if let reason = supervisor.reason { throw AgentError(reason) }
        // The commit point. Nothing may fail after it: a rollback would contradict the record.
        if preparation.leavesNothing { return try system.removeIfThere(Layout.record) }
        let stored = StoredRecord(
            writer: agent, machineID: journal.machineID ?? "", record: preparation.record, madeDirectories: made,
            enablement: enabled ?? old?.enablement ?? [], knowsEnablement: enabled != nil || old?.knowsEnablement ?? true)
        try system.replace(Layout.record, with: stored.encoded, mode: 0o600)
    }

    /// Removes the directories that were made for links, once the last link is gone. Returns those that remain.
    private func removeEmptyDirectories(_ journal: Journal) throws(AgentError) -> [AbsolutePath] {
        var made = old?.madeDirectories ?? []
        for prior in journal.priors {
            if case .noDirectory(let directory) = prior, !made.contains(directory) { made.append(directory) }
        }
        var rest: [AbsolutePath] = []
        // Subdirectories come first.
        for directory in made.reversed() {
            var isThere = true
            do {
                isThere = try system.status(of: directory)?.kind == csys_kind_directory
            } catch {
                // This deploy may have nothing to do with it.
                guard system.isUsersDoing(error, at: directory) else { throw error }
            }
            guard isThere else { continue }
            var isNoted = false
            for case .directory(directory, _, _, _) in journal.priors { isNoted = true }
            if isNoted, try system.removeDirectory(directory) { continue }
            rest = [directory] + rest
        }
        return rest
    }

    /// The directories whose entries the steps changed, including those with systemd's own links.
    private func directories(_ journal: Journal) throws(AgentError) -> [AbsolutePath] {
        var directories: [AbsolutePath] = []
        func add(_ directory: AbsolutePath?) throws(AgentError) {
            guard let directory, !directories.contains(directory), try system.status(of: directory) != nil else { return }
            directories.append(directory)
        }
        for prior in journal.priors {
            switch prior {
            case .versions(let app, _, _): try add(app.directory)
            case .app: try add(Layout.apps)
            case .path(let path, _), .placed(let path, _, _), .noDirectory(let path), .directory(let path, _, _, _): try add(path.parent)
            case .readers(let path, _, _): try add(path)
            }
        }
        if journal.enablement != nil {
            for directory in try EnabledLinks(system: system).directories() { try add(directory) }
        }
        return directories
    }
}
