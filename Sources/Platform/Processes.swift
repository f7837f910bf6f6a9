import CSystem

/// A program that this one started.
package struct ChildProcess: Sendable {
    package let id: Int32

    /// Where the process belongs, for signals and the terminal.
    package enum Group: UInt8 {
        /// A process group of its own: Ctrl-C does not reach it, and it can be killed together with its children.
        case own
        /// This program's: it may read from the terminal.
        case shared
        /// A session of its own, without a terminal.
        case session
    }

    package enum Signal: Int32 {
        case kill = 9
        case terminate = 15
    }

    /// Starts `arguments[0]`, found in `PATH`, without a shell (posix_spawnp(3)). A stream that is nil is `/dev/null`.
    package init(_ arguments: [String], in group: Group, input: Int32?, output: Int32?, error: Int32?) throws(Errno) {
        var packed: [UInt8] = []
        for argument in arguments { packed += Array(argument.utf8) + [0] }
        // Copies above 2: the child's standard descriptors would overwrite the others before they are copied.
        func inherited(_ number: Int32?) throws(Errno) -> FileDescriptor {
            guard let number else { return try .null() }
            return try FileDescriptor(duplicating: number)
        }
        let input = try inherited(input), output = try inherited(output), error = try inherited(error)
        let (one, two, three) = (input.number, output.number, error.number)
        id = try check(
            unsafe packed.withUnsafeBytes {
                unsafe csys_spawn_in(csys_group(group.rawValue), $0.baseAddress, $0.count, arguments.count, one, two, three)
            })
    }

    /// Waits for the exit status, in a shell's numbering.
    package func wait() -> Int32 { csys_wait(id, true) }

    /// The exit status; nil while it runs.
    package func poll() -> Int32? {
        let status = csys_wait(id, false)
        return status == -csys_eagain() ? nil : status
    }

    /// Sends a signal to it and to the rest of its group, which must be its own.
    package func signalGroup(_ signal: Signal) { csys_kill_group(id, signal.rawValue) }
}

/// Whether there is a process with this number, of any user.
package func processExists(_ id: Int32) -> Bool { csys_kill(id, 0) != -Int32(csys_esrch) }

package var processID: Int32 { csys_getpid() }
package var userID: UInt32 { UInt32(bitPattern: csys_getuid()) }
