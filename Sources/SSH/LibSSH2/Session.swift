import CSSH2

/// An SSH session over a transport (`LIBSSH2_SESSION`, non-blocking). Used by one thread.
///
/// Channels retain it, so it lives until the last of them is gone.
@safe final class Session {
    private let handle: OpaquePointer
    private let transport: Socket
    private let interrupt: Interrupt
    private let greeting = Greeting()

    init(over transport: Socket, interrupt: Interrupt) throws(SSHError) {
        let context = unsafe Unmanaged.passUnretained(greeting).toOpaque()
        guard Library.isReady, let handle = unsafe libssh2_session_init_ex(nil, nil, nil, context) else {
            throw .protocolError(.handshake, message: "libssh2 has no memory for a session")
        }
        unsafe self.handle = handle
        self.transport = transport
        self.interrupt = interrupt
        unsafe libssh2_session_set_blocking(handle, 0)
        let receive = unsafe unsafeBitCast(receiveForLibrary, to: UnsafeMutableRawPointer.self)
        unsafe csh2_set_receive(handle, receive)
    }

    /// Disconnects without waiting, and frees everything that libssh2 has allocated (`libssh2_session_free`).
    deinit {
        _ = unsafe libssh2_session_disconnect_ex(handle, SSH_DISCONNECT_BY_APPLICATION, "", "")
        transport.hangUp()
        // In non-blocking mode, it stops at each step that would wait; with the stream gone, none does for long.
        var tries = 0
        while unsafe libssh2_session_free(handle) == LIBSSH2_ERROR_EAGAIN, tries < 16 { tries += 1 }
    }

    /// Offers the server these host key algorithms, and ssh's other algorithms (`libssh2_session_method_pref`). Omits
    /// algorithms that libssh2 lacks; throws ``SSHError/noCommonAlgorithm(said:)`` if none remain.
    func offer(hostKeys types: [String], _ algorithms: HostSettings.Algorithms) throws(SSHError) {
        // These two are not key exchanges: the server lists its signature algorithms, and a man in the middle cannot
        // drop messages.
        let keyExchange = algorithms.keyExchange.map { $0 + ",ext-info-c,kex-strict-c-v00@openssh.com" }
        let offers: [(method: Int32, names: String?)] = [
            (LIBSSH2_METHOD_HOSTKEY, types.joined(separator: ",")), (LIBSSH2_METHOD_KEX, keyExchange),
            (LIBSSH2_METHOD_CRYPT_CS, algorithms.ciphersForLibrary), (LIBSSH2_METHOD_CRYPT_SC, algorithms.ciphersForLibrary),
            (LIBSSH2_METHOD_MAC_CS, algorithms.macs), (LIBSSH2_METHOD_MAC_SC, algorithms.macs),
        ]
        for (method, names) in offers {
            guard let names else { continue }
            let known = known(names, to: method)
            if unsafe known.isEmpty || libssh2_session_method_pref(handle, method, known) != 0 {
                throw .noCommonAlgorithm(said: "libssh2 has none of \(names)")
            }
        }
    }

    /// The algorithms of a list that libssh2 has (`libssh2_session_supported_algs`). `libssh2_session_method_pref` drops the
    /// others by copying between overlapping memory, which memcpy(3) must not.
    private func known(_ names: String, to method: Int32) -> String {
        var list: UnsafeMutablePointer<UnsafePointer<CChar>?>?
        let count = unsafe libssh2_session_supported_algs(handle, method, &list)
        guard count > 0, let list = unsafe list else { return "" }
        defer { unsafe libssh2_free(handle, list) }
        let known = (0..<Int(count)).compactMap { index in unsafe list[index].map { unsafe String(cString: $0) } }
        return names.split(separator: ",").filter { known.contains(String($0)) }.joined(separator: ",")
    }

    /// Exchanges versions and keys (`libssh2_session_handshake`).
    func handshake(deadline: Deadline) throws(SSHError) {
        let descriptor = transport.descriptor
        do throws(SSHError) {
            let code = try unsafe drive(.handshake, until: deadline) { handle in
                Int(unsafe libssh2_session_handshake(handle, descriptor))
            }
            guard code < 0 else { return }
            throw failure(code, .handshake)
        } catch {
            let isSilent = error == .timedOut(.handshake) && greeting.bytes.isEmpty
            guard !greeting.isSSH, !isSilent, error != .interrupted else { throw error }
            if error != .timedOut(.handshake), let failure = transport.proxyFailure() { throw failure }
            throw .closedEarly(printed: String(decoding: greeting.bytes, as: UTF8.self))
        }
    }

