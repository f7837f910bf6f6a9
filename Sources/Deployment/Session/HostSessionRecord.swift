import Git
import Model
import Platform
import Wire

/// Queries of the deployed state.
extension HostSession {
    /// The deployed state, as the host records it.
    mutating func record() throws(HostError) -> Record? {
        switch try ask(.record) {
        case .record(let record): return record
        case .refused(let failure): throw .refused(failure)
        default: throw .unexpected
        }
    }

    /// The host's own log of its deploys.
    mutating func log() throws(HostError) -> [HostLogEntry] {
        switch try ask(.log) {
        case .log(let bytes): return HostLogEntry.parse(bytes)
        case .refused(let failure): throw .refused(failure)
        default: throw .unexpected
        }
    }

    /// The differences from the host's record.
    mutating func drift(_ privateApps: [PrivateApp]) throws(HostError) -> [Drift] {
        try conversation.send(.verify(privateApps))
        var drift: [Drift] = []
        while true {
            switch try conversation.receive(deadline: .after(Conversation.workTimeout)) {
            case .drift(let part):
                if part.isEmpty { return drift }
                drift += part
                guard drift.count <= Drift.maximumFindings else { throw .unexpected }
            case .pong: break
            case .busy(let holder): throw .busy(holder)
            case .refused(let failure): throw .refused(failure)
            default: throw .unexpected
            }
        }
    }

    /// The contents of files with a small recorded size; nil for those that have grown.
    mutating func read(_ paths: [AbsolutePath]) throws(HostError) -> [[UInt8]?] {
        try conversation.send(.read(paths))
        var contents: [[UInt8]?] = []
        for _ in paths {
            let size: UInt64?
            switch try receiveFetched() {
            case .file(let count): size = count
            case .refused(let failure): throw .refused(failure)
            default: throw .unexpected
            }
            guard let size else {
                contents.append(nil)
                continue
            }
            var content: [UInt8] = []
            guard size <= Drift.maximumShown else { throw .unexpected }
            while content.count < size {
                guard case .content(let piece) = try receiveFetched(), !piece.isEmpty, content.count + piece.count <= size else {
                    throw .unexpected
                }
                content += piece
            }
            contents.append(content)
        }
        return contents
    }

    /// Sends a request that the agent can answer at once.
    mutating func ask(_ request: Request) throws(HostError) -> Reply {
        try conversation.send(request)
        return try conversation.receive(deadline: .after(Conversation.timeout))
    }

    /// The time of one round trip to the agent.
    mutating func ping() throws(HostError) -> Duration {
        let begun = MonotonicClock.now
        try conversation.send(.ping)
        guard case .pong = try conversation.receive(deadline: .after(Conversation.timeout)) else { throw .unexpected }
        return MonotonicClock.now - begun
    }

    /// Updates the store to the host's deployed state, and returns the commit; nil for none.
    mutating func takeOver(_ record: Record?, into store: Store) throws(HostError) -> ObjectID? {
        let before = try inStore(store.deployedCommit(host))
        if let record { try fetch(try adopt(record, into: store), into: store) }
        // If another process has deployed there meanwhile, its entry is newer.
        let reason = record == nil ? "nothing is deployed there" : "deployed by another store"
        if try inStore(store.setDeployed(host, record?.commit, insteadOf: before, reason: reason)) {
            let time = WallClock.seconds
            try inStore(store.note([.found(time: time, host, commit: record?.commit, before: before)]))
        }
        return record?.commit
    }

    private func adopt(_ record: Record, into store: Store) throws(HostError) -> [ObjectID] {
        do {
            return try store.adopt(record, of: host)
        } catch {
            switch error {
            case .store(let error): throw .store(error)
            case .inconsistent: throw .inconsistentRecord
            }
        }
    }

    /// Maximum bytes to fetch from a host: a host must not fill the operator's disk.
    private static let maximumFetched: UInt64 = 16 << 30

    private mutating func fetch(_ ids: [ObjectID], into store: Store) throws(HostError) {
        guard !ids.isEmpty else { return }
        try conversation.send(.fetch(ids))
        var rest = Self.maximumFetched
        for id in ids {
            guard case .file(let size) = try receiveFetched() else { throw .unexpected }
            // A file that was edited on the host: its recorded content is lost.
            guard let size else { continue }
            guard size <= rest else { throw .inconsistentRecord }
            rest -= size
            try fetch(id, size: size, into: store)
        }
    }

    private mutating func fetch(_ id: ObjectID, size: UInt64, into store: Store) throws(HostError) {
        let blob = try inStore(IncomingBlob(store, size: size))
        var left = size
        while left > 0 {
            guard case .content(let piece) = try receiveFetched(), !piece.isEmpty, UInt64(piece.count) <= left,
                try inStore(blob.add(piece))
            else { throw .unexpected }
            left -= UInt64(piece.count)
        }
        guard try inStore(blob.finish(as: id)) else { throw .inconsistentRecord }
    }

    private mutating func receiveFetched() throws(HostError) -> Reply {
        try conversation.receive(deadline: .after(Conversation.workTimeout))
    }
}
