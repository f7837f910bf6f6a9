import Model

/// The state that a host waits for: the end of a systemd job, or of the time that a unit has to stay healthy.
package struct Waiting: Hashable, Sendable {
    package enum Goal: UInt8, Hashable, Sendable {
        case ready, stopped, settled, reloaded
    }

    package var unit: UnitName
    package var goal: Goal
    /// In seconds.
    package var elapsed: Int
    /// The time when the wait fails or ends; in seconds.
    package var limit: Int

    package init(_ unit: UnitName, _ goal: Goal, elapsed: Int, limit: Int) {
        self.unit = unit
        self.goal = goal
        self.elapsed = elapsed
        self.limit = limit
    }
}
