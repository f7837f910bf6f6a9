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
        let parent = "/" + directory.split(separator: "/").dropLast().joined(separator: "/")
        return { [cluster] in run(command, in: parent, cluster, isCancelled: $0) }
    }
}

/// Runs the command beside the cluster's directory, with its output on standard error. Returns its exit status; nil if it did
/// not end in time, and was killed.
private func run(_ command: String, in parent: String, _ cluster: String, isCancelled: () -> Bool) -> Int? {
    let script = #"cd "$1" && export DEPTOOL_CLUSTER="$2" && exec sh -c "$3""#
    var bytes: [UInt8] = []
    let arguments = ["sh", "-c", script, "sh", parent, cluster, command]
    for argument in arguments { bytes += Array(argument.utf8) + [0] }
    let input = csys_open_null()
    let outputs = [csys_duplicate(2), csys_duplicate(2)]
    defer { for descriptor in [input] + outputs where descriptor >= 0 { _ = csys_close(descriptor) } }
    // A group of its own, so that Ctrl-C rolls back and what it started can be ended.
    let pid = bytes.withUnsafeBytes { csys_spawn($0.baseAddress, $0.count, arguments.count, input, outputs[0], outputs[1]) }
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
