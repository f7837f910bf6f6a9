import CSSH2
import Model

/// A logged-in SSH connection. Used by one thread, which waits in its calls.
///
/// Deallocating it and its channels closes the connection and ends a proxy command.
package final class Connection {
    private let session: Session

    /// Connects, verifies the host key and logs in.
    ///
    /// `deadline` limits the whole; ``HostSettings/connectLimit`` limits each attempt to connect, and the handshake.
    /// Throws any ``SSHError``.
    package init(
        to settings: HostSettings, prompts: Prompts, interrupt: Interrupt, deadline: Deadline
    ) throws(SSHError) {
        var deadline = deadline
        let hostKeys = try HostKeyCheck(settings)
        let transport = try Socket(to: settings, interrupt: interrupt, deadline: deadline)
        session = try Session(over: transport, interrupt: interrupt)
        try session.offer(hostKeys: hostKeys.preferredTypes, settings.algorithms)
        try session.handshake(deadline: min(deadline, .after(settings.connectLimit)))
        let (key, sha256) = try session.hostKey()
        try hostKeys.check(key, sha256: sha256, prompts: prompts, deadline: &deadline)
        var login = Login(session: session, settings: settings, prompts: prompts, interrupt: interrupt)
        try login.run(deadline: &deadline)
    }

    /// Runs a command through the login shell (`exec`, RFC 4254 section 6.5), and returns once the server has started
    /// it: two round trips. Throws ``SSHError/commandRefused(message:)``, and errors that end a wait or the
    /// connection.
    package func start(_ command: String, deadline: Deadline) throws(SSHError) -> Channel {
        try Channel(session, command: command, deadline: deadline)
    }
}
