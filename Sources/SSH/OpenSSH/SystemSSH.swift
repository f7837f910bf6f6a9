import CSystem
import Model

/// A command on a host through the system's `ssh` (ssh(1)), for features that libssh2 lacks.
///
/// Passes ssh's prompts to `questions`; without any, ssh never prompts (BatchMode). ssh never outlives this object.
package final class SystemSSH: RemoteStream {
    private let process: Subprocess
    private let socket: Descriptor
    private let errors: Descriptor
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
        _ command: String, on settings: HostSettings, sharing: Sharing, questions: Prompts, interrupt: Interrupt,
        deadline: Deadline
    ) throws(SSHError) {
        let dialogue = questions.isEmpty ? nil : try SystemSSHDialogue(settings, questions)
        var words = ["env"]
        words += try dialogue?.askpass.environment() ?? ["SSH_ASKPASS_REQUIRE=never"]
        words += Self.arguments(settings, sharing, canAsk: dialogue != nil) + ["--", settings.name.text, command]
        let (ours, theirs) = try Descriptor.socketPair()
        let (errors, errorStart) = try Descriptor.pipe()
        process = try Subprocess(
            words, session: .own, input: theirs.number, output: theirs.number, error: errorStart.number)
        theirs.close()
        errorStart.close()
        try check("fcntl", csys_set_nonblocking(ours.number))
        try check("fcntl", csys_set_nonblocking(errors.number))
        (socket, self.errors, self.interrupt, log) = (ours, errors, interrupt, SystemSSHLog())
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
        if settings.connectTimeout == nil { options.append("ConnectTimeout=10") }
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
            var item = csys_poll_item(fd: errors.number, readable: true, writable: false)
            guard unsafe csys_poll(&item, 1, deadline.pollTimeout) > 0 else { break }
            collect()
        }
        return log.failure(settings, dialogue)
    }

    package var standardError: [UInt8] { log.standardError }

    package func write(_ bytes: [UInt8], deadline: Deadline) throws(SSHError) {
        try write(bytes.count, deadline) { sent in
            unsafe bytes.withUnsafeBytes { unsafe csys_send(socket.number, $0.baseAddress.map { unsafe $0 + sent }, $0.count - sent) }
        }
    }

    package func write(_ secret: Secret, deadline: Deadline) throws(SSHError) {
        try write(secret.count, deadline) { sent in
            unsafe secret.withBytes { unsafe csys_send(socket.number, $0.baseAddress.map { unsafe $0 + sent }, $0.count - sent) }
        }
    }

    /// `send` sends as much as possible of the bytes after an offset.
    private func write(_ total: Int, _ deadline: Deadline, _ send: (Int) -> Int64) throws(SSHError) {
        var sent = 0
        while sent < total {
            try interrupt.throwIfFired()
            let count = Int(send(sent))
            if count > 0 {
                sent += count
                if sent < total, deadline.hasPassed { throw .timedOut(.transferring) }
            } else if count == -Int(csys_eagain()) {
                collect()
                if hasEnded { throw .connectionLost(.transferring) }
                let isFull = incoming.count >= Self.maximumKept
                _ = try wait(for: isFull ? .writable : [.readable, .writable], until: deadline)
            } else {
                throw .connectionLost(.transferring)
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
        _ = csys_shutdown_writing(socket.number)
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
        for wanted: Readiness, and other: Int32 = -1, until deadline: Deadline
    ) throws(SSHError) -> Readiness {
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
    private static func receive(_ from: Descriptor, _ most: Int) -> [UInt8]? {
        var count: Int64 = 0
        let chunk = unsafe [UInt8](unsafeUninitializedCapacity: most) { buffer, filled in
            count = unsafe csys_read(from.number, buffer.baseAddress, buffer.count)
            filled = max(Int(count), 0)
        }
        return count == -Int64(csys_eagain()) ? nil : chunk
    }
}
