/// A command that runs on a host, as the client sees it: two byte streams, standard error, and the exit status.
///
/// Used by one thread. Every call may block, and ends by its deadline. A read that timed out may be repeated; after
/// any other error, only `standardError` may be used.
///
/// ```swift
/// try stream.write(Array("true\n".utf8), deadline: .after(.seconds(30)))
/// try stream.closeWrite(deadline: .after(.seconds(5)))
/// guard case .code(0) = try stream.exitStatus(deadline: .after(.seconds(30))) else { … }
/// ```
package protocol RemoteStream: AnyObject {
    /// Sends all of `bytes`. Buffers output that arrives meanwhile, up to a limit, so that both sides may write at
    /// once.
    func write(_ bytes: [UInt8], deadline: Deadline) throws(SSHError)

    /// Sends a secret, without leaving a copy.
    func write(_ secret: Secret, deadline: Deadline) throws(SSHError)

    /// Returns 1 to `max` bytes of standard output; none at its end.
    func read(max: Int, deadline: Deadline) throws(SSHError) -> [UInt8]

    /// Waits for output or its end, and returns true; false if more of standard error arrives first.
    func waitForOutput(deadline: Deadline) throws(SSHError) -> Bool

    /// Closes the command's standard input.
    func closeWrite(deadline: Deadline) throws(SSHError)

    /// Waits for the command to end, reading and dropping the rest of its output.
    func exitStatus(deadline: Deadline) throws(SSHError) -> ExitStatus

    /// The first 64 KiB of standard error that have arrived so far. Unchecked bytes from the host.
    var standardError: [UInt8] { get }
}

/// How a remote command ended.
package enum ExitStatus: Hashable, Sendable {
    /// Also 0 if the host closed the channel without a status.
    case code(Int32)
    /// The signal's name without `SIG`, such as `KILL`.
    case signal(String)
}
