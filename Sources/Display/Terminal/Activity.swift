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
