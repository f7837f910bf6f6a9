import CSystem
import Model
import Wire

/// Files left by earlier deploys, finished or not.
struct StaleFiles {
    let system: System

    /// Ends the transaction on disk. The record must be durable before the journal is removed.
    func closeJournal() throws(AgentError) {
        try system.syncParent(of: Layout.record)
        try system.removeIfThere(Layout.journal)
        try system.syncParent(of: Layout.journal)
        try BootUnit(system: system).remove()
        try system.removeTree(Layout.undo)
    }

    /// Ends a committed transaction and keeps the foreign files that it displaced. It can run again after an error.
    func closeCommitted() throws(AgentError) {
        guard let journal = try Journal.load(system) else { return }
        if let commit = journal.commit {
            var isKeeping = false
            for prior in journal.priors {
                guard let (path, copy) = prior.kept else { continue }
                isKeeping = true
                // Otherwise the copy was moved already, perhaps by an agent that was then killed.
                guard try system.status(of: Journal.copy(copy)) != nil else { continue }
                let place = Layout.kept(path, by: Version(commit))
                // Otherwise a power loss could restore the old record without the copy, or lose the copy's new directory.
                try system.syncParent(of: Layout.record)
                if let directory = place.parent { try system.makeDirectories(directory, mode: 0o700) }
                try system.syncFileSystem(of: Layout.store)
                try system.rename(Journal.copy(copy), to: place)
            }
            if isKeeping { try system.syncFileSystem(of: Layout.store) }
        }
        // Until here, a rollback would have needed them.
        let secrets = Secrets(system: system)
        for app in journal.unsealed { try secrets.forget(app) }
        if !journal.unsealed.isEmpty { try secrets.clearBoot() }
        try closeJournal()
    }

    /// Removes files that no deploy needs any more. While a transaction is open, all of them stay, because a rollback may need them.
    ///
    /// A file that cannot be removed does not protect the others; the last such failure is thrown.
    func sweep() throws(AgentError) {
        guard try system.status(of: Layout.journal) == nil else { return }
        try BootUnit(system: system).remove()
        var failure: AgentError?
        for path in try find(Record.load(system)) {
            do { try system.removeTree(path) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// All checkouts that are neither the current nor the previous version of their app, dangling `previous` links,
    /// unfinished files, and apps without any remains; each after its content.
    func find(_ record: Record?) throws(AgentError) -> [AbsolutePath] {
        var found = [Layout.undo, Layout.oldBootUnit, Layout.record.withSuffix(".new"), Layout.journal.withSuffix(".new")]
        // Agents whose upload was cut off.
        for name in try system.list(Layout.agents) where begins(name, "new.") {
            guard let pid = decimal(name.bytes.dropFirst(4)), 1...Int64(Int32.max) ~= pid, csys_kill(Int32(pid), 0) == -Int32(csys_esrch),
                let path = try? RelativePath(name)
            else { continue }
            found.append(Layout.agents.appending(path))
        }
        for name in try system.list(Layout.apps) {
            guard let app = AppName(name) else { continue }
            try find(app, isDeployed: record?.apps.contains { $0.name == app } ?? false, &found)
        }
        var there: [AbsolutePath] = []
        for path in found where try system.status(of: path) != nil { there.append(path) }
        return there
    }

    private func find(_ app: AppName, isDeployed: Bool, _ found: inout [AbsolutePath]) throws(AgentError) {
        // The path may hold something else, and a symlink may lead anywhere.
        guard try system.status(of: app.directory)?.kind == csys_kind_directory else { return }
        let current = try system.target(of: app.current)
        let previous = try system.target(of: app.previous)
        var isEmpty = current == nil && previous == nil
        let entries = try system.list(app.directory)
        if let previous, !has(entries, previous) { found.append(app.previous) }
        for entry in entries where !isSameText(entry, current) && !isSameText(entry, previous) {
            // An app whose `current` someone removed may still be running.
            let isVersion = Version(entry) != nil && (current != nil || !isDeployed)
            let isOurs = ends(entry, ".staging") || begins(entry, AbsolutePath.asideMark) || isVersion
            if isOurs, let path = try? RelativePath(entry) {
                found.append(app.directory.appending(path))
            } else {
                isEmpty = false
            }
        }
        if isEmpty { found.append(app.directory) }
    }

    /// Removes the drop-in directories of units if the steps removed the last file.
    func removeEmptyDropIns(_ steps: [Step]) {
        for step in steps {
            guard let path = step.action.pathThatGoes, let directory = path.parent,
                directory.parent == Layout.unitLinks || directory.parent == Layout.quadlets
            else { continue }
            _ = try? system.removeDirectory(directory)
        }
    }

    /// The number of other agents to keep. Operators may use different versions, and each would upload its own again.
    private static var maximumAgents: Int { 2 }

    /// Removes agents except the running one and the newest of the others.
    func removeAgents(except own: String) throws(AgentError) {
        var others: [(path: AbsolutePath, time: Int64)] = []
        for name in try system.list(Layout.agents) where begins(name, "deptool-agent-") && !isSameText(name, own) {
            guard let path = try? RelativePath(name), case let path = Layout.agents.appending(path) else { continue }
            if let status = try system.status(of: path) { others.append((path, status.mtime_ns)) }
        }
        while others.count > Self.maximumAgents, let oldest = others.indices.min(by: { others[$0].time < others[$1].time }) {
            try system.removeTree(others.remove(at: oldest).path)
        }
    }
}

extension Journal.Prior {
    /// The former path of a foreign file, and the number of its copy.
    fileprivate var kept: (AbsolutePath, Int)? {
        switch self {
        case .path(let path, .kept(let copy)), .placed(let path, .kept(let copy), _): (path, copy)
        default: nil
        }
    }
}

extension Step.Action {
    /// The path that the step removes.
    fileprivate var pathThatGoes: AbsolutePath? {
        switch self {
        case .unlink(let path), .unplace(let path): path
        default: nil
        }
    }
}
