import CSystem

/// CLOCK_MONOTONIC, as the time since an arbitrary moment.
package enum MonotonicClock {
    package static var now: Duration { .nanoseconds(csys_monotonic_ns()) }
}

/// CLOCK_REALTIME, since the epoch.
package enum WallClock {
    package static var nanoseconds: Int64 { csys_realtime_ns() }
    package static var seconds: Int64 { csys_realtime_ns() / 1_000_000_000 }
}

/// Blocks this thread.
package func pause(milliseconds: Int64) { _ = csys_poll(nil, 0, milliseconds) }

/// The events to wait for on a descriptor, and then those for which it is ready (poll(2)).
package typealias PollItem = csys_poll_item

/// The number of items that are ready; 0 after the timeout. A negative timeout waits forever.
package func poll(_ items: inout [PollItem], milliseconds: Int64) throws(Errno) -> Int {
    Int(try check(unsafe csys_poll(&items, items.count, milliseconds)))
}

/// Waits until the descriptor is readable, or at its end. False after the timeout.
package func waitUntilReadable(_ descriptor: Int32, milliseconds: Int64) -> Bool {
    var item = PollItem(fd: descriptor, readable: true, writable: false)
    return unsafe csys_poll(&item, 1, milliseconds) > 0
}

/// Waits until nobody reads what is written to a pipe, socket or terminal. False after `milliseconds`.
package func waitUntilUnread(_ descriptor: Int32, milliseconds: Int64) -> Bool {
    var item = PollItem(fd: descriptor, readable: false, writable: false)
    return unsafe csys_poll(&item, 1, milliseconds) > 0
}

/// Waits until the descriptor is writable, or has no reader any more.
package func waitUntilWritable(_ descriptor: Int32, milliseconds: Int64) {
    var item = PollItem(fd: descriptor, readable: false, writable: true)
    _ = unsafe csys_poll(&item, 1, milliseconds)
}
