import CSSH2
import CSystem

/// Receives for libssh2, and limits the lines that may precede the server's version (RFC 4253, section 4.2).
final class Greeting {
    /// The first 1024 bytes, up to a line that begins with `SSH-`.
    private(set) var bytes: [UInt8] = []
    private(set) var isSSH = false

    private static let limit = 1024

    /// Like recv(2), but returns a negated errno; -EFBIG if this is not an SSH server.
    fileprivate func receive(_ socket: Int32, _ buffer: UnsafeMutableRawPointer, _ length: Int) -> Int {
        guard isSSH || bytes.count < Self.limit else { return -Int(csys_efbig()) }
        let count = Int(unsafe csys_receive(socket, buffer, length))
        if !isSSH, count > 0 {
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: buffer, count: count))
            isSSH = bytes.split(separator: UInt8(ascii: "\n")).contains { $0.starts(with: "SSH-".utf8) }
        }
        return count
    }
}

/// A `LIBSSH2_CALLBACK_RECV` whose session's `abstract` is a ``Greeting``.
let receiveForLibrary:
    @convention(c) (
        Int32, UnsafeMutableRawPointer?, Int, Int32, UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> Int = { socket, buffer, length, _, abstract in
        guard let buffer = unsafe buffer, let context = unsafe abstract?.pointee else { return -Int(csys_einval) }
        return unsafe Unmanaged<Greeting>.fromOpaque(context).takeUnretainedValue().receive(socket, buffer, length)
    }
