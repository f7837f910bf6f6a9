import Platform

/// A time limit on the monotonic clock (`CLOCK_MONOTONIC`).
package struct Deadline: Hashable, Comparable, Sendable {
    private var time: Duration

    /// `duration` from now. A negative one ends now; more than a hundred years is never.
    package static func after(_ duration: Duration) -> Self {
        duration < .seconds(100 * 366 * 86400) ? Self(time: MonotonicClock.now + max(duration, .zero)) : .never
    }

    package static let never = Self(time: .seconds(Int64.max))

    package var hasPassed: Bool { MonotonicClock.now >= time }

    package static func < (a: Self, b: Self) -> Bool { a.time < b.time }

    /// The end of the first of `parts` equal parts of the time left.
    func share(of parts: Int) -> Self {
        guard self != .never, parts > 1 else { return self }
        let now = MonotonicClock.now
        return Self(time: now + max(.zero, time - now) / parts)
    }

    /// Milliseconds left for poll(2), rounded up; 0 if passed, -1 for `never`.
    package var pollTimeout: Int64 {
        if self == .never { return -1 }
        return Int64((max(.zero, time - MonotonicClock.now) / .milliseconds(1)).rounded(.up))
    }

    /// Runs `question`, which waits for a person, and extends this deadline by the time it took.
    package mutating func paused<Answer>(during question: () -> Answer) -> Answer {
        let start = MonotonicClock.now
        let answer = question()
        if self != .never { time += MonotonicClock.now - start }
        return answer
    }
}
