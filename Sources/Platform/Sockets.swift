import CSystem

/// Two connected stream sockets (socketpair(2)).
package struct SocketPair: ~Copyable {
    package var ours: FileDescriptor
    package var theirs: FileDescriptor

    package init() throws(Errno) {
        var (ours, theirs): (Int32, Int32) = (-1, -1)
        try check(unsafe csys_socketpair(&ours, &theirs))
        self.ours = FileDescriptor(ours)
        self.theirs = FileDescriptor(theirs)
    }

    // See FileDescriptor.
    deinit {}
}

// No call here raises SIGPIPE, and those that would wait throw EAGAIN.
extension FileDescriptor {
    /// A connection to a Unix socket. EAGAIN while the listener's backlog is full.
    package init(connectingTo path: String) throws(Errno) { try self.init(opened: unsafe csys_connect_unix(path)) }

    /// A new Unix socket that takes connections.
    package init(listeningAt path: String) throws(Errno) { try self.init(opened: unsafe csys_listen_unix(path)) }

    /// The next connection.
    package func accept() throws(Errno) -> FileDescriptor { try FileDescriptor(opened: csys_accept(number)) }

    /// One send(2), which may send only the first bytes. Returns their number.
    package func send(_ bytes: Span<UInt8>) throws(Errno) -> Int {
        try check(unsafe bytes.withUnsafeBufferPointer { unsafe csys_send(number, $0.baseAddress, $0.count) })
    }

    /// One recv(2): at most `count` bytes, none at the end.
    package func receive(upTo count: Int) throws(Errno) -> [UInt8] {
        try [UInt8](room: count) { bytes throws(Errno) in _ = try receive(into: &bytes) }
    }

    /// One recv(2) into the free space there. Returns the number of bytes, 0 at the end.
    package func receive(into bytes: inout OutputSpan<UInt8>) throws(Errno) -> Int { try unsafe append(to: &bytes, csys_receive) }

    /// Whether the other end has not closed the connection, as far as this one can see.
    package var isConnected: Bool {
        var byte: UInt8 = 0
        let count = unsafe csys_peek(number, &byte, 1)
        return count > 0 || count == -Int64(csys_eagain())
    }

    /// Ends both directions (shutdown(2)).
    package func shutdown() { csys_shutdown(number) }
    package func shutdownWriting() { csys_shutdown_writing(number) }
}
