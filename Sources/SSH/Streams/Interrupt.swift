import CSystem
import Synchronization

/// Stops every connection that uses it, from any thread.
///
/// Once fired, it stays fired until rearmed: waits and later calls end at once with ``SSHError/interrupted``.
package final class Interrupt: Sendable {
    private let reading: Int32
    private let writing: Int32
    private let hasFired = Atomic(false)

    /// Takes two descriptors (pipe(2)).
    package init() throws(SSHError) {
        var (one, other): (Int32, Int32) = (-1, -1)
        try check("pipe", unsafe csys_pipe(&one, &other))
        (reading, writing) = (one, other)
        csys_set_nonblocking(other)
    }

    deinit {
        csys_close(reading)
        csys_close(writing)
    }

    /// Async-signal-safe, like write(2).
    package func fire() {
        hasFired.store(true, ordering: .relaxed)
        var byte: UInt8 = 1
        _ = unsafe csys_write(writing, &byte, 1)
    }

    /// Waits for the duration, or until the deadline. Throws ``SSHError/interrupted``.
    package func pause(_ duration: Duration, deadline: Deadline) throws(SSHError) {
        let end = min(Deadline.after(duration), deadline)
        while !end.hasPassed {
            var item = csys_poll_item(fd: reading, readable: true, writable: false)
            if unsafe csys_poll(&item, 1, end.pollTimeout) > 0 { throw .interrupted }
        }
    }

    /// Lets calls wait again. A connection whose ``RemoteStream/read(max:deadline:)`` was interrupted has lost
    /// nothing; one whose write was interrupted is unusable.
    package func rearm() {
        var item = csys_poll_item(fd: reading, readable: true, writable: false)
        var byte: UInt8 = 0
        while unsafe csys_poll(&item, 1, 0) > 0, unsafe csys_read(reading, &byte, 1) == 1 {}
        hasFired.store(false, ordering: .relaxed)
    }

    var descriptor: Int32 { reading }

    /// Throws ``SSHError/interrupted`` if fired: for work that may never have to wait.
    func throwIfFired() throws(SSHError) {
        if hasFired.load(ordering: .relaxed) { throw .interrupted }
    }
}
