import Model

/// A deploy as the host itself noted it. What it says was written by whoever could write there.
package struct HostLogEntry: Hashable, Sendable {
    /// Seconds since the epoch, by the host's clock.
    package var time: Int64
    /// What it ran before; nil for nothing.
    package var before: ObjectID?
    package var commit: ObjectID
    /// In a word, as the agent puts it: `deployed`, `unchanged`, `rolled-back` or `broken`.
    package var outcome: String
    /// As the operator's client named them.
    package var operatorName: String

    package init(time: Int64, before: ObjectID?, commit: ObjectID, outcome: String, operatorName: String) {
        self.time = time
        self.before = before
        self.commit = commit
        self.outcome = outcome
        self.operatorName = operatorName
    }

    /// The lines of a log, the newest first. What is no such line, as a first one that was cut, is left out.
    static func parse(_ bytes: [UInt8]) -> [HostLogEntry] {
        bytes.split(separator: UInt8(ascii: "\n")).reversed().compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 4, omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            guard fields.count == 5, let time = Int64(fields[0]), let commit = ObjectID(hex: fields[2]) else { return nil }
            let before = ObjectID(hex: fields[1])
            guard before != nil || fields[1] == "none" else { return nil }
            return HostLogEntry(time: time, before: before, commit: commit, outcome: fields[3], operatorName: fields[4])
        }
    }
}

extension HostTask {
    /// Reads the logs of the hosts.
    package func log() async -> [(host: Hostname, result: Result<[HostLogEntry], HostError>)] {
        await run { (_, session) throws(HostError) in try session.log() }
    }
}
