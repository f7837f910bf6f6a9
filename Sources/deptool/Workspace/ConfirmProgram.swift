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
        { [parent, cluster] in run(command, in: parent, cluster, for: Safety.programTimeout, isCancelled: $0) }
    }
}

/// Runs a shell command with this on its standard input, and returns its exit status; nil if it did not end in time, and
/// was killed. A command need not read its input.
func run(
    _ command: String, in parent: String, _ cluster: String, input: [UInt8] = [], for limit: Duration, isCancelled: () -> Bool
) -> Int? {
    var (source, sink): (Int32, Int32) = (-1, -1)
    guard csys_pipe(&source, &sink) == 0 else { return 127 }
    defer { if sink >= 0 { csys_close(sink) } }
    _ = csys_set_nonblocking(sink)
    // A group of its own, so that Ctrl-C rolls back and what it started can be ended.
    let pid = start(command, in: parent, cluster, from: source, csys_spawn)
    csys_close(source)
    guard pid > 0 else { return 127 }
    var rest = input[...]
    let end = csys_monotonic_ns() + Int64(limit / .nanoseconds(1))
    while true {
        if sink >= 0, !write(&rest, to: sink) {
            csys_close(sink)
            sink = -1
        }
        let status = csys_wait(pid, false)
        if status != -csys_eagain() { return Int(status) }
        guard csys_monotonic_ns() < end, !isCancelled() else {
            _ = csys_kill_group(pid, 9)
            _ = csys_wait(pid, true)
            return nil
        }
        var item = csys_poll_item(fd: sink, readable: false, writable: true)
        _ = csys_poll(&item, 1, 50)
    }
}

/// Writes as much as fits. False when all is written or nobody reads it.
private func write(_ rest: inout ArraySlice<UInt8>, to sink: Int32) -> Bool {
    guard !rest.isEmpty else { return false }
    let count = rest.withUnsafeBytes { csys_write(sink, $0.baseAddress, $0.count) }
    if count > 0 { rest = rest.dropFirst(Int(count)) }
    return !rest.isEmpty && (count > 0 || count == -Int64(csys_eagain()))
}
