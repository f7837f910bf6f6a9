import CSystem
import Git
import Model
import Planning
import SSH
import Wire

/// One host's part of a deploy, from the login to the outcome. It belongs to one thread; every call blocks.
struct HostSession {
    private let host: Hostname
    private let interrupt: Interrupt
    private let connection: Connection
    private var conversation: Conversation
    let hello: Hello

    /// Logs in and waits for the agent's greeting. Where there is no agent, nothing changes before `beforeInstall` returns.
    init(
        _ host: Hostname, access: Access, questions: Questions, interrupt: Interrupt, report: (HostEvent) -> Void,
        beforeInstall: () throws(HostError) -> Void = {}
    ) throws(HostError) {
        self.host = host
        self.interrupt = interrupt
        report(.connecting)
        let agents = CarriedAgent.all
        guard !agents.isEmpty else { throw .noAgents }
        let stream: any RemoteStream
        do {
            (connection, stream) = try access.turnstile.enter { () throws(SSHError) in
                try access.start(Bootstrap(agents: agents).command, on: host, questions, interrupt)
            }
        } catch {
            throw .ssh(error)
        }
        conversation = try Conversation(stream, agents: agents) { () throws(HostError) in
            try beforeInstall()
            report(.installingAgent)
        }
        guard case .hello(let hello) = try conversation.receive(deadline: .after(Conversation.patienceForWork)) else { throw .unexpected }
        self.hello = hello
        if case .broken(let failure, let undoing, let remainder) = hello.recovery {
            throw .broken(failure, undoing: undoing, remainder)
        }
    }

    /// Whether the host is the one that is meant.
    func verify(hostname expected: String) throws(HostError) {
        guard hello.hostname == expected else { throw .wrongHostname(expected: expected, found: hello.hostname) }
    }

    // MARK: Deploying

    /// What came of asking for the lock.
    enum Lock {
        case ready
        case busy(Holder)
        case stale(Record?)
    }

    /// Locks the host and brings it all files.
    mutating func prepare(
        _ preparation: Preparation, storePath: String, report: (HostEvent) -> Void
    ) throws(HostError) -> Lock {
        let contents: BlobReader
        do { contents = try BlobReader(store: storePath) } catch { throw .store(error) }
        report(.locking)
        try conversation.send(.prepare(preparation))
        let total = preparation.contents.reduce(0) { $0 + $1.size }
        var sent: UInt64 = 0
        try send(preparation.contents, from: contents) { count in
            sent += count
            report(.staging(bytes: sent, of: total))
        }
        while true {
            switch try conversation.receive(deadline: .after(Conversation.patienceForWork)) {
            case .locked: report(.staging(bytes: sent, of: total))
            case .busy(let holder): return .busy(holder)
            case .stale(let record): return .stale(record)
            case .staged(let missing) where missing.isEmpty:
                report(.staged)
                return .ready
            case .staged(let missing):
                // Files that were edited on the host, or are gone there.
                let supply = try missing.map { id throws(HostError) in
                    Content(id: id, size: try open(id, contents).size)
                }
                try conversation.send(.supply(supply))
                try send(supply, from: contents) { _ in }
            case .refused(let failure): throw .refused(failure)
            default: throw .unexpected
            }
        }
    }

    private func send(
        _ contents: [Content], from reader: BlobReader, onProgress: (UInt64) -> Void
    ) throws(HostError) {
        for content in contents {
            let blob = try open(content.id, reader)
            while true {
                let piece: [UInt8]
                do { piece = try blob.next(Frame.contentLimit) } catch { throw .store(error) }
                if piece.isEmpty { break }
                try conversation.send(.content(piece))
                onProgress(UInt64(piece.count))
            }
        }
    }

    private func open(_ id: ObjectID, _ reader: BlobReader) throws(HostError) -> BlobContent {
        do { return try reader.open(id) } catch { throw .store(error) }
    }

