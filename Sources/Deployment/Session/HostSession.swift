import Git
import Model
import Planning
import SSH
import Wire

/// One host's part of a deploy, from the login to the outcome. Belongs to one thread; every call blocks.
///
/// ```swift
/// var session = try HostSession(host, access: access, prompts: .none, interrupt: interrupt, report: { _ in })
/// defer { session.close() }
/// guard case .ready = try session.prepare(preparation, storePath: store.path, report: { _ in }) else { return }
/// let outcome = try session.apply(plan, confirm: { _, _, _ in nil }, report: { _ in })
/// ```
struct HostSession {
    let host: Hostname
    private let interrupt: Interrupt
    var conversation: Conversation
    private var hasHungUp = false
    let hello: Hello

    /// Logs in and waits for the agent's greeting. If the agent is missing, nothing changes before `beforeInstall`
    /// returns.
    init(
        _ host: Hostname, access: Access, sharing: SystemSSH.Sharing = .allowed, prompts: Prompts,
        interrupt: Interrupt, report: (HostEvent) -> Void,
        beforeInstall: () throws(HostError) -> Void = {}
    ) throws(HostError) {
        self.host = host
        self.interrupt = interrupt
        report(.connecting)
        let agents = BundledAgent.all
        guard !agents.isEmpty else { throw .noAgents }
        let bootstrap = Bootstrap(agents: agents)
        let (stream, user) = try overSSH(access.start(bootstrap.command, on: host, sharing: sharing, prompts, interrupt))
        let password = prompts.sudoPassword.map { ask in { (wrong: Secret?) in ask(host, user, wrong) } }
        conversation = try Conversation(stream, bootstrap: bootstrap, sudoPassword: password) { () throws(HostError) in
            try beforeInstall()
            report(.installingAgent)
        }
        switch try conversation.receive(deadline: .after(Conversation.workTimeout)) {
        case .hello(let hello): self.hello = hello
        case .refused(let failure): throw .refused(failure)
        default: throw .unexpected
        }
        if case .broken(let failure, let undoing, let remainder) = hello.recovery {
            throw .broken(failure, undoing: undoing, remainder)
        }
    }

    /// Checks that this is the intended host.
    func verify(hostname expected: String) throws(HostError) {
        guard hello.hostname == expected else { throw .wrongHostname(expected: expected, found: hello.hostname) }
    }

    /// Checks that the host can run the plan: units need systemd, files and links do not.
    func checkUnits(_ steps: [Step]) throws(HostError) {
        guard !hello.hasSystemd else { return }
        for step in steps {
            if let unit = step.action.neededUnit { throw .noSystemd(unit) }
        }
    }

    // MARK: Deploying

    /// The result of a request for the lock.
    enum Lock {
        case ready
        case busy(LockHolder)
        case stale(Record?)
    }

    /// Locks the host and sends it all files.
    mutating func prepare(
        _ preparation: Preparation, storePath: String, report: (HostEvent) -> Void
    ) throws(HostError) -> Lock {
        let contents = try inStore(BlobReader(store: storePath))
        report(.locking)
        try conversation.send(.prepare(preparation))
        let total = preparation.contents.reduce(0) { $0 + $1.size }
        var sent: UInt64 = 0
        func progress(_ count: UInt64) {
            sent += count
            report(.staging(bytes: sent, of: total))
        }
        let small = preparation.contents.prefix { !$0.isLarge }
        try sendToLiving(small, from: contents, onProgress: progress)
        var resumed: [ObjectID: UInt64] = [:]
        var hasSupplied = false
        var isChecking = false
        while true {
            // A check may run for minutes, so there is no deadline, but the operator can cancel.
            let reply =
                isChecking
                ? try receiveOrCancel() : try conversation.receive(deadline: .after(Conversation.workTimeout))
            switch reply {
            case .began(let index):
                guard preparation.steps.indices.contains(index), case .validate = preparation.steps[index].action else { throw .unexpected }
                isChecking = true
                report(.applying(preparation.steps[index]))
            case .resumed(let parts):
                for part in parts { resumed[part.id] = part.size }
            case .locked:
                progress(0)
                let large = preparation.contents.dropFirst(small.count)
                try sendToLiving(large, from: contents, after: resumed, onProgress: progress)
            case .busy(let holder): return .busy(holder)
            case .stale(let record): return .stale(record)
            case .staged(let missing) where missing.isEmpty:
                report(.staged)
                return .ready
            case .staged(let missing):
                // Files that were edited or removed on the host. Send only the host's own files, and only once: a
                // host could ask for those of other hosts.
                let files = Set(preparation.record.apps.flatMap(\.files).map(\.id))
                guard !hasSupplied, Set(missing).count == missing.count, files.isSuperset(of: missing) else { throw .unexpected }
                hasSupplied = true
                let supply = try missing.map { id throws(HostError) in
                    Content(id: id, size: try inStore(contents.open(id).size))
                }
                try conversation.send(.supply(supply))
                try sendToLiving(supply[...], from: contents) { _ in }
            case .obstructed(let failures, let more):
                throw .obstructed(AgentError.distinct(failures), more: more)
            case .refused(let failure): throw .refused(failure)
            default: throw .unexpected
            }
        }
    }

