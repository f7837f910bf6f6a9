import CSystem
import Model
import Wire

/// Checks units after they were started.
struct UnitCheck {
    final class Item {
        let unit: UnitName
        /// The time that the unit has to stay up; nil for a moment, or for none if it announces its readiness.
        let settle: Duration?
        /// The time that it may take to come up after systemd's own start job.
        let limit: Duration
        /// The unit's invocation before the transaction, if it was up.
        let invocation: String?
        /// Whether it was only reloaded, so that it has to be the same invocation still.
        let keepsInvocation: Bool

        init(unit: UnitName, settle: Duration?, limit: Duration, invocation: String?, keepsInvocation: Bool = false) {
            self.unit = unit
            self.settle = settle
            self.limit = limit
            self.invocation = invocation
            self.keepsInvocation = keepsInvocation
        }

        func settle(_ status: UnitStatus) -> Duration {
            // A unit that ended well cannot fail any more.
            if status.isOneshot || !status.isUp { return .zero }
            return settle ?? (status.announcesReadiness ? .zero : .milliseconds(300))
        }
    }

    let systemd: Systemd
    let interruption: any Interruption

    /// Returns when every unit is healthy; fails on the first that is not.
    func check(_ items: [Item]) throws(AgentError) {
        guard !items.isEmpty else { return }
        let begun = csys_monotonic_ns()
        var waited = Duration.zero
        var told = 0
        var rest = items
        while true {
            let statuses = try systemd.show(rest.map { $0.unit })
            var pending: [Item] = []
            var waiting: Waiting?
            // The next check is at the end of the first settle window, or soon if a unit is still starting.
            var pause = Duration.seconds(1)
            for index in rest.indices {
                let item = rest[index], status = statuses[index]
                let limit: Duration
                let goal: Waiting.Goal
                if try isHealthy(item, status) {
                    (limit, goal) = (item.settle(status), .settled)
                    if waited >= limit { continue }
                    pause = min(pause, limit - waited)
                } else {
                    (limit, goal) = (item.limit, .ready)
                    if waited >= limit { throw systemd.tooSlow(item.unit, status, seconds: limit.wholeSeconds) }
                    pause = min(pause, .milliseconds(100))
                }
                pending.append(item)
                if waiting == nil {
                    waiting = Waiting(item.unit, goal, elapsed: waited.wholeSeconds, limit: limit.wholeSeconds)
                }
            }
            guard let waiting else { return }
            if waiting.elapsed > told {
                systemd.report(waiting)
                told = waiting.elapsed
            }
            rest = pending
            try wait(pause)
            waited = .nanoseconds(csys_monotonic_ns() - begun)
        }
    }

    /// Fails on the first unit that is not healthy. Does not wait for those that are starting just now.
    func checkAgain(_ items: [Item]) throws(AgentError) {
        guard !items.isEmpty else { return }
        let statuses = try systemd.show(items.map { $0.unit })
        for index in items.indices { _ = try isHealthy(items[index], statuses[index]) }
    }

    /// False if the unit is not ready yet.
    private func isHealthy(_ item: Item, _ status: UnitStatus) throws(AgentError) -> Bool {
        switch systemd.verdict(item.unit, status, before: item.invocation) {
        case .unwell(let problem), .forgotten(let problem): throw systemd.failure(item.unit, problem)
        case .pending: return false
        case .healthy:
            if item.keepsInvocation, let before = item.invocation, !isSameText(before, status.invocation) {
                throw systemd.failure(item.unit, .replaced)
            }
            return true
        }
    }

    private func wait(_ pause: Duration) throws(AgentError) {
        let deadline = csys_monotonic_ns() + Int64(pause.wholeMilliseconds + 1) * 1_000_000
        _ = try awaitSocket(-1, until: deadline, heeding: interruption)
    }
}

extension Duration {
    /// Rounded down.
    var wholeSeconds: Int { Int(wholeMilliseconds / 1000) }
}
