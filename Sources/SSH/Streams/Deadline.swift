import CSystem

/// A time limit on the monotonic clock (`CLOCK_MONOTONIC`).
package struct Deadline: Hashable, Comparable, Sendable {
    private var nanoseconds: Int64

    /// `duration` from now. A negative one ends now; more than a hundred years is never.
    package static func after(_ duration: Duration) -> Self {
        let (seconds, attoseconds) = duration.components
        let now = csys_monotonic_ns()
        guard seconds >= 0, attoseconds >= 0 else { return Self(nanoseconds: now) }
        guard seconds < 100 * 366 * 86400 else { return .never }
        return Self(nanoseconds: now + seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    package static let never = Self(nanoseconds: .max)

    package var hasPassed: Bool { csys_monotonic_ns() >= nanoseconds }

    package static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }

    /// The end of the first of `parts` equal parts of the time left.
    func share(of parts: Int) -> Self {
        guard self != .never, parts > 1 else { return self }
        let now = csys_monotonic_ns()
        return Self(nanoseconds: now + max(0, nanoseconds - now) / Int64(parts))
    }

    /// Milliseconds left for poll(2), rounded up; 0 if passed, -1 for `never`.
    package var pollTimeout: Int64 {
        if self == .never { return -1 }
        let left = nanoseconds - csys_monotonic_ns()
        return left <= 0 ? 0 : (left - 1) / 1_000_000 + 1
    }

    /// Runs `question`, which waits for a person, and extends this deadline by the time it took.
    mutating func paused<Answer>(during question: () -> Answer) -> Answer {
        let start = csys_monotonic_ns()
        let answer = question()
        if self != .never {
            let (moved, overflow) = nanoseconds.addingReportingOverflow(csys_monotonic_ns() - start)
            nanoseconds = overflow ? .max : moved
        }
        return answer
    }
}
