import Model

/// A deploy in the host's own log. Untrusted: anyone who can write to the log can forge it.
package struct HostLogEntry: Hashable, Sendable {
    /// Seconds since the epoch, by the host's clock.
    package var time: Int64
    /// The commit that the host ran before; nil for none.
    package var before: ObjectID?
    package var commit: ObjectID
    /// One word from the agent: `deployed`, `unchanged`, `rolled-back` or `broken`.
    package var outcome: String
    /// The operator's name, as reported by the client.
    package var operatorName: String

    package init(time: Int64, before: ObjectID?, commit: ObjectID, outcome: String, operatorName: String) {
        self.time = time
        self.before = before
        self.commit = commit
        self.outcome = outcome
        self.operatorName = operatorName
    }

    /// The lines of a log, newest first. Skips invalid lines, such as a truncated first one.
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
