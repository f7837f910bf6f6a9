import Git
import Model
import Planning
import Platform
import SSH
import Wire

/// Carries out a plan on all its hosts.
///
/// It begins by connecting, which changes nothing and may happen while the operator still reads the plan. Then it
/// waits for `commit` or `abort`.
///
/// ```swift
/// let deploy = try Deploy(plan, store: store, access: access, options: DeployOptions(), phrase: { $0.phrase }) { host, event in
///     print(host.text, event)
/// }
/// async let results = deploy.run()
/// _ = try deploy.commit(root: root, .deploy, cluster: "prod", store: store)
/// for (host, result) in await results { print(host.text, result.phrase) }
/// ```
package final class Deploy: Sendable {
    private enum Decision {
        case open
        case commit(ObjectID)
        case cancelled
    }

    private let plan: Plan
    private let storePath: String
    private let access: Access
    private let options: DeployOptions
    private let report: @Sendable (Hostname, HostEvent) -> Void
    private let phrase: @Sendable (HostResult) -> String
    private let decision = Monitor(Decision.open)
    /// Met before any host is locked, when all questions to the operator have been answered.
    private let loginBarrier: Barrier
    /// Met before any host changes.
    private let stagedBarrier: Barrier
    /// Unreachable hosts that the deploy may skip.
    private let missing = Monitor<[MissingHost]>([])
    /// Whether the hosts at the login barrier may proceed: a single vote, the operator's if hosts are missing.
    private let consent = Barrier(1)
    /// Met before any host keeps its new state, if all or none must.
    private let commitBarrier: Barrier
    private let programVote: ProgramVote
    /// One per host of the plan.
    private let interrupts: [Interrupt]

    /// Calls `report` with each event as it happens, from the threads of the hosts. `phrase` words the result for the
    /// history.
    package init(
        _ plan: Plan, store: Store, access: Access, options: DeployOptions,
        phrase: @escaping @Sendable (HostResult) -> String,
        report: @escaping @Sendable (Hostname, HostEvent) -> Void
    ) throws(SSHError) {
        self.plan = plan
        self.access = access
        self.options = options
        self.report = report
        self.phrase = phrase
        storePath = store.path
        programVote = ProgramVote(options.confirm)
        loginBarrier = Barrier(plan.hosts.count)
        stagedBarrier = Barrier(plan.hosts.count)
        commitBarrier = Barrier(plan.hosts.count, pause: Barrier.commitPause)
        var interrupts: [Interrupt] = []
        for _ in plan.hosts { interrupts.append(try Interrupt()) }
        self.interrupts = interrupts
    }

    /// Connects to all hosts, and carries out the rest once committed. No host changes before all are locked and have
    /// their files; from there each host proceeds on its own.
    package func run() async -> [(host: Hostname, result: HostResult)] {
        await withTaskGroup { group in
            for (plan, interrupt) in zip(plan.hosts, interrupts) {
                group.addTask {
                    await onOwnThread {
                        let result = self.deploy(plan, interrupt)
                        self.note(plan.host, result)
                        self.report(plan.host, .ended(result))
                        return (plan.host, result)
                    }
                }
            }
            async let asking: Void = onOwnThread { self.consent.vote(self.mayGoOn() ? .ready : .against) }
            var results: [(host: Hostname, result: HostResult)] = []
            for await result in group { results.append(result) }
            await asking
            await onOwnThread { self.programVote.end() }
            return results.sorted { $0.host < $1.host }
        }
    }

    /// Waits for all logins, and asks the operator whether to continue without the missing hosts.
    private func mayGoOn() -> Bool {
        guard loginBarrier.decision() else { return false }
        let missing = missing.update { $0.sorted { $0.host < $1.host } }
        guard !missing.isEmpty, missing.count < plan.hosts.count, case .ask(let ask) = options.unreachable else { return true }
        return ask(missing)
    }

    /// Makes the commit, notes the start of the deploy in the store's history, and lets every host continue with it.
    @discardableResult
    package func commit(
        root: ObjectID, _ kind: HistoryEntry.Kind = .deploy, cluster: String, store: Store
    ) throws(StoreError) -> ObjectID {
        let commit =
            options.isRehearsal
            ? try store.commit(tree: root, parent: try store.lastCommit(), author: store.author(), message: "check", time: 0)
            : try store.begin(plan, root: root, kind, cluster: cluster)
        decision.update { $0 = .commit(commit) }
        return commit
    }

    /// Notes a host's result, once the deploy is committed. If that fails, the host itself still has it.
    private func note(_ host: Hostname, _ result: HostResult) {
        guard !options.isRehearsal, case .commit(let commit) = decision.update({ $0 }), let store = try? Store.open(at: storePath) else {
            return
        }
        let time = WallClock.seconds
        try? store.note([.ended(time: time, commit: commit, host, result.end, String(phrase(result).prefix(1000)))])
    }

    /// Leaves all hosts as they are, unless the deploy is already committed.
    package func abort() {
        decision.update { decision in
            if case .open = decision { decision = .cancelled }
        }
        cancel()
    }

    /// Gives up: leaves hosts that are connecting or staging as they are, and rolls back those that run their steps.
    package func cancel() {
        for interrupt in interrupts { interrupt.fire() }
        // Ends the operator's program, after which the hosts find that they are interrupted.
        programVote.cancel()
    }

    // MARK: One host

    private func deploy(_ plan: HostPlan, _ interrupt: Interrupt) -> HostResult {
        var participant = Participant(at: [loginBarrier, stagedBarrier, commitBarrier])
        do throws(HostError) {
            let early = connectEarly(plan, interrupt)
            let commit = try waitForDecision()
            var session: HostSession
            do throws(HostError) {
                if let early { session = early } else { session = try connect(plan, access.prompts, interrupt) }
            } catch {
                if case .ssh(let reason) = error, reason != .interrupted, options.unreachable.isBearable {
                    missing.update { $0.append((plan.host, reason)) }
                    participant.voteOnLeaving = .absent
                }
                throw error
            }
            defer { session.close() }
            participant.arrive()
            guard try consent.decision(keepalive: { () throws(HostError) in try session.sendKeepalive() }) else {
                return .failed(.otherHostNotReady)
            }
            for warning in HostWarning.all(plan, session.hello) { report(plan.host, .warning(warning)) }
            let store = try inStore(Store.open(at: storePath))
            let login = try OwnLogin.ask(plan, access, interrupt)
            let preparation = try makePreparation(plan, commit: commit, login: login, in: store)
            switch try session.prepare(preparation, storePath: storePath, report: { report(plan.host, $0) }) {
            case .ready: break
            case .busy(let holder): return .failed(.busy(holder))
            case .stale(let record): return .stale(try session.takeOver(record, into: store))
            }
            participant.arrive()
            guard try stagedBarrier.decision(keepalive: { () throws(HostError) in try session.sendKeepalive() }) else {
                session.abandon()
                return .failed(.otherHostNotReady)
            }
            if options.isRehearsal {
                session.abandon()
                return .checked
            }
            return apply(plan, as: commit, login: login, in: &session, store: store, voting: &participant)
        } catch {
            return .failed(error == .ssh(.interrupted) ? .cancelled : error)
        }
    }

    /// Runs the steps on a prepared host.
    private func apply(
        _ plan: HostPlan, as commit: ObjectID, login: OwnLogin?, in session: inout HostSession, store: Store,
        voting participant: inout Participant
    ) -> HostResult {
        var refusedLogin: HostError?
        let password = session.conversation.sudoPassword
        do throws(HostError) {
            let outcome = try session.apply(
                plan,
                confirm: {
                    confirm(
                        $0, of: plan, tests: $1, login: login, password: password, sendKeepalive: $2, refusedLogin: &refusedLogin,
                        voting: &participant)
                },
                report: { report(plan.host, $0) })
            var answers: [ProbeResult] = []
            if case .rolledBack = outcome {
                // The answers only inform. The host is in its old state with or without them.
                answers = (try? session.probeUntilPassed(plan.formerProbes)) ?? []
            }
            session.hangUp()
            // If the store cannot take it, the next deploy finds out from the host.
            if outcome == .deployed {
                if !options.forgets { store.remember(plan.wanted.id, of: plan.host, in: commit) }
                try? store.setDeployed(plan.host, options.forgets ? nil : commit, reason: "deploy")
            }
            if case .rolledBack(let failure) = outcome, case .notConfirmed = failure.problem, let refusedLogin {
                return .lockedOut(refusedLogin)
            }
            if case .rolledBack(let failure) = outcome { return .rolledBack(failure, answers: answers) }
            return HostResult(outcome)
        } catch {
            switch error {
            case .refused, .obstructed: return .failed(error)
            // Without the host's own answer, it may have done all of it.
            default: return .unknown(error)
            }
        }
    }

    /// `password` is the one that sudo got when the session began. `sendKeepalive` has to be called every ten
    /// seconds.
    private func confirm(
        _ because: Step.Confirmation, of plan: HostPlan, tests: GuardResults, login: OwnLogin?, password: Secret?,
        sendKeepalive: () throws(HostError) -> Void, refusedLogin: inout HostError?, voting participant: inout Participant
    ) -> Problem? {
        switch because {
        case .login:
            let planned = plan.steps.compactMap(\.action.test)
            for test in planned where test != .sshdBefore {
                if let mistake = tests.mistake(in: test) { return mistake }
            }
            if planned.contains(.sshd) {
                refusedLogin = login.map { tests.objection(to: $0) } ?? .sshdUntested([])
                if refusedLogin != nil { return .notConfirmed(seconds: 0) }
            }
            // A server that has just restarted may need a moment.
            for _ in 0..<3 {
                do throws(HostError) {
                    try logInAgain(plan.host, password)
                    return nil
                } catch {
                    refusedLogin = error
                }
                do throws(HostError) { try sendKeepalive() } catch { return error.whyNotReady }
                pause(milliseconds: 1000)
            }
            return .notConfirmed(seconds: 0)
        case .everyHost, .program:
            refusedLogin = nil
            participant.arrive()
            do throws(HostError) {
                guard try commitBarrier.decision(keepalive: sendKeepalive) else { return .otherHostFailed }
                return because == .program ? try programVote.objection(keepalive: sendKeepalive) : nil
            } catch {
                return error.whyNotReady
            }
        }
    }

    /// Tests everything that the next deploy needs, up to an agent that greets: the login, the login shell, sudo.
    private func logInAgain(_ host: Hostname, _ password: Secret?) throws(HostError) {
        // Not the session's own interrupt: cancelling is sent to the host over the existing connection.
        let interrupt = try overSSH(Interrupt())
        // No questions while a host waits; sudo may want the password that it got before.
        var prompts = Prompts.none
        if let password { prompts.sudoPassword = { _, _, wrong in wrong == nil ? password : nil } }
        var session = try HostSession(
            host, access: access, sharing: .none, prompts: prompts, interrupt: interrupt, report: { _ in })
        session.hangUp()
    }

    /// Waits for `commit`.
    private func waitForDecision() throws(HostError) -> ObjectID {
        let commit = decision.wait { decision -> ObjectID?? in
            switch decision {
            case .open: nil
            case .commit(let commit): .some(commit)
            case .cancelled: .some(nil)
            }
        }
        guard let commit else { throw .cancelled }
        return commit
    }

    /// Connects before the operator decides. This changes nothing, since an agent is only installed afterwards. Nil
    /// if it has to be repeated, because of a question that the operator cannot answer while reading, or a failure
    /// that may pass.
    private func connectEarly(_ plan: HostPlan, _ interrupt: Interrupt) -> HostSession? {
        guard options.connectsEarly, case .open = decision.update({ $0 }) else { return nil }
        do {
            return try connect(plan, .none, interrupt) { () throws(HostError) in _ = try waitForDecision() }
        } catch {
            if !error.isQuestion, error != .cancelled { report(plan.host, .ended(.failed(error))) }
            return nil
        }
    }

    private func connect(
        _ plan: HostPlan, _ prompts: Prompts, _ interrupt: Interrupt, asksForEdits: Bool = true,
        beforeInstall: () throws(HostError) -> Void = {}
    ) throws(HostError) -> HostSession {
        var session = try HostSession(
            plan.host, access: access, prompts: prompts, interrupt: interrupt, report: { report(plan.host, $0) },
            beforeInstall: beforeInstall)
        try session.verify(hostname: plan.wanted.options.hostname ?? plan.host.text)
        try session.checkUnits(plan.steps)
        let commit = session.hello.commit
        report(plan.host, .connected(commit == plan.base ? .asPlanned : commit == nil ? .nothing : .other))
        guard asksForEdits, commit == plan.base, plan.asksForEdits(try inStore(Store.open(at: storePath))) else { return session }
        do throws(HostError) {
            for warning in plan.warnings(of: try session.drift([])) { report(plan.host, .warning(warning)) }
        } catch {
            switch error {
            // Another deploy holds the lock. This deploy notices it again when it asks for the lock itself.
            case .busy: break
            // The agent has ended. The deploy replaces what cannot be read.
            case .refused:
                session.close()
                return try connect(plan, prompts, interrupt, asksForEdits: false, beforeInstall: beforeInstall)
            default:
                session.close()
                throw error
            }
        }
        return session
    }

    private func makePreparation(
        _ plan: HostPlan, commit: ObjectID, login: OwnLogin?, in store: Store
    ) throws(HostError) -> Preparation {
        try inStore(
            store.preparation(
                for: plan, commit: commit, holder: store.author().text, login: login?.specification ?? "",
                leavesNothing: options.forgets))
    }
}

