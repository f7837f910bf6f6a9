import Model

extension HostTask {
    /// Measures round trips to the agents, at most `count` on each host. `report` receives each host's figures so
    /// far.
    package func ping(
        count: Int, report: @escaping @Sendable (Hostname, RoundTrips) -> Void
    ) async -> [(host: Hostname, result: Result<RoundTrips, HostError>)] {
        await run { (host, session) throws(HostError) in
            var trips = RoundTrips()
            while trips.count < count {
                do throws(HostError) {
                    trips.add(try session.ping())
                } catch {
                    // The operator ended it early: keep the results so far.
                    if case .ssh(.interrupted) = error, trips.count > 0 { break }
                    throw error
                }
                report(host, trips)
            }
            return trips
        }
    }
}

/// Times of round trips.
package struct RoundTrips: Hashable, Sendable {
    /// Ascending.
    private var sorted: [Duration] = []

    package var count: Int { sorted.count }
    package var least: Duration? { sorted.first }

    mutating func add(_ duration: Duration) {
        sorted.insert(duration, at: sorted.firstIndex { $0 > duration } ?? sorted.endIndex)
    }

    /// The time that `percent` percent of the round trips do not exceed.
    package func percentile(_ percent: Int) -> Duration? {
        guard !sorted.isEmpty else { return nil }
        return sorted[min(sorted.count - 1, max(0, (sorted.count * percent + 99) / 100 - 1))]
    }
}
