import CSystem
import SSH

/// Runs work that blocks on a thread of its own, and suspends until it is done: Swift's pool has only as many threads as
/// the machine has cores. On return the thread is gone, with what libraries keep for it.
func onOwnThread<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
    var thread: UInt?
    let result = await withCheckedContinuation { continuation in
        let body = Unmanaged.passRetained(Body { continuation.resume(returning: work()) })
        var started: UInt = 0
        let status = csys_thread_start(
            { context in
                guard let context else { return }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
            }, body.toOpaque(), &started)
        // No thread to be had: better late, on this one, than not at all.
        if status == 0 { thread = started } else { body.takeRetainedValue().run() }
    }
    // It has nothing left to do but to end.
    if let thread { csys_thread_join(thread) }
    return result
}

private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}

/// A value that threads share and wait for.
package final class Monitor<Value>: @unchecked Sendable {
    // Sendable, since the value is only ever touched under the lock.
    private let monitor = csys_monitor_create()
    private var value: Value

    package init(_ value: Value) { self.value = value }

    deinit { csys_monitor_free(monitor) }

    /// Reads or changes the value, and wakes those who wait for a change.
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

    /// Waits until `body` has a result, or for so many milliseconds.
    package func wait<Result>(atMost milliseconds: Int64, for body: (inout Value) -> Result?) -> Result? {
        csys_monitor_lock(monitor)
        defer { csys_monitor_unlock(monitor) }
        if let result = body(&value) { return result }
        csys_monitor_wait(monitor, milliseconds)
        return body(&value)
    }
}

/// Where the hosts of a deploy meet: nobody goes on before all have come.
final class MeetingPoint: Sendable {
    enum Vote {
        case ready
        /// Not ready, so nobody shall go on.
        case against
        /// Not there, and the others may go on without.
        case absent
    }

    private struct State {
        var awaited: Int
        var isUnanimous = true
    }

    private let state: Monitor<State>
    private let pause: Duration

    /// For that many participants, each of whom votes once, and proves after each pause that it is there.
    init(_ participants: Int, pause: Duration = .seconds(10)) {
        state = Monitor(State(awaited: participants))
        self.pause = pause
    }

    /// Does not wait.
    func vote(_ vote: Vote) {
        state.update {
            $0.awaited -= 1
            if vote == .against { $0.isUnanimous = false }
        }
    }

    /// Takes back that one was ready; too late once all have voted.
    private func withdraw() {
        state.update { if $0.awaited > 0 { $0.isUnanimous = false } }
    }

    /// Waits until everybody has voted; whether to go on. Calls `proveReady` after each pause; one that cannot do that any more
    /// is not ready.
    func decision<Problem: Error>(proveReady: () throws(Problem) -> Void) throws(Problem) -> Bool {
        var next = Deadline.after(pause)
        while true {
            // The wait ends with each vote.
            let decision = state.wait(atMost: next.pollTimeout) { $0.awaited <= 0 ? $0.isUnanimous : nil }
            if let decision { return decision }
            guard next.hasPassed else { continue }
            do {
                try proveReady()
            } catch {
                withdraw()
                throw error
            }
            next = .after(pause)
        }
    }

    /// For one that has no vote.
    func decision() -> Bool { state.wait { $0.awaited <= 0 ? $0.isUnanimous : nil } }
}

/// At most so many at a time, and so many at each door.
final class Turnstile: Sendable {
    private struct Inside {
        var count = 0
        var atDoor: [String: Int] = [:]
    }

    private let most: Int
    private let mostAtDoor: Int
    private let inside = Monitor(Inside())

    init(_ most: Int, atDoor mostAtDoor: Int) { (self.most, self.mostAtDoor) = (most, mostAtDoor) }

    /// Waits for places at all of these doors at once, so that nobody holds one place while waiting for another.
    func enter<Result, Problem: Error>(
        by doors: Set<String>, _ body: () throws(Problem) -> Result
    ) throws(Problem) -> Result {
        inside.wait { inside -> Void? in
            guard inside.count < most, doors.allSatisfy({ inside.atDoor[$0, default: 0] < mostAtDoor }) else { return nil }
            inside.count += 1
            for door in doors { inside.atDoor[door, default: 0] += 1 }
        }
        defer {
            inside.update { inside in
                inside.count -= 1
                for door in doors { inside.atDoor[door, default: 0] -= 1 }
            }
        }
        return try body()
    }
}
