/// A command that runs on a host, as the client sees it: two byte streams, what it says besides, and how it ended.
///
/// One thread uses it; every call may block, and ends by its deadline. A read that ended so may be repeated; after any
/// other error nothing more may be asked of it but `standardError`.
package protocol RemoteStream: AnyObject {
    /// Sends all of `bytes`. What arrives meanwhile is kept, up to a limit, so that both sides may write at once.
    func write(_ bytes: [UInt8], deadline: Deadline) throws(SSHError)

    /// The same, without a copy that stays.
    func write(_ secret: Secret, deadline: Deadline) throws(SSHError)

    /// At least one and at most `max` bytes of its standard output; none at its end.
    func read(max: Int, deadline: Deadline) throws(SSHError) -> [UInt8]

    /// Waits until there is output to read, or its end, and then says yes; no when more of standard error has come.
    func waitForOutput(deadline: Deadline) throws(SSHError) -> Bool

    /// Ends its standard input.
    func closeWrite(deadline: Deadline) throws(SSHError)

    /// Waits for its end, reading and dropping the rest of its output.
    func exitStatus(deadline: Deadline) throws(SSHError) -> ExitStatus

    /// What it wrote to standard error and has arrived so far: the first 64 KiB. Unchecked bytes from the host.
    var standardError: [UInt8] { get }
}

/// How a remote command ended.
package enum ExitStatus: Hashable, Sendable {
    /// 0 also when the host closed the channel without a word.
    case code(Int32)
    /// The signal's name without `SIG`, such as `KILL`.
    case signal(String)
}
