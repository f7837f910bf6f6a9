import CSSH2

/// A command on a host, over an SSH connection (`LIBSSH2_CHANNEL`).
@safe package final class Channel: RemoteStream {
    private let session: Session
    private let handle: OpaquePointer
    private var incoming = ByteQueue()
    private var isWriteClosed = false
    private var hasEnded = false
    package private(set) var standardError: [UInt8] = []

    /// Maximum bytes that the host may send before we have read the previous ones: enough for a fast and distant
    /// host.
    private static let window: UInt32 = 4 << 20
    /// Maximum output to buffer during a write. Beyond it, the host waits until we read.
    private static let maximumKept = 64 << 20
    private static let maximumStandardError = 64 << 10

    /// One round trip to open (`libssh2_channel_open_ex`), one to start (`libssh2_channel_process_startup`).
    init(_ session: Session, command: String, deadline: Deadline) throws(SSHError) {
        var opened: OpaquePointer?
        let code = try unsafe session.drive(.starting, until: deadline) { session in
            unsafe opened = libssh2_channel_open_ex(
                session, "session", 7, Self.window, UInt32(LIBSSH2_CHANNEL_PACKET_DEFAULT), nil, 0)
            return unsafe opened == nil ? Int(unsafe libssh2_session_last_errno(session)) : 0
        }
        guard let handle = unsafe opened else { throw session.failure(code, .starting) }
        unsafe self.handle = handle
        self.session = session
        let length = UInt32(truncatingIfNeeded: command.utf8.count)
        try unsafe check(.starting, until: deadline) { _ in
            Int(unsafe libssh2_channel_process_startup(handle, "exec", 4, command, length))
        }
    }

    /// If freeing would have to wait, the session frees it.
    deinit { _ = unsafe libssh2_channel_free(handle) }

    /// `libssh2_channel_write_ex`. Buffers output that arrives meanwhile, up to 64 MiB.
    package func write(_ bytes: [UInt8], deadline: Deadline) throws(SSHError) {
        try write(bytes.span, deadline)
    }

    package func write(_ secret: Secret, deadline: Deadline) throws(SSHError) {
        try secret.withSpan { bytes throws(SSHError) in try write(bytes, deadline) }
    }

    private func write(_ bytes: Span<UInt8>, _ deadline: Deadline) throws(SSHError) {
        var sent = 0
        while sent < bytes.count {
            // Pass the same bytes again after a wait: libssh2 has already sent a part of them.
            let count = unsafe bytes.extracting(sent...).withUnsafeBytes { rest in
                unsafe libssh2_channel_write_ex(handle, 0, rest.baseAddress?.assumingMemoryBound(to: CChar.self), rest.count)
            }
            try session.checkInterrupt()
            if count > 0 {
                sent += count
                if sent < bytes.count, deadline.hasPassed { throw .timedOut(.transferring) }
            } else if count == 0 || count == Int(LIBSSH2_ERROR_EAGAIN) {
                try waitToWrite(deadline)
            } else {
                throw session.failure(count, .transferring)
            }
        }
    }

    /// Called when a write blocks, because the network is full or the host must read first.
    private func waitToWrite(_ deadline: Deadline) throws(SSHError) {
        if !session.isSending {
            if incoming.count < Self.maximumKept { try collect() }
            // Reading may have received a window adjustment.
            if unsafe libssh2_channel_window_write_ex(handle, nil) > 0 { return }
            if hasEnded { throw .connectionLost(.transferring) }
        }
        try session.wait(.transferring, until: deadline)
    }

    /// `libssh2_channel_read_ex`.
    package func read(max: Int, deadline: Deadline) throws(SSHError) -> [UInt8] {
        guard max > 0 else { return [] }
        while try !waitForOutput(deadline: deadline) {}
        return incoming.take(max)
    }

    package func waitForOutput(deadline: Deadline) throws(SSHError) -> Bool {
        try session.checkInterrupt()
        let known = standardError.count
        while incoming.isEmpty, !hasEnded {
            try collect()
            if incoming.isEmpty, !hasEnded {
                if standardError.count > known { return false }
                try session.wait(.transferring, until: deadline)
            }
        }
        return true
    }

    /// `libssh2_channel_send_eof`.
    package func closeWrite(deadline: Deadline) throws(SSHError) {
        guard !isWriteClosed else { return }
        isWriteClosed = true
        try unsafe check(.transferring, until: deadline) { _ in Int(unsafe libssh2_channel_send_eof(handle)) }
    }

    /// `libssh2_channel_wait_closed`, then `libssh2_channel_get_exit_signal` and `libssh2_channel_get_exit_status`.
    package func exitStatus(deadline: Deadline) throws(SSHError) -> ExitStatus {
        while try !read(max: .max, deadline: deadline).isEmpty {
            if deadline.hasPassed { throw .timedOut(.ending) }
        }
        try unsafe check(.ending, until: deadline) { _ in Int(unsafe libssh2_channel_wait_closed(handle)) }
        if let signal = exitSignal() { return .signal(signal) }
        return .code(unsafe libssh2_channel_get_exit_status(handle))
    }

    private func exitSignal() -> String? {
        var name: UnsafeMutablePointer<CChar>?
        var length = 0
        return unsafe session.once { session in
            _ = unsafe libssh2_channel_get_exit_signal(handle, &name, &length, nil, nil, nil, nil)
            guard let name = unsafe name else { return nil }
            defer { unsafe libssh2_free(session, name) }
            return String(
                decoding: unsafe UnsafeBufferPointer(start: name, count: min(length, 32)).map(UInt8.init(bitPattern:)),
                as: UTF8.self)
        }
    }

    /// Collects everything that has arrived on both streams, without waiting.
    private func collect() throws(SSHError) {
        var queued: UInt
        repeat {
            try collect(stream: SSH_EXTENDED_DATA_STDERR)
            try collect(stream: 0)
            // Each read may have received data for the other stream.
            var available: UInt = 0
            _ = unsafe libssh2_channel_window_read_ex(handle, &available, nil)
            queued = available
        } while queued > 0 && incoming.count < Self.maximumKept
        if unsafe libssh2_channel_eof(handle) == 1 { hasEnded = true }
    }

    private func collect(stream: Int32) throws(SSHError) {
        while incoming.count < Self.maximumKept {
            var count = 0
            let chunk = unsafe [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, filled in
                let start = unsafe UnsafeMutableRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: CChar.self)
                count = unsafe libssh2_channel_read_ex(handle, stream, start, buffer.count)
                filled = max(count, 0)
            }
            if count == 0 || count == Int(LIBSSH2_ERROR_EAGAIN) { return }
            guard count > 0 else { throw session.failure(count, .transferring) }
            if stream == 0 {
                incoming.append(chunk)
            } else {
                standardError += chunk.prefix(max(Self.maximumStandardError - standardError.count, 0))
            }
        }
    }

    private func check(
        _ phase: Phase, until deadline: Deadline, _ call: (OpaquePointer) -> Int
    ) throws(SSHError) {
        let code = try unsafe session.drive(phase, until: deadline) { session in unsafe call(session) }
        guard code >= 0 else { throw session.failure(code, phase) }
    }
}
