import Git
import Model
import Planning
import SSH
import Wire

/// One host's part of a deploy, from the login to the outcome. It belongs to one thread; every call blocks.
struct HostSession {
    private let host: Hostname
    private let connection: Connection
    private var conversation: Conversation
    let hello: Hello

    /// Logs in and waits for the agent's greeting.
    init(
        _ host: Hostname, access: Access, report: (HostEvent) -> Void
    ) throws(HostError) {
        self.host = host
        report(.connecting)
        let agents = CarriedAgent.all
        guard !agents.isEmpty else { throw .noAgents }
        do {
            let settings = try HostSettings.query(host, configurationFile: access.sshConfiguration)
            connection = try access.turnstile.enter { () throws(SSHError) in
                try Connection(settings, questions: access.questions, interrupt: access.interrupt)
            }
            let stream = try connection.start(Bootstrap(agents: agents).command)
            conversation = try Conversation(stream, agents: agents) { report(.installingAgent) }
        } catch let error as SSHError {
            throw .ssh(error)
        } catch let error as HostError {
            throw error
        } catch {
            throw .unexpected
        }
        guard case .hello(let hello) = try conversation.receive(deadline: .after(.seconds(300))) else { throw .unexpected }
        self.hello = hello
        if case .broken(let failure, let undoing) = hello.recovery { throw .broken(failure, undoing: undoing) }
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
        _ preparation: Preparation, contents: BlobReader, report: (HostEvent) -> Void
    ) throws(HostError) -> Lock {
        report(.locking)
        try conversation.send(.prepare(preparation))
        let total = preparation.contents.reduce(0) { $0 + $1.size }
        var sent: UInt64 = 0
        try send(preparation.contents, from: contents) { count in
            sent += count
            report(.staging(bytes: sent, of: total))
        }
        while true {
            switch try conversation.receive(deadline: .after(.seconds(600))) {
            case .locked: report(.staging(bytes: sent, of: total))
            case .busy(let holder): return .busy(holder)
            case .stale(let record): return .stale(record)
            case .staged(let missing) where missing.isEmpty:
                report(.staged)
                return .ready
            case .staged(let missing):
                // Files that were edited on the host, or are gone there.
                let supply = try Content.all(missing, in: contents)
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
            do {
                let blob = try reader.open(content.id)
                while true {
                    let piece = try blob.next(Frame.contentLimit)
                    if piece.isEmpty { break }
                    try conversation.send(.content(piece))
                    onProgress(UInt64(piece.count))
                }
            } catch let error as StoreError {
                throw .store(error)
            } catch let error as HostError {
                throw error
            } catch {
                throw .unexpected
            }
        }
    }

    /// Runs the steps, to the end of it.
    mutating func apply(_ plan: HostPlan, report: (HostEvent) -> Void) throws(HostError) -> Outcome {
        do {
            try conversation.send(.apply)
            while true {
                switch try conversation.receive(deadline: .after(.seconds(600))) {
                case .began(let index):
                    if plan.steps.indices.contains(index) { report(.applying(plan.steps[index])) }
                case .undoing(let failure): report(.undoing(failure))
                case .finished(let outcome): return outcome
                case .refused(let failure): throw HostError.refused(failure)
                default: throw HostError.unexpected
                }
            }
        } catch .ssh(let error) {
            throw .lost(error)
        }
    }

    /// Tells the host that nothing comes of it, and leaves.
    mutating func abandon() {
        try? conversation.send(.cancel)
        conversation.close()
    }

    func close() { conversation.close() }
}

extension Content {
    /// The sizes of contents in the store.
    static func all(_ ids: [ObjectID], in reader: BlobReader) throws(HostError) -> [Content] {
        var contents: [Content] = []
        for id in ids {
            do {
                contents.append(Content(id: id, size: try reader.open(id).size))
            } catch {
                throw .store(error)
            }
        }
        return contents
    }
}

/// How hosts are reached.
public struct Access: Sendable {
    /// `-F` of ssh; nil for the user's own configuration.
    public var sshConfiguration: String?
    public var questions: Questions
    public var interrupt: Interrupt
    /// How many log in at once.
    let turnstile: Turnstile

    public init(
        sshConfiguration: String? = nil, questions: Questions = .none, interrupt: Interrupt, parallel: Int = 32
    ) {
        self.sshConfiguration = sshConfiguration
        self.questions = questions
        self.interrupt = interrupt
        turnstile = Turnstile(parallel)
    }
}
