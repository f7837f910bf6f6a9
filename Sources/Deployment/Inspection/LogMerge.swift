import Model
import Platform

/// Merges the lines of hosts by time, with little memory: a host that is ahead waits.
package final class LogMerge: Sendable {
    private struct State {
        /// In the order of the hosts.
        var lines: [[LogLine]]
        var isEnded: [Bool]
        var isCancelled = false
        /// The host of the last line: it goes first among equals, so that messages of several lines stay together.
        var last = 0
    }

    private static let maximumLines = 1000

    private let hosts: [Hostname]
    private let indexes: [Hostname: Int]
    private let state: Monitor<State>

    package init(_ hosts: [Hostname]) {
        self.hosts = hosts
        indexes = Dictionary(zip(hosts, hosts.indices)) { first, _ in first }
        state = Monitor(State(lines: hosts.map { _ in [] }, isEnded: hosts.map { _ in false }))
    }

    /// Adds a host's next line, once there is room.
    package func add(_ host: Hostname, _ line: LogLine) {
        guard let index = indexes[host] else { return }
        state.wait { state in
            if state.isCancelled { return () }
            guard state.lines[index].count < Self.maximumLines else { return nil }
            state.lines[index].append(line)
            return ()
        }
        wakeOthers()
    }

    /// A wait wakes no other thread, even if it changes something.
    private func wakeOthers() { state.update { _ in } }

    /// Notes that a host has no more lines.
    package func end(_ host: Hostname) {
        guard let index = indexes[host] else { return }
        state.update { $0.isEnded[index] = true }
    }

    /// Drops all lines from now on.
    package func cancel() { state.update { $0.isCancelled = true } }

    /// The next lines of all hosts, in order; nil at the end. Waits until no host can have an earlier one.
    package func next() -> [(host: Hostname, line: LogLine)]? {
        defer { wakeOthers() }
        return state.wait { state in
            if state.isCancelled { return .some(nil) }
            var taken = state.lines.map { _ in 0 }
            var result: [(host: Hostname, line: LogLine)] = []
            while result.count < Self.maximumLines, let index = Self.earliest(state, taken) {
                result.append((hosts[index], state.lines[index][taken[index]]))
                taken[index] += 1
                state.last = index
            }
            for (index, count) in taken.enumerated() where count > 0 { state.lines[index].removeFirst(count) }
            if result.isEmpty { return state.isEnded.allSatisfy { $0 } ? .some(nil) : nil }
            return .some(result)
        }
    }

    /// The host with the earliest line; nil if one that may have an earlier one has none yet.
    private static func earliest(_ state: State, _ taken: [Int]) -> Int? {
        var best: (index: Int, time: Int64)?
        for (index, lines) in state.lines.enumerated() {
            guard taken[index] < lines.count else {
                if state.isEnded[index] { continue }
                return nil
            }
            let time = lines[taken[index]].time
            if let found = best, found.time < time || found.time == time && (found.index == state.last || index != state.last) { continue }
            best = (index, time)
        }
        return best?.index
    }
}
