import Model
import Wire

/// The recovery before an agent answers: an earlier one may have been interrupted.
extension Agent {
    /// Undoes a transaction that was never finished, and removes the files of a killed agent. The agent answers nothing
    /// before that.
    func recover() throws(AgentError) -> Outcome? {
        try runWriterOfJournal()
        let isOpen = try system.status(of: Layout.journal) != nil
        let isNamed = try HostLock.isNamed(system)
        guard isOpen || isNamed else { return nil }
        do throws(AgentError) {
            switch try HostLock.acquire(system, for: nil) {
            case .held: return nil  // it is being worked on
            case .acquired(let lock):
                let outcome = try finishTransaction(because: AgentError(.interrupted))
                cleanUp(lock)
                return outcome
            }
        } catch {
            // Stale files alone are no reason to refuse anyone.
            if isOpen { throw error }
            return nil
        }
    }

    /// Lets the agent that wrote an open journal undo it, if it is another one and still present: it can undo its own changes best.
    private func runWriterOfJournal() throws(AgentError) {
        guard let writer = try Journal.writer(system), !isSameText(writer, ownName), let name = try? RelativePath(writer),
            name.components.count == 1, try system.status(of: Layout.agents.appending(name)) != nil
        else { return }
        // It recovers, sends its greeting, and exits with its input. This agent handles the rest of the journal next, in any case.
        _ = try? Command(system: system, interruption: Uninterrupted())
            .run([system.real(Layout.agents.appending(name))], limit: .seconds(3600))
    }

    /// Cleans up after a committed transaction, or rolls back an open one. Nil if there is none.
    func finishTransaction(because failure: AgentError) throws(AgentError) -> Outcome? {
        guard let journal = try Journal.load(system) else { return nil }
        if try journal.isCommitted(system) {
            try StaleFiles(system: system).closeCommitted()
            return .deployed
        }
        return Rollback(system: system, systemd: systemd(nil)).run(journal, because: failure)
    }

    /// Removes files that no deploy needs any more. If that fails, the next agent does it at its start, because the
    /// lock keeps its name.
    func cleanUp(_ lock: borrowing HostLock) {
        guard (try? StaleFiles(system: system).sweep()) != nil else { return }
        lock.clear()
    }
}
