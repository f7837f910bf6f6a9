import Platform

/// A program whose standard input and output are the connection to the server.
final class ProxyCommand {
    /// The command as the user wrote it.
    let shown: String
    private let process: Subprocess
    private var connection: FileDescriptor
    private let errorStream: FileDescriptor
    private var collected = Collected(limit: 4096)

    /// Starts the command.
    init(_ arguments: [String], shown: String) throws(SSHError) {
        self.shown = shown
        var sockets = try attempt("socketpair", try SocketPair())
        var errors = try attempt("pipe", try Pipe())
        // Ours are the only copies from then on, or the streams would never end.
        process = try Subprocess(
            arguments, input: sockets.theirs.number, output: sockets.theirs.number, error: errors.writing.number)
        connection = sockets.ours.take()
        errorStream = errors.reading.take()
    }

    /// Our end of its connection.
    func takeConnection() -> FileDescriptor { connection.take() }

    /// The command that OpenSSH itself runs for ProxyJump: `ssh -W [host]:port`, through the last of the jump hosts.
    /// It never prompts: several connections start at once, and none of them owns the terminal.
    static func jumpArguments(_ hosts: [String], _ settings: HostSettings) -> [String] {
        var arguments = ["ssh", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3"]
        // A control master would stay behind.
        arguments += ["-o", "ControlMaster=no"]
        if let file = settings.configurationFile { arguments += ["-F", file] }
        let nearer = hosts.dropLast()
        if !nearer.isEmpty { arguments += ["-J", nearer.joined(separator: ",")] }
        let last = hosts.last.flatMap(JumpHost.init)
        if let user = last?.user { arguments += ["-l", user] }
        if let port = last?.port { arguments += ["-p", String(port)] }
        return arguments + ["-W", "[\(settings.hostName)]:\(settings.port)", "--", last?.host ?? ""]
    }

    /// The descriptor of its standard error, -1 once that has ended.
    var errors: Int32 { collected.isAtEnd ? -1 : errorStream.number }

    func collect() { collected.read(from: errorStream) }

    /// The command's output, after its connection has ended. Waits at most half a second for the rest.
    func printedAtEnd() -> String {
        let deadline = Deadline.after(.milliseconds(500))
        while !collected.isAtEnd {
            guard waitUntilReadable(errorStream.number, milliseconds: deadline.pollTimeout) else { break }
            collect()
        }
        return String(decoding: collected.bytes, as: UTF8.self)
    }
}