    /// The server's host key (`libssh2_session_hostkey`), and its SHA-256 (`libssh2_hostkey_hash`).
    func hostKey() throws(SSHError) -> (key: PublicKey, sha256: [UInt8]) {
        var length = 0
        var type: Int32 = 0
        guard let bytes = unsafe libssh2_session_hostkey(handle, &length, &type),
            let hash = unsafe libssh2_hostkey_hash(handle, LIBSSH2_HOSTKEY_HASH_SHA256),
            let key = PublicKey(
                blob: unsafe UnsafeBufferPointer(start: bytes, count: length).map(UInt8.init(bitPattern:)))
        else { throw .protocolError(.handshake, message: "the server showed no host key") }
        return (key, unsafe UnsafeBufferPointer(start: hash, count: 32).map(UInt8.init(bitPattern:)))
    }

    /// Repeats a libssh2 call until it no longer has to wait, and returns its code: a libssh2 error is a result.
    func drive(
        _ phase: Phase, until deadline: Deadline, _ call: (OpaquePointer) throws(SSHError) -> Int
    ) throws(SSHError) -> Int {
        while true {
            try interrupt.throwIfFired()
            let code = try unsafe call(handle)
            guard code == Int(LIBSSH2_ERROR_EAGAIN) else { return code }
            try wait(phase, until: deadline)
        }
    }

    /// Throws ``SSHError/interrupted`` if interrupted.
    func checkInterrupt() throws(SSHError) { try interrupt.throwIfFired() }

    /// The interval of keepalives to a silent server (`libssh2_keepalive_send`), and how many may go unanswered
    /// before it is given up. The server answers them whatever the running command does.
    private static let keepaliveInterval = Duration.seconds(10)
    private static let maximumUnanswered = 2

    /// Waits until the last call can continue (`libssh2_session_block_directions`), as long as the server
    /// answers keepalives.
    func wait(_ phase: Phase, until deadline: Deadline) throws(SSHError) {
        let directions = unsafe libssh2_session_block_directions(handle)
        var wanted: PollEvents = []
        if directions & LIBSSH2_SESSION_BLOCK_OUTBOUND != 0 { wanted.insert(.writable) }
        if directions & LIBSSH2_SESSION_BLOCK_INBOUND != 0 || wanted.isEmpty { wanted.insert(.readable) }
        let isLoggedIn = unsafe libssh2_userauth_authenticated(handle) == 1
        var unanswered = 0
        while true {
            do throws(SSHError) {
                let end = isLoggedIn ? min(deadline, .after(Self.keepaliveInterval)) : deadline
                return try transport.wait(for: wanted, interrupt: interrupt, until: end, in: phase)
            } catch {
                guard error == .timedOut(phase), !deadline.hasPassed, unanswered < Self.maximumUnanswered else { throw error }
                unanswered += 1
                // A partly sent packet has to go first.
                if wanted == .readable { askForSignOfLife() }
            }
        }
    }

    private func askForSignOfLife() {
        var next: Int32 = 0
        unsafe libssh2_keepalive_config(handle, 1, 2)
        _ = unsafe libssh2_keepalive_send(handle, &next)
    }

    /// Whether the last call stopped because the network is full.
    var isSending: Bool { unsafe libssh2_session_block_directions(handle) & LIBSSH2_SESSION_BLOCK_OUTBOUND != 0 }

    /// Whether the server has not closed the connection, as far as the client can see.
    var isConnected: Bool { transport.isOpen }

    /// Makes one call that never waits.
    func once<Result>(_ call: (OpaquePointer) -> Result) -> Result { unsafe call(handle) }

    /// The error for the last call's code, with libssh2's message (`libssh2_session_last_error`).
    func failure(_ code: Int, _ phase: Phase) -> SSHError {
        var text: UnsafeMutablePointer<CChar>?
        _ = unsafe libssh2_session_last_error(handle, &text, nil, 0)
        let message = unsafe text.map { unsafe String(cString: $0) } ?? ""
        return switch Int32(truncatingIfNeeded: code) {
        case LIBSSH2_ERROR_SOCKET_DISCONNECT, LIBSSH2_ERROR_SOCKET_SEND, LIBSSH2_ERROR_SOCKET_RECV:
            // During a login, the server itself hangs up.
            phase == .login ? .connectionLost(phase) : transport.proxyFailure() ?? .connectionLost(phase)
        case LIBSSH2_ERROR_KEX_FAILURE, LIBSSH2_ERROR_METHOD_NONE, LIBSSH2_ERROR_METHOD_NOT_SUPPORTED:
            .noCommonAlgorithm(said: "")
        case LIBSSH2_ERROR_CHANNEL_FAILURE, LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED:
            .commandRefused(message: message)
        default:
            .protocolError(phase, message: message.isEmpty ? "libssh2 gave no reason" : message)
        }
    }
}
