import Deployment
import Model
import Wire

/// A host's present activity, when it began, and how far it is.
struct Activity: Sendable {
    enum Kind: Sendable {
        /// Waiting for other hosts, or for its turn.
        case idle
        case working, done, failed

        var isEnd: Bool { self == .done || self == .failed }

        func paint(_ style: Style, _ text: String) -> String {
            switch self {
            case .idle: style.faint(text)
            case .working: text
            case .done: style.added(text)
            case .failed: style.bad(text)
            }
        }
    }

    var kind: Kind
    var phrase: String
    var since: Duration
    var upload: Upload?
    /// The time that the host itself reports.
    var wait: (elapsed: Int, limit: Int)?

    init(kind: Kind, phrase: String, since: Duration) { (self.kind, self.phrase, self.since) = (kind, phrase, since) }

    init(_ event: HostEvent, isUndoing: Bool, at now: Duration) {
        self.init(kind: event.kind, phrase: event.phrase(isUndoing: isUndoing), since: now)
        switch event {
        case .staging(let sent, let total) where total >= 1 << 20: upload = Upload(sent: sent, total: total, at: now)
        case .waiting(let waiting): wait = (waiting.elapsed, waiting.limit)
        case .unanswered(_, _, let elapsed, let limit): wait = (elapsed, limit)
        default: break
        }
    }

    /// The time after which a step counts as slow.
    private static let slowAfter = Duration.seconds(2)

    /// Text after the phrase, in full and for narrow terminals; nil if there is none.
    func detail(_ now: Duration) -> (long: String, short: String)? {
        if let wait { return (" (\(wait.elapsed) s of \(wait.limit) s)", " \(wait.elapsed) s") }
        if let upload { return upload.text(now) }
        let elapsed = now - since
        guard kind == .working, elapsed >= Self.slowAfter else { return nil }
        return (" (\(elapsed.components.seconds) s)", " \(elapsed.components.seconds) s")
    }
}

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

extension HostEvent {
    fileprivate var kind: Activity.Kind {
        switch self {
        case .connected, .warning, .staged: .idle
        case .ended(.deployed), .ended(.checked): .done
        case .ended: .failed
        case .connecting, .installingAgent, .locking, .staging, .applying, .waiting, .unanswered, .undoing: .working
        }
    }

    fileprivate func phrase(isUndoing: Bool) -> String {
        switch self {
        case .connecting: "connecting"
        case .installingAgent: "installing the agent"
        case .connected(.asPlanned): "connected"
        case .connected(.other): HostResult.staleOther
        case .connected(.nothing): HostResult.staleNothing
        case .warning(let warning): warning.phrase
        case .locking: "locking"
        case .staging: "staging"
        case .staged: "ready"
        case .applying(let step): step.progress
        case .waiting(let waiting): (isUndoing ? "rolling back: " : "") + waiting.goalPhrase
        case .unanswered(let probe, let answer, _, _): "waiting for \(probe.phrase): \(answer.phrase)"
        case .undoing(let failure): "rolling back: \(failure.phrase)"
        case .ended(let result): result.phrase
        }
    }
}

extension HostWarning {
    /// For a line of its own, after the host's name.
    package var phrase: String {
        switch self {
        case .readBeforeMount(let paths):
            let more = paths.count > 1 ? " (and \(paths.count - 1) more)" : ""
            return "early boot reads \(paths[0].text)\(more) before /var/lib/deptool is mounted: use \"copies\" instead of \"symlinks\""
        case .noRecoveryAtBoot:
            return "/etc/systemd/system cannot be written: if this deploy is cut off, no boot undoes it, but the next contact does"
        case .replacesEdits(let files):
            return
                "edited on the host, and replaced by this deploy: \(list(files)). Until the app's next deploy, `previous` beside it has the edits"
        case .removesEdits(let files): return "edited on the host, and removed by this deploy: \(list(files))"
        case .lostLinks(let paths):
            return
                "replaced on the host, and left so by this deploy: \(list(paths.map(\.text))). What reads that does not see the new files; "
                + "`deptool deploy --repair` restores it"
        }
    }

    private func list(_ files: [String]) -> String {
        files.prefix(3).map(visible).joined(separator: ", ") + (files.count > 3 ? " and \(count(files.count - 3, "other"))" : "")
    }
}

extension Waiting {
    fileprivate var goalPhrase: String {
        switch goal {
        case .ready: "waiting for \(unit.text) to become ready"
        case .stopped: "waiting for \(unit.text) to stop"
        case .reloaded: "reloading \(unit.text)"
        case .settled: "watching \(unit.text)"
        }
    }

    var phrase: String { "\(goalPhrase) (\(elapsed) s of \(limit) s)" }
}