    /// Runs the steps, to the end of it. When the operator gives up meanwhile, the host is asked to roll back.
    ///
    /// `confirm` says why a host that waits for a confirmation shall not keep its new state; nil if it shall. What it gets
    /// beside is to be called every ten seconds.
    mutating func apply(
        _ plan: HostPlan, confirm: (Step.Confirmation, () -> Void) -> Problem?, report: (HostEvent) -> Void
    ) throws(HostError) -> Outcome {
        // The host knows only that it was told to undo.
        var refusal: Failure?
        do throws(HostError) {
            try conversation.send(.apply)
            while true {
                switch try receiveOrCancel() {
                case .began(let index):
                    guard plan.steps.indices.contains(index) else { throw .unexpected }
                    report(.applying(plan.steps[index]))
                    if case .confirm(_, let because) = plan.steps[index].action {
                        refusal = confirm(because) { giveSignOfLife() }.map { Failure(step: index, $0) }
                        try conversation.send(refusal == nil ? .confirm : .cancel)
                    }
                case .waiting(let waiting): report(.waiting(waiting))
                case .undoing(let failure): report(.undoing(refusal ?? failure))
                case .finished(.rolledBack(let failure)): return .rolledBack(refusal ?? failure)
                case .finished(let outcome): return outcome
                case .refused(let failure): throw .refused(failure)
                default: throw .unexpected
                }
            }
        } catch {
            if case .ssh(let reason) = error { throw .lost(reason) }
            throw error
        }
    }

    /// Keeps the host from taking us for gone. If that fails, what comes next fails too.
    func giveSignOfLife() { try? conversation.send(.ping) }

    private mutating func receiveOrCancel() throws(HostError) -> Reply {
        do {
            return try conversation.receiveFromLiving()
        } catch .ssh(.interrupted) {
            interrupt.rearm()
            try conversation.send(.cancel)
            return try conversation.receiveFromLiving()
        } catch {
            throw error
        }
    }

    // MARK: Learning what is deployed

    /// What the host says is deployed there.
    mutating func record() throws(HostError) -> Record? {
        try conversation.send(.record)
        switch try conversation.receive(deadline: .after(Conversation.patience)) {
        case .record(let record): return record
        case .refused(let failure): throw .refused(failure)
        default: throw .unexpected
        }
    }

    /// The time of one round trip to the agent.
    mutating func ping() throws(HostError) -> Duration {
        let begun = csys_monotonic_ns()
        try conversation.send(.ping)
        guard case .pong = try conversation.receive(deadline: .after(Conversation.patience)) else { throw .unexpected }
        return .nanoseconds(csys_monotonic_ns() - begun)
    }

    /// Makes the store know what the host runs, and returns the commit; nil for nothing.
    mutating func takeOver(_ record: Record?, into store: Store) throws(HostError) -> ObjectID? {
        do {
            guard let record else {
                try store.setDeployed(host, nil, reason: "nothing is deployed there")
                return nil
            }
            let missing = try store.adopt(record, of: host)
            try fetch(missing, into: store)
            try store.setDeployed(host, record.commit, reason: "deployed by another store")
            return record.commit
        } catch let error as StoreError {
            throw .store(error)
        } catch AdoptionError.store(let error) {
            throw .store(error)
        } catch let error as HostError {
            throw error
        } catch {
            throw .inconsistentRecord
        }
    }

    /// The largest file that is fetched from a host, in bytes: it is held in memory as a whole.
    private static let largestFetched: UInt64 = 1 << 30

    private mutating func fetch(_ ids: [ObjectID], into store: Store) throws(HostError) {
        guard !ids.isEmpty else { return }
        try conversation.send(.fetch(ids))
        for id in ids {
            guard case .file(let size) = try conversation.receive(deadline: .after(Conversation.patienceForWork)) else { throw .unexpected }
            // A file that was edited on the host: its recorded content is nowhere to be had.
            guard let size else { continue }
            guard size <= Self.largestFetched else { throw .inconsistentRecord }
            var bytes: [UInt8] = []
            while UInt64(bytes.count) < size {
                guard case .content(let piece) = try conversation.receive(deadline: .after(Conversation.patienceForWork)), !piece.isEmpty else {
                    throw .unexpected
                }
                bytes += piece
            }
            guard ObjectID.of(.blob, bytes) == id else { throw .inconsistentRecord }
            do {
                _ = try store.write(RecordedObject(kind: .blob, bytes: bytes))
            } catch {
                throw .store(error)
            }
        }
    }

    /// Tells the host that nothing comes of it, and leaves.
    mutating func abandon() {
        try? conversation.send(.cancel)
        conversation.close()
    }

    func close() { conversation.close() }
}

