import Platform
import Synchronization

/// Stops every connection that uses it, from any thread.
///
/// Once fired, it stays fired until rearmed: waits and later calls end at once with ``SSHError/interrupted``.
package final class Interrupt: Sendable {
    private let pipe: Pipe
    private let hasFired = Atomic(false)

    /// Takes two descriptors (pipe(2)).
    package init() throws(SSHError) {
        pipe = try attempt("pipe", try Pipe())
        try? pipe.writing.setNonblocking()
    }

    /// Async-signal-safe, like write(2).
    package func fire() {
        hasFired.store(true, ordering: .relaxed)
        let byte = CollectionOfOne<UInt8>(1)
        _ = try? pipe.writing.write(byte.span)
    }

    /// Waits for the duration, or until the deadline. Throws ``SSHError/interrupted``.
    package func pause(_ duration: Duration, deadline: Deadline) throws(SSHError) {
        let end = min(Deadline.after(duration), deadline)
        while !end.hasPassed {
            if waitUntilReadable(descriptor, milliseconds: end.pollTimeout) { throw .interrupted }
        }
    }

    /// Lets calls wait again. A connection whose ``RemoteStream/read(max:deadline:)`` was interrupted has lost
    /// nothing; one whose write was interrupted is unusable.
    package func rearm() {
        while waitUntilReadable(descriptor, milliseconds: 0), (try? pipe.reading.readByte()) != nil {}
        hasFired.store(false, ordering: .relaxed)
    }

    var descriptor: Int32 { pipe.reading.number }

    /// Throws ``SSHError/interrupted`` if fired: for work that may never have to wait.
    func throwIfFired() throws(SSHError) {
        if hasFired.load(ordering: .relaxed) { throw .interrupted }
    }
}
