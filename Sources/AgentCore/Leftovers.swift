import CSystem
import Model
import Wire

/// What earlier deploys left, finished or not.
struct Leftovers {
    let system: System

    /// Ends the transaction on disk. The record must not be lost after the journal is.
    func closeJournal() throws(Failure) {
        try system.syncParent(of: Layout.record)
        try system.removeIfThere(Layout.journal)
        try system.syncParent(of: Layout.journal)
        try BootUnit(system: system).unlink()
        try system.removeTree(Layout.undo)
    }

    /// Removes every checkout that is neither the current nor the previous version of its app, what was never finished,
    /// and apps of which nothing is left. While a transaction is open, undoing it may need any of that, and it all stays.
    ///
    /// One that cannot be removed keeps none of the others; the last such failure is thrown.
    func sweep() throws(Failure) {
        guard try system.status(of: Layout.journal) == nil else { return }
        var failure: Failure?
        func attempt(_ work: () throws(Failure) -> Void) {
            do { try work() } catch { failure = error }
        }
        attempt { () throws(Failure) in try system.removeTree(Layout.undo) }
        attempt { () throws(Failure) in try BootUnit(system: system).unlink() }
        for path in [Layout.record, Layout.journal] {
            attempt { () throws(Failure) in try system.removeIfThere(path.withSuffix(".new")) }
        }
        // Agents of which the upload was cut.
        for name in try system.list(Layout.agents) where name.utf8.starts(with: "new.".utf8) {
            guard let pid = Int(String(decoding: name.utf8.dropFirst(4), as: UTF8.self)), 1...Int(Int32.max) ~= pid, csys_kill(Int32(pid), 0) == -Int32(csys_esrch),
                let path = try? RelativePath(name)
            else { continue }
            attempt { () throws(Failure) in try system.remove(Layout.agents.appending(path)) }
        }
        for name in try system.list(Layout.apps) {
            guard let app = AppName(name) else { continue }
            attempt { () throws(Failure) in try sweep(app) }
        }
        if let failure { throw failure }
    }

    private func sweep(_ app: AppName) throws(Failure) {
        // Something else may lie there, and a symlink may lead anywhere.
        guard try system.status(of: app.directory)?.kind == csys_kind_directory else { return }
        let current = try system.target(of: app.current)
        let previous = try system.target(of: app.previous)
        for entry in try system.list(app.directory) where entry != current && entry != previous {
            let unfinished = entry.utf8.ends(with: ".staging") || entry == app.current.temporary.name
            guard unfinished || Version(entry) != nil, let path = try? RelativePath(entry) else { continue }
            try system.removeTree(app.directory.appending(path))
        }
        if current == nil, previous == nil { try system.removeDirectory(app.directory) }
    }

    /// Removes the drop-in directories of units from which the steps took the last link.
    func removeEmptyDropIns(_ steps: [Step]) {
        for step in steps {
            guard case .unlink(let path) = step.action, let directory = path.parent,
                LinkDirectory.all.contains(where: { $0.hasDropIns && directory.parent == $0.target })
            else { continue }
            _ = try? system.removeDirectory(directory)
        }
    }

    /// Removes agents other than the one that runs.
    func removeAgents(except own: String) throws(Failure) {
        for name in try system.list(Layout.agents) where name.utf8.starts(with: "deptool-agent-".utf8) && name != own {
            if let path = try? RelativePath(name) { try system.removeIfThere(Layout.agents.appending(path)) }
        }
    }
}
