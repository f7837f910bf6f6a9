import CSystem
import Display
import Git
import Model
import Planning

extension Workspace {
    private var confirmKey: String { "deptool.\(cluster).confirm" }

    /// The command that has to confirm deploys of the cluster: the given one, or that of the store's configuration, which
    /// the user must have allowed as a render hook; nil for none.
    func confirmProgram(_ given: String?) throws -> String? {
        if let given { return given.isEmpty ? nil : given }
        // Git's configuration cannot have a section of this name.
        guard !cluster.contains("\n"), let command = try complaining({ try store.configuration(confirmKey) }) else { return nil }
        guard try complaining({ try KnownStores.ofUser().allows(command, for: confirmKey, of: directory, in: store.place) }) else {
            throw CommandError(
                "you did not allow the command `\(visible(command))` to confirm deploys of \(visible(directory))",
                "It is set in the store's configuration. Allow it with `deptool init --confirm-with COMMAND`, or skip it once with `--confirm-with ''`."
            )
        }
        return command
    }

    /// Sets the command that has to confirm deploys, and allows it to run; an empty command removes it.
    func setConfirmProgram(_ command: String) throws {
        guard !cluster.contains("\n") else { throw CommandError("the cluster's name has a line break, so it can have no such command") }
        try complaining {
            try store.setConfiguration(confirmKey, command.isEmpty ? nil : command)
            if !command.isEmpty { try KnownStores.ofUser().allow(command, for: confirmKey, of: directory, in: store.place) }
        }
    }

    /// What runs the command while hosts wait.
    func confirmation(by command: String) -> @Sendable (_ isCancelled: () -> Bool) -> Int? {
        { [parent, cluster] in run(command, in: parent, cluster, isCancelled: $0) }
    }
}

/// Runs the command, and returns its exit status; nil if it did not end in time, and was killed.
private func run(_ command: String, in parent: String, _ cluster: String, isCancelled: () -> Bool) -> Int? {
    // A group of its own, so that Ctrl-C rolls back and what it started can be ended.
    let pid = start(command, in: parent, cluster, csys_spawn)
    guard pid > 0 else { return 127 }
    let end = csys_monotonic_ns() + Int64(Safety.programTimeout / .nanoseconds(1))
    while true {
        let status = csys_wait(pid, false)
        if status != -csys_eagain() { return Int(status) }
        guard csys_monotonic_ns() < end, !isCancelled() else {
            _ = csys_kill_group(pid, 9)
            _ = csys_wait(pid, true)
            return nil
        }
        _ = csys_poll(nil, 0, 50)
    }
}
