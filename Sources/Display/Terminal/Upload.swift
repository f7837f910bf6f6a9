import Deployment
import Model
import Wire

/// Content being sent to a host, in bytes.
struct Upload: Sendable {
    private var sent: UInt64
    private let total: UInt64
    private var now: Duration
    /// Earlier samples for the rate: a resumed transfer begins with a leap.
    private var (older, newer): (Moment, Moment)
    /// When a line about it was last written.
    var told: Duration

    private struct Moment {
        var sent: UInt64
        var time: Duration
    }

    init(sent: UInt64, total: UInt64, at now: Duration) {
        (self.sent, self.total, self.now, told) = (sent, total, now, now)
        (older, newer) = (Moment(sent: sent, time: now), Moment(sent: sent, time: now))
    }

    /// This upload, updated with the progress of `next`.
    func continued(by next: Upload) -> Upload {
        var upload = self
        (upload.sent, upload.now) = (next.sent, next.now)
        if next.now - newer.time >= .seconds(2) { (upload.older, upload.newer) = (newer, next.newer) }
        return upload
    }

    func isWorthTelling(at now: Duration) -> Bool { now - told >= .seconds(10) || sent == total && now - told >= .seconds(1) }

    func text(_ now: Duration) -> (long: String, short: String) {
        guard sent < total else { return (", \(size(total))", " \(size(total))") }
        let elapsed = now - older.time
        let rate = elapsed < .seconds(1) ? "" : ", \(size(Self.rate(sent >= older.sent ? sent - older.sent : 0, elapsed)))/s"
        // A host may claim to have any amount.
        let percent = total == 0 ? 100 : Int(min(1, Double(sent) / Double(total)) * 100)
        return (", \(size(sent)) of \(size(total))\(rate)", " \(percent)%\(rate)")
    }

    /// Bytes per second.
    private static func rate(_ bytes: UInt64, _ time: Duration) -> UInt64 { UInt64(Double(bytes) / (time / .seconds(1))) }
}
