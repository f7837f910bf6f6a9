import Model
import Platform

/// A command on a host through the system's `ssh` (ssh(1)), for features that libssh2 lacks.
///
/// Passes ssh's prompts to `prompts`; without any, ssh never prompts (BatchMode). ssh never outlives this object.
package final class SystemSSH: RemoteStream {
    private let process: Subprocess
    private let socket: FileDescriptor
    private let errors: FileDescriptor
    private let interrupt: Interrupt
    private var log: SystemSSHLog
    private var incoming = ByteQueue()
    private var hasEnded = false
    private var haveErrorsEnded = false
    private var isWriteClosed = false

    /// Maximum output to buffer during a write. Beyond it, the host waits until we read.
    private static let maximumKept = 64 << 20

    /// Whether to use an existing connection of ssh.
    package enum Sharing: Sendable {
        /// Use a running ControlMaster.
        case allowed
        /// Make a new login.
        case none
    }

    /// Starts ssh, and returns once it has logged in. Throws any ``SSHError`` except ``SSHError/protocolError(_:message:)``.
    package init(
        _ command: String, on settings: HostSettings, sharing: Sharing, prompts: Prompts, interrupt: Interrupt,
        deadline: Deadline
    ) throws(SSHError) {
        let dialogue = prompts.isEmpty ? nil : try SystemSSHDialogue(settings, prompts)
        var words = ["env"]
        words += try dialogue?.askpass.environment() ?? ["SSH_ASKPASS_REQUIRE=never"]
        words += Self.arguments(settings, sharing, canAsk: dialogue != nil) + ["--", settings.name.text, command]
        var sockets = try attempt("socketpair", try SocketPair())
        var errors = try attempt("pipe", try Pipe())
        process = try Subprocess(
            words, in: .session, input: sockets.theirs.number, output: sockets.theirs.number, error: errors.writing.number)
        sockets.theirs.close()
        errors.writing.close()
        socket = sockets.ours.take()
        self.errors = errors.reading.take()
        (self.interrupt, log) = (interrupt, SystemSSHLog())
        try attempt("fcntl", try socket.setNonblocking())
        try attempt("fcntl", try self.errors.setNonblocking())
        try logIn(settings, dialogue, deadline)
    }

    /// Overrides of the configuration: no forwarding, no terminal, no command of its own, and no process that stays
    /// behind. The debug messages show ssh's progress.
    static func arguments(_ settings: HostSettings, _ sharing: Sharing, canAsk: Bool) -> [String] {
        var options = [
            "LogLevel=DEBUG1", "BatchMode=\(canAsk ? "no" : "yes")", "ControlMaster=no", "ClearAllForwardings=yes",
            "RemoteCommand=none", "PermitLocalCommand=no", "EscapeChar=none", "ServerAliveInterval=10",
            "ServerAliveCountMax=3",
        ]
        if settings.connectTimeout == nil { options.append("ConnectTimeout=\(settings.connectLimit.components.seconds)") }
        if sharing == .none { options.append("ControlPath=none") }
        if settings.isStrict { options.append("StrictHostKeyChecking=\(settings.strictHostKeyChecking == .yes ? "yes" : "ask")") }
        options += settings.resets
        let file = settings.configurationFile.map { ["-F", $0] } ?? []
        return ["ssh", "-T", "-x", "-a"] + file + options.flatMap { ["-o", $0] }
    }

    private func logIn(
        _ settings: HostSettings, _ dialogue: SystemSSHDialogue?, _ deadline: Deadline
    ) throws(SSHError) {
        var deadline = deadline
        while true {
            try interrupt.throwIfFired()
            collect()
            if log.hasStarted || !incoming.isEmpty { return }
            if hasEnded { throw failure(settings, dialogue) }
            do throws(SSHError) {
                try dialogue?.serve(interrupt, log, &deadline)
                _ = try wait(for: .readable, and: dialogue?.askpass.descriptor ?? -1, until: deadline)
            } catch .timedOut {
                throw .timedOut(log.phase)
            }
        }
    }

    /// Why ssh exited before it had logged in.
    private func failure(_ settings: HostSettings, _ dialogue: SystemSSHDialogue?) -> SSHError {
        let deadline = Deadline.after(.milliseconds(500))
        while !haveErrorsEnded {
            guard waitUntilReadable(errors.number, milliseconds: deadline.pollTimeout) else { break }
            collect()
        }
        return log.failure(settings, dialogue)
    }

    package var standardError: [UInt8] { log.standardError }

    package func write(_ bytes: [UInt8], deadline: Deadline) throws(SSHError) {
        try write(bytes.span, deadline)
    }

    package func write(_ secret: Secret, deadline: Deadline) throws(SSHError) {
        try secret.withSpan { bytes throws(SSHError) in try write(bytes, deadline) }
    }

    private func write(_ bytes: Span<UInt8>, _ deadline: Deadline) throws(SSHError) {
        var sent = 0
        while sent < bytes.count {
            try interrupt.throwIfFired()
            if sent > 0, deadline.hasPassed { throw .timedOut(.transferring) }
            do throws(Errno) {
                sent += try socket.send(bytes.extracting(sent...))
            } catch {
                guard error == .wouldBlock else { throw .connectionLost(.transferring) }
                collect()
                if hasEnded { throw .connectionLost(.transferring) }
                let isFull = incoming.count >= Self.maximumKept
                _ = try wait(for: isFull ? .writable : [.readable, .writable], until: deadline)
            }
        }
    }

    package func read(max: Int, deadline: Deadline) throws(SSHError) -> [UInt8] {
        guard max > 0 else { return [] }
        while try !waitForOutput(deadline: deadline) {}
        return incoming.take(max)
    }

    package func waitForOutput(deadline: Deadline) throws(SSHError) -> Bool {
        try interrupt.throwIfFired()
        let known = log.count
        while true {
            collect()
            if !incoming.isEmpty || hasEnded { return true }
            if log.count > known { return false }
            _ = try wait(for: .readable, until: deadline)
        }
    }

    package func closeWrite(deadline: Deadline) throws(SSHError) {
        guard !isWriteClosed else { return }
        isWriteClosed = true
        socket.shutdownWriting()
    }

    package func exitStatus(deadline: Deadline) throws(SSHError) -> ExitStatus {
        while try !read(max: .max, deadline: deadline).isEmpty {
            if deadline.hasPassed { throw .timedOut(.ending) }
        }
        guard let status = process.wait(until: deadline) else { throw .timedOut(.ending) }
        collect()
        // An error of ssh itself, or a command that exited with the same status.
        if status == 255, let failure = log.lateFailure { throw failure }
        return .code(status)
    }

    /// Also returns when standard error has new output.
    private func wait(
        for wanted: PollEvents, and other: Int32 = -1, until deadline: Deadline
    ) throws(SSHError) -> PollEvents {
        try interrupt.wait(
            for: wanted, on: socket.number, asides: [haveErrorsEnded ? -1 : errors.number, other], until: deadline,
            in: .transferring)
    }

    /// Collects everything that has arrived on both streams, without waiting.
    private func collect() {
        while !haveErrorsEnded, let chunk = Self.receive(errors, 8 << 10) {
            if chunk.isEmpty { haveErrorsEnded = true } else { log.add(chunk) }
        }
        while !hasEnded, incoming.count < Self.maximumKept, let chunk = Self.receive(socket, 64 << 10) {
            if chunk.isEmpty { hasEnded = true } else { incoming.append(chunk) }
        }
    }

    /// Nil if nothing has arrived, empty at the end.
    private static func receive(_ from: borrowing FileDescriptor, _ maximum: Int) -> [UInt8]? {
        do throws(Errno) { return try from.read(upTo: maximum) } catch { return error == .wouldBlock ? nil : [] }
    }
}
