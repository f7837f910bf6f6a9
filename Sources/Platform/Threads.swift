import CSystem

/// A thread of this program's own, outside of Swift's pool.
package struct Thread: Sendable {
    private let id: UInt

    /// Runs the body on a thread that ends with it; nil if no more threads can be created.
    package init?(_ body: @escaping @Sendable () -> Void) {
        var id: UInt = 0
        guard unsafe Self.start(body, &id) else { return nil }
        self.id = id
    }

    /// Waits until nothing of the thread is left. Must be called, once.
    package func join() { csys_thread_join(id) }

    /// Runs the body on a detached thread; false if no more threads can be created.
    package static func detach(_ body: @escaping @Sendable () -> Void) -> Bool { unsafe start(body, nil) }

    private static func start(_ body: @escaping @Sendable () -> Void, _ id: UnsafeMutablePointer<UInt>?) -> Bool {
        let context = unsafe Unmanaged.passRetained(Body(run: body))
        let status = unsafe csys_thread_start(
            { context in
                guard let context = unsafe context else { return }
                unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
            }, context.toOpaque(), id)
        if status != 0 { unsafe context.release() }
        return status == 0
    }

    private final class Body {
        let run: @Sendable () -> Void
        init(run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

/// A value that threads share and wait for.
@safe package final class Monitor<Value>: @unchecked Sendable {
    // Sendable because the value is only accessed under the lock.
    private let monitor = unsafe csys_monitor_create()
    private var value: Value

    package init(_ value: Value) { self.value = value }

    deinit { unsafe csys_monitor_free(monitor) }

    /// Reads or changes the value, and wakes threads that wait for a change.
    package func update<Result>(_ body: (inout Value) -> Result) -> Result {
        unsafe csys_monitor_lock(monitor)
        defer { unsafe csys_monitor_unlock(monitor) }
        let result = body(&value)
        unsafe csys_monitor_wake_all(monitor)
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
        unsafe csys_monitor_lock(monitor)
        defer { unsafe csys_monitor_unlock(monitor) }
        if let result = body(&value) { return result }
        unsafe csys_monitor_wait(monitor, milliseconds)
        return body(&value)
    }
}