extension HostError {
    /// Why a host that stopped answering does not keep its new state.
    fileprivate var whyNotReady: Problem { self == .ssh(.interrupted) ? .cancelled : .disconnected }

    /// Whether the operator has to answer a question first.
    var isQuestion: Bool {
        switch self {
        case .ssh(.hostKeyUnknown), .ssh(.loginFailed), .ssh(.systemSSHFailed), .sudo(.passwordNeeded, _): true
        default: false
        }
    }
}

extension HostResult {
    init(_ outcome: Outcome) {
        self =
            switch outcome {
            case .deployed: .deployed
            case .unchanged(let failure): .failed(.refused(failure))
            case .rolledBack(let failure): .rolledBack(failure)
            case .broken(let failure, let undoing, let remainder): .broken(failure, undoing: undoing, remainder)
            }
    }
}

extension Store {
    /// Makes the commit of a deploy, a child of the last one, and notes the start of the deploy.
    func begin(_ plan: Plan, root: ObjectID, _ kind: HistoryEntry.Kind, cluster: String) throws(StoreError) -> ObjectID {
        // Concurrent deploys would make siblings of one commit; within a second, even the same commit.
        try exclusively { () throws(StoreError) in
            let (author, time) = (author(), WallClock.seconds)
            let commit = try commit(
                tree: root, parent: try lastCommit(), author: author,
                message: DeployMessage.make(kind, cluster: cluster, hosts: plan.hosts.map(\.host)), time: time
            ) { commit throws(StoreError) in
                let note = HistoryEntry(
                    time: time, commit: commit, kind: kind, cluster: cluster, author: author.text,
                    hosts: plan.hosts.map(HostNote.init))
                try self.note([.begun(note)])
            }
            try setLastCommit(commit, reason: kind.rawValue)
            return commit
        }
    }
}
