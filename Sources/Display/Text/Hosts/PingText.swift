import Deployment
import Model

/// Renders round-trip times, a line for each host.
package struct PingText {
    package init() {}

    package func lines(_ hosts: [(host: Hostname, result: Result<RoundTrips, HostError>?)]) -> [String] {
        let width = hosts.map(\.host.text.count).max() ?? 0
        return hosts.map { host, result in
            let name = "\(host.text):" + String(repeating: " ", count: width - host.text.count)
            switch result {
            case nil: return "  \(name) connecting"
            case .failure(let error): return "  \(name) \(error.phrase)"
            case .success(let trips):
                let times = [trips.least, trips.percentile(50), trips.percentile(95)].map(milliseconds)
                return "  \(name) \(times.joined(separator: " | "))  (min/p50/p95 rtt, n=\(trips.count))"
            }
        }
    }

    /// Such as `  5.9 ms`, eight columns wide up to ten seconds.
    private func milliseconds(_ duration: Duration?) -> String {
        guard let (seconds, attoseconds) = duration?.components else { return "" }
        let tenths = seconds * 10_000 + (attoseconds + 50_000_000_000_000) / 100_000_000_000_000
        let text = "\(tenths / 10).\(tenths % 10) ms"
        return String(repeating: " ", count: max(0, 9 - text.count)) + text
    }
}
