import Deployment
import Model

/// Round-trip times in microseconds as JSON.
package func pingJSON(_ results: [(host: Hostname, result: Result<RoundTrips, HostError>)]) -> JSONValue {
    func microseconds(_ duration: Duration?) -> JSONValue {
        duration.map { .number(Int64($0 / .microseconds(1))) } ?? .null
    }
    let rows = results.map { host, result -> JSONValue in
        switch result {
        case .success(let trips):
            row(
                host, nil, ("count", JSONValue(trips.count)), ("min_us", microseconds(trips.least)),
                ("p50_us", microseconds(trips.percentile(50))), ("p95_us", microseconds(trips.percentile(95))))
        case .failure(let error): row(host, error)
        }
    }
    return ["type": "ping", "hosts": .list(rows)]
}
