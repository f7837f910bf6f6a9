import CSystem

/// A moment on the monotonic clock (`CLOCK_MONOTONIC`) by which something must have happened.
public struct Deadline: Hashable, Comparable, Sendable {
    private var nanoseconds: Int64

    /// `duration` from now; at most about 292 years.
    public static func after(_ duration: Duration) -> Self {
        let (seconds, attoseconds) = duration.components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflowed) = csys_monotonic_ns().addingReportingOverflow(
            overflow ? .max : whole + attoseconds / 1_000_000_000)
        return Self(nanoseconds: overflow || overflowed ? .max : sum)
    }

    public static let never = Self(nanoseconds: .max)

    public var hasPassed: Bool { csys_monotonic_ns() >= nanoseconds }

    public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }

    /// Milliseconds left, rounded up; 0 when passed, -1 for `never`: what poll(2) takes.
    var pollTimeout: Int64 {
        if self == .never { return -1 }
        let left = nanoseconds - csys_monotonic_ns()
        return left <= 0 ? 0 : (left - 1) / 1_000_000 + 1
    }

    /// Runs `question`, which waits for a person, and moves this deadline by the time that took.
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
