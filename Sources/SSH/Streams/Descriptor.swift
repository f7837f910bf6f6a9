import CSystem

/// An open file descriptor, closed on deinit at the latest. Used by one thread.
final class Descriptor {
    private(set) var number: Int32

    init(_ number: Int32) { self.number = number }

    deinit { close() }

    /// Closes it once; `number` is -1 from then on.
    func close() {
        if number >= 0 { csys_close(number) }
        number = -1
    }

    /// The reading and the writing end of a pipe (pipe(2)), close-on-exec.
    static func pipe() throws(SSHError) -> (Descriptor, Descriptor) {
        var (reading, writing): (Int32, Int32) = (-1, -1)
        try check("pipe", unsafe csys_pipe(&reading, &writing))
        return (Descriptor(reading), Descriptor(writing))
    }

    /// Two connected stream sockets (socketpair(2)), close-on-exec.
    static func socketPair() throws(SSHError) -> (Descriptor, Descriptor) {
        var (one, other): (Int32, Int32) = (-1, -1)
        try check("socketpair", unsafe csys_socketpair(&one, &other))
        return (Descriptor(one), Descriptor(other))
    }
}

/// Returns the result of a `csys_` function, or throws its negated errno.
@discardableResult
func check(_ operation: StaticString, _ result: Int32) throws(SSHError) -> Int32 {
    guard result >= 0 else { throw .system(operation: "\(operation)", SystemErrorCode(number: -result)) }
    return result
}
