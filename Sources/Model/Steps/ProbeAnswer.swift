/// The result of one attempt of a probe.
package indirect enum ProbeAnswer: Hashable, Sendable {
    case passed
    /// No connection, with the Linux errno: ECONNREFUSED if nothing listens, ENOENT if there is no such socket.
    case unreachable(code: Int)
    /// The service did not accept the connection in time.
    case notAccepted
    /// The answer was not complete in time; with the number of bytes that had come.
    case late(received: Int)
    /// The service closed the connection before the end of the header, after this number of bytes.
    case closed(received: Int)
    /// An HTTP status other than the expected.
    case status(Int)
    /// The answer is not HTTP/1; with at most 64 bytes of its beginning.
    case notHTTP([UInt8])
    case headerTooLong
    /// The connection ended within the body, after `received` bytes; `of` is its length if the header has it.
    case cutOff(received: Int, of: Int64?)
    /// A DNS response code other than NOERROR (RFC 1035, 4.1.1).
    case responseCode(Int)
    /// The name has no record of the type.
    case noRecord
    /// The records do not fit into a datagram, and none of the type came.
    case truncated
    /// The answer violates its protocol.
    case malformed
    /// Only datagrams came that do not answer the query.
    case unrelated
}
