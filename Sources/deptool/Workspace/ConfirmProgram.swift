import Display
import Git
import Model
import Planning
import Platform

extension Workspace {
    private var confirmKey: String { "deptool.\(cluster).confirm" }

    /// The command that has to confirm deploys of the cluster: the given one, or that of the store's configuration, which
    /// the user must have allowed as a render hook; nil for none.
    func confirmProgram(_ given: String?) throws -> String? {
        if let given { return given.isEmpty ? nil : given }
        // Git's configuration cannot have a section of this name.
        guard !cluster.contains("\n"), let command = try reporting({ try store.configuration(confirmKey) }) else { return nil }
        guard try reporting({ try KnownStores.ofUser().allows(command, for: confirmKey, of: directory, in: store.place) }) else {
            throw CommandError(
                "this machine does not allow the command `\(visible(command))` to confirm deploys of \(visible(directory))",
                "It is set in the store's configuration. Allow it with `deptool init --confirm-with COMMAND`, or skip it once with `--confirm-with ''`."
            )
        }
        return command
    }

    /// Sets the command that has to confirm deploys, and allows it to run; an empty command removes it.
    func setConfirmProgram(_ command: String) throws {
        guard !cluster.contains("\n") else { throw CommandError("the cluster's name has a line break, so it can have no such command") }
        try reporting {
            try store.setConfiguration(confirmKey, command.isEmpty ? nil : command)
            if !command.isEmpty { try KnownStores.ofUser().allow(command, for: confirmKey, of: directory, in: store.place) }
        }
    }

    /// Runs the command while hosts wait.
    func confirmation(by command: String) -> @Sendable (_ isCancelled: () -> Bool) -> Int? {
        { [parent, cluster] in run(command, in: parent, cluster, for: Safety.programTimeout, isCancelled: $0) }
    }
}

/// Runs a shell command with this on its standard input, and returns its exit status; nil if it did not end in time, and
/// was killed. A command need not read its input.
func run(
    _ command: String, in parent: String, _ cluster: String, input: [UInt8] = [], for limit: Duration, isCancelled: () -> Bool
) -> Int? {
    let end = MonotonicClock.now + limit
    do throws(Errno) {
        var pipe = try Pipe()
        try pipe.writing.setNonblocking()
        // A process group of its own, so that Ctrl-C rolls back and all its processes can be ended.
        let process = try start(command, in: parent, cluster: cluster, from: pipe.reading.number, .own)
        pipe.reading.close()
        var rest = input[...]
        while true {
            if !write(&rest, to: pipe.writing) { pipe.writing.close() }
            if let status = process.poll() { return Int(status) }
            guard MonotonicClock.now < end, !isCancelled() else {
                process.signalGroup(.kill)
                _ = process.wait()
                return nil
            }
            waitUntilWritable(pipe.writing.number, milliseconds: 50)
        }
    } catch {
        return 127
    }
}

/// Writes as much as fits. False when all is written or the reader has ended.
private func write(_ rest: inout ArraySlice<UInt8>, to sink: borrowing FileDescriptor) -> Bool {
    guard !rest.isEmpty else { return false }
    do throws(Errno) {
        rest = rest.dropFirst(try sink.write(rest.span))
        return !rest.isEmpty
    } catch {
        return error == .wouldBlock
    }
}
