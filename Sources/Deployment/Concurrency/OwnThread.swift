import CSystem

/// Runs blocking work on a thread of its own, and suspends until it is done: Swift's pool has only as many threads as
/// the machine has cores. On return, the thread and its libraries' thread-local data are gone.
package func onOwnThread<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
    var thread: UInt?
    let result = await withCheckedContinuation { continuation in
        let body = Unmanaged.passRetained(Body { continuation.resume(returning: work()) })
        var started: UInt = 0
        let status = csys_thread_start(
            { context in
                guard let context else { return }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
            }, body.toOpaque(), &started)
        // No thread available: running late on this one is better than not at all.
        if status == 0 { thread = started } else { body.takeRetainedValue().run() }
    }
    // The thread has nothing left to do but end.
    if let thread { csys_thread_join(thread) }
    return result
}

private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}

/// A value that threads share and wait for.
package final class Monitor<Value>: @unchecked Sendable {
    // Sendable because the value is only accessed under the lock.
    private let monitor = csys_monitor_create()
    private var value: Value

    package init(_ value: Value) { self.value = value }

    deinit { csys_monitor_free(monitor) }

    /// Reads or changes the value, and wakes threads that wait for a change.
    package func update<Result>(_ body: (inout Value) -> Result) -> Result {
        csys_monitor_lock(monitor)
        defer { csys_monitor_unlock(monitor) }
        let result = body(&value)
        csys_monitor_wake_all(monitor)
        return result
    }

    /// Waits until `body` has a result.
    package func wait<Result>(for body: (inout Value) -> Result?) -> Result {
        while true {
            if let result = wait(atMost: -1, for: body) { return result }
        }
    }

    /// Waits until `body` has a result, or for at most `milliseconds`.
    package func wait<Result>(atMost milliseconds: Int64, for body: (inout Value) -> Result?) -> Result? {
        csys_monitor_lock(monitor)
        defer { csys_monitor_unlock(monitor) }
        if let result = body(&value) { return result }
        csys_monitor_wait(monitor, milliseconds)
        return body(&value)
    }
}
