import CSystem
import Model
import Wire

/// Judges units after they were started (DESIGN: "Judging a unit").
struct UnitCheck {
    struct Item {
        var step: Int?
        var unit: UnitName
        /// How long a unit that does not announce its readiness has to stay up.
        var settle: Duration
        /// The unit's invocation before the transaction, if it was up.
        var invocation: String?
    }

    /// How long a unit may take to come up once systemd's own start job is done.
    static let patience = Duration.seconds(90)

    let systemd: Systemd
    let interruption: any Interruption

    /// Returns when every unit is well; fails on the first that is not.
    func judge(_ items: [Item]) throws(Failure) {
        guard !items.isEmpty else { return }
        let begun = csys_monotonic_ns()
        var waited = Duration.zero
        var rest = items
        while true {
            let statuses = try systemd.show(rest.map { $0.unit })
            var pending: [Item] = []
            // The next look is when the first settle window ends, or soon if a unit is still on its way up.
            var pause: Duration?
            for (item, status) in zip(rest, statuses) {
                switch status.verdict(before: item.invocation) {
                case .unwell(let problem):
                    throw Failure(step: item.step, .unit(item.unit, problem, journal: systemd.journal(item.unit)))
                case .healthy:
                    if status.announcesReadiness || waited >= item.settle { continue }
                    pending.append(item)
                    pause = min(pause ?? .seconds(3600), item.settle - waited)
                case .pending:
                    if waited > Self.patience {
                        let state = status.activeState + " (" + status.subState + ")"
                        throw Failure(
                            step: item.step,
                            .unit(item.unit, .notReady(state: state), journal: systemd.journal(item.unit)))
                    }
                    pending.append(item)
                    pause = min(pause ?? .seconds(3600), .milliseconds(100))
                }
            }
            guard let pause else { return }
            rest = pending
            try wait(pause)
            waited = .nanoseconds(csys_monotonic_ns() - begun)
        }
    }

    private func wait(_ pause: Duration) throws(Failure) {
        let deadline = csys_monotonic_ns() + Int64(pause.wholeMilliseconds + 1) * 1_000_000
        while true {
            if let reason = interruption.reason { throw Failure(reason) }
            let remaining = (deadline - csys_monotonic_ns() + 999_999) / 1_000_000
            guard remaining > 0 else { return }
            var items = [csys_poll_item(fd: interruption.descriptor, readable: true, writable: false)]
            _ = csys_poll(&items, items.count, remaining)
        }
    }
}
