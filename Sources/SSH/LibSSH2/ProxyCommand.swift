import CSystem

/// A program whose standard input and output are the connection to the server.
final class ProxyCommand {
    /// The command as the user wrote it.
    let shown: String
    private let process: Subprocess
    private let errorStream: Descriptor
    private var collected = Collected(limit: 4096)

    private init(shown: String, process: Subprocess, errorStream: Descriptor) {
        self.shown = shown
        self.process = process
        self.errorStream = errorStream
    }

    /// Starts the command, and returns our end of its connection.
    static func start(_ arguments: [String], shown: String) throws(SSHError) -> (Descriptor, ProxyCommand) {
        let (ours, theirs) = try Descriptor.socketPair()
        let (errors, errorStart) = try Descriptor.pipe()
        let process = try Subprocess(
            arguments, input: theirs.number, output: theirs.number, error: errorStart.number)
        // Ours must be the only copies, or the streams would never end.
        theirs.close()
        errorStart.close()
        return (ours, ProxyCommand(shown: shown, process: process, errorStream: errors))
    }

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

    func collect() { collected.read(from: errorStream.number) }

    /// The command's output, after its connection has ended. Waits at most half a second for the rest.
    func printedAtEnd() -> String {
        let deadline = Deadline.after(.milliseconds(500))
        while !collected.isAtEnd {
            var item = csys_poll_item(fd: errorStream.number, readable: true, writable: false)
            guard unsafe csys_poll(&item, 1, deadline.pollTimeout) > 0 else { break }
            collect()
        }
        return String(decoding: collected.bytes, as: UTF8.self)
    }
}
