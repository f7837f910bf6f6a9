import CSystem
import Synchronization

/// Stops every connection that was given it, from any thread, for good.
///
/// Once fired it stays fired: waits, and later calls, end at once with ``SSHError/interrupted``.
public final class Interrupt: Sendable {
    private let reading: Int32
    private let writing: Int32
    private let hasFired = Atomic(false)

    /// Takes two descriptors (pipe(2)).
    public init() throws(SSHError) {
        var (one, other): (Int32, Int32) = (-1, -1)
        try check("pipe", unsafe csys_pipe(&one, &other))
        (reading, writing) = (one, other)
        csys_set_nonblocking(other)
    }

    deinit {
        csys_close(reading)
        csys_close(writing)
    }

    /// Async-signal-safe, like the write(2) that it is.
    public func fire() {
        hasFired.store(true, ordering: .relaxed)
        var byte: UInt8 = 1
        _ = unsafe csys_write(writing, &byte, 1)
    }

    var descriptor: Int32 { reading }

    /// Throws ``SSHError/interrupted`` once fired: for work that may never have to wait.
    func throwIfFired() throws(SSHError) {
        if hasFired.load(ordering: .relaxed) { throw .interrupted }
    }
}