    /// A host that gives up meanwhile has sent the reason, which is received next.
    private func sendToLiving(
        _ contents: ArraySlice<Content>, from reader: BlobReader, after resumed: [ObjectID: UInt64] = [:],
        onProgress: (UInt64) -> Void
    ) throws(HostError) {
        do throws(HostError) {
            try send(contents, from: reader, after: resumed, onProgress: onProgress)
        } catch {
            guard case .ssh(.connectionLost) = error else { throw error }
        }
    }

    /// `resumed` holds how many bytes of each content the host already has.
    private func send(
        _ contents: ArraySlice<Content>, from reader: BlobReader, after resumed: [ObjectID: UInt64] = [:],
        onProgress: (UInt64) -> Void
    ) throws(HostError) {
        for content in contents {
            let blob = try inStore(reader.open(content.id))
            if let count = resumed[content.id] {
                guard count <= blob.size else { throw .unexpected }
                try inStore(blob.skip(count))
                onProgress(count)
            }
            while true {
                let piece = try inStore(blob.next(Frame.contentLimit))
                if piece.isEmpty { break }
                try conversation.send(.content(piece[...]))
                onProgress(UInt64(piece.count))
            }
        }
    }

    /// Runs the steps to the end. If the operator cancels meanwhile, asks the host to roll back.
    ///
    /// `confirm` returns why a host that waits for confirmation must not keep its new state; nil if it keeps it. It
    /// receives the test results so far, and a closure to call every ten seconds.
    mutating func apply(
        _ plan: HostPlan, confirm: (Step.Confirmation, GuardResults, () throws(HostError) -> Void) -> Problem?,
        report: (HostEvent) -> Void
    ) throws(HostError) -> Outcome {
        // The host receives the request to roll back without a reason.
        var refusal: AgentError?
        var next = 0
        var tests: GuardResults = [:]
        try conversation.send(.apply)
        while true {
            switch try receiveOrCancel() {
            case .began(let index):
                guard index >= next, plan.steps.indices.contains(index) else { throw .unexpected }
                next = index + 1
                report(.applying(plan.steps[index]))
                if case .confirm(_, let because) = plan.steps[index].action {
                    let objection = confirm(because, tests) { () throws(HostError) in try sendKeepalive() }
                    // A host that rolls back by itself meanwhile has its own reason.
                    if conversation.hasReply { continue }
                    refusal = objection.map { AgentError(step: index, $0) }
                    if refusal?.problem == .cancelled { interrupt.rearm() }
                    try conversation.send(refusal == nil ? .confirm : .cancel)
                }
            case .tested(let status, let output):
                guard next > 0, case .test(let test) = plan.steps[next - 1].action else { throw .unexpected }
                tests[test] = (status, output)
            case .waiting(let waiting): report(.waiting(waiting))
            case .unanswered(let answer, let elapsed, let limit):
                guard next > 0, case .probe(let probe) = plan.steps[next - 1].action else { throw .unexpected }
                report(.unanswered(probe, answer, elapsed: elapsed, limit: limit))
            case .undoing(let failure): report(.undoing(refusal ?? failure.withProbe(of: plan)))
            case .finished(.rolledBack(let failure)): return .rolledBack(refusal ?? failure.withProbe(of: plan))
            case .finished(.broken(let failure, let undoing, let remainder)):
                return .broken(refusal ?? failure.withProbe(of: plan), undoing: undoing, remainder)
            case .finished(let outcome): return outcome
            case .refused(let failure): throw .refused(failure)
            default: throw .unexpected
            }
        }
    }

    /// Keeps a waiting host and the client from taking each other for gone. Throws if the host does not answer, or
    /// sends any other message.
    mutating func sendKeepalive() throws(HostError) {
        switch try conversation.exchangeKeepalives() {
        case nil: return
        case .refused(let failure)?: throw .refused(failure)
        case _?: throw .unexpected
        }
    }

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

    /// Asks the host to drop the deploy, and leaves.
    mutating func abandon() {
        try? conversation.send(.cancel)
        conversation.close()
    }

    /// Leaves a host that has answered every request, without the round trip of waiting for the agent to exit.
    mutating func hangUp() {
        conversation.hangUp()
        hasHungUp = true
    }

    func close() { if !hasHungUp { conversation.close() } }
}

extension Step.Action {
    /// A unit for which a host needs systemd. The removal of a unit does not need it on a host without systemd.
    fileprivate var neededUnit: UnitName? {
        switch self {
        case .enable(let unit, _), .start(let unit, _, _), .restart(let unit, _, _), .restartIfUp(let unit, _, _),
            .reload(let unit, _, _, _):
            unit
        default: nil
        }
    }
}

extension AgentError {
    /// The error with the probe of its step, if a probe failed.
    fileprivate func withProbe(of plan: HostPlan) -> AgentError {
        guard case .probe(nil, let answer, let journal) = problem, let step, plan.steps.indices.contains(step),
            case .probe(let probe) = plan.steps[step].action
        else { return self }
        return AgentError(step: step, .probe(probe, answer, journal: journal))
    }

    /// Each problem once: several steps may hit the same one.
    static func distinct(_ failures: [AgentError]) -> [AgentError] {
        var distinct: [AgentError] = []
        for failure in failures where !distinct.contains(where: { $0.problem == failure.problem }) { distinct.append(failure) }
        return distinct
    }
}
