import Deployment
import Model

/// A line of a host's journal as JSON.
package func logLineJSON(_ host: Hostname, _ line: LogLine) -> JSONValue {
    [
        "type": "log-line", "host": .string(host.text), "time": .number(line.time / 1_000_000), "time_us": .number(line.time),
        "text": .string(line.text),
    ]
}

/// An event of a host whose journal is read, as JSON.
package func logRemarkJSON(_ host: Hostname, _ remark: LogRemark) -> JSONValue {
    let state =
        switch remark {
        case .lost: "lost"
        case .back: "back"
        case .failed: "failed"
        case .leftOut: "left-out"
        case .empty: "empty"
        }
    return ["type": "log-state", "host": .string(host.text), "state": .string(state), "message": .string(remark.phrase)]
}
