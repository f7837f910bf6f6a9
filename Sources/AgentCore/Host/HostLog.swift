import CSystem
import Model
import Wire

/// The host's own log of deploys. Each line has the time, the old and new commit, the result and the operator.
struct HostLog {
    /// In bytes. At this size, the log becomes `log.old`.
    private static let limit: UInt64 = 256 << 10

    let system: System

    /// Appends a line. A failure to write the log does not undo a deploy.
    func append(_ preparation: Preparation, from: ObjectID?, _ end: RelayedReply) {
        let word =
            switch end.ending {
            case .deployed: "deployed"
            case .unchanged: "unchanged"
            case .rolledBack: "rolled-back"
            case .broken, nil: "broken"
            }
        let line =
            String(csys_realtime_ns() / 1_000_000_000) + " " + (from?.hex ?? "none") + " " + preparation.record.commit.hex + " " + word
            + " "
            + oneLine(preparation.holder) + "\n"
        do {
            if let size = try system.status(of: Layout.log)?.size, size > Self.limit {
                try system.rename(Layout.log, to: Layout.log.withSuffix(".old"))
            }
            let log = try system.openAppending(Layout.log, mode: 0o600)
            try log.write(line.bytes)
        } catch {
            return
        }
    }

    /// The newest lines of this log and the one before it.
    func tail() throws(AgentError) -> [UInt8] {
        // Another agent may append meanwhile.
        let limit = Int(Self.limit) * 2
        let before = try system.contents(of: Layout.log.withSuffix(".old"), limit: limit) ?? []
        return Array((before + (try system.contents(of: Layout.log, limit: limit) ?? [])).suffix(Int(Self.limit)))
    }

    /// Removes control characters: a name given by a client must not look like another log line.
    private func oneLine(_ text: String) -> String {
        Model.text(text.bytes.filter { $0 >= 0x20 && $0 != 0x7f }[...])
    }
}
