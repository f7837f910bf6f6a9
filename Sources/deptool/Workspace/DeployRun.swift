import ArgumentParser
import CSystem
import Deployment
import Display
import Git
import Model
import Planning
import Platform

/// Shows a plan, asks, and applies it.
struct DeployRun {
    let ssh: SSHOptions
    let output: OutputOption
    let limit: LimitOption
    /// Whether to change hosts that are held.
    let includesHeld: Bool
    var asks = true
    var skipsUnreachable = false
    var connectsEarly = true
    /// The program that has to confirm; nil for the one of the store's configuration, if any.
    var confirmWith: String?
    /// Whether to end when the checks have passed.
    var isRehearsal = false
    var kind = HistoryEntry.Kind.deploy
    /// Whether to forget hosts on which nothing remains.
    var forgets = false
    var isPlanOnly = false
    /// Whether to name `--leave-files`.
    var hintsAtLeaving = false

    var isJSON: Bool { output.json }

    /// Plans with `plan`, and again whenever another operator has deployed meanwhile. Prints `nothing` if there is
    /// nothing to do, and throws if there is only on hosts that are held.
    func run(
        nothing: ((Workspace, Plan) -> String)? = nil, _ plan: () async throws -> PreparedPlan
    ) async throws {
        while true {
            var ready = try await plan()
            if !includesHeld { ready = try ready.leavingOutHeld(limit) }
            let program = isRehearsal ? nil : try ready.workspace.confirmProgram(confirmWith)
            if program != nil { ready.plan = ready.plan.confirmedByProgram() }
            let (plan, workspace) = (ready.plan, ready.workspace)
            let undone = LogText(style: Terminal.style, time: localTime).undone(Set(plan.hosts.compactMap { ready.undone[$0.host] }))
            output.write(
                planJSON(plan, cluster: workspace.cluster),
                or: undone + planText(workspace, plan, orSay: nothing ?? ready.nothingToDo(limit)))
            if isPlanOnly { return }
            if plan.hosts.isEmpty {
                guard plan.held.isEmpty else { throw PreparedPlan.allHeld }
                return
            }
            if !isJSON { Terminal.write("\n" + (asks ? hint(plan) : "")) }
            let results = try await carryOut(ready, program)
            guard replans(results, ready) else {
                let status = Self.status(results)
                do {
                    if !isRehearsal { try await forgetFiles(ready) }
                } catch {
                    // The exit code of the deploy itself takes precedence.
                    if status == 0 { throw error }
                }
                throw ExitCode(status)
            }
            Terminal.write("The store is updated. The new plan:\n\n")
        }
    }

    /// What to do instead if the plan removes files without replacement.
    private func hint(_ plan: Plan) -> String {
        let emptied = plan.hosts.filter { kind == .undo && $0.wanted.apps.isEmpty && $0.holes > 0 }
        let holes = (hintsAtLeaving ? plan.hosts : emptied).reduce(0) { $0 + $1.holes }
        if holes == 0 { return "" }
        let text = holes == 1 ? "1 path goes, and nothing takes its place" : "\(holes) paths go, and nothing takes their place"
        if hintsAtLeaving { return text + ": `deptool deploy --leave-files` leaves what is there.\n" }
        let hosts = emptied.map(\.host.text).joined(separator: " ")
        return text
            + ". Files from before the first deploy do not come back.\n`deptool forget \(hosts)` leaves everything there as it is.\n"
    }

    private func carryOut(_ ready: PreparedPlan, _ program: String?) async throws -> [HostResult] {
        let (plan, workspace) = (ready.plan, ready.workspace)
        let isAsking = asks
        let screen = ProgressScreen(plan.hosts.map(\.host))
        let options = DeployOptions(
            connectsEarly: isAsking && connectsEarly && Terminal.isInput && Terminal.isOutput,
            unreachable: skipsUnreachable ? .skip : !isAsking || !Terminal.isInput ? .stop : .ask(screen.askWhetherToGoOn),
            forgets: forgets && plan.hosts.allSatisfy(\.isRemoval), isRehearsal: isRehearsal,
            confirm: program.map { program in
                let confirm = workspace.confirmation(by: program)
                return { isCancelled in screen.letWrite { confirm(isCancelled) } }
            })
        let isJSON = isJSON
        let notification = Notification(workspace)
        let deploy: Deploy
        do {
            deploy = try Deploy(
                plan, store: workspace.store, access: ssh.access(screen, asks: !isJSON), options: options,
                phrase: { $0.phrase }
            ) { host, event in
                if case .ended(let result) = event { notification.note(host, result) }
                guard isJSON else { return screen.show(host, event) }
                if event.isWorthAnObject { JSONOutput.write(progressJSON(host, event)) }
            }
        } catch {
            throw CommandError(error.phrase)
        }
        var begun = MonotonicClock.now
        if !isAsking, !isJSON { screen.begin() }
        async let running = deploy.run()
        defer {
            InterruptSignals.ignore()
            csys_ignore_hangup(false)
        }
        let commit: ObjectID
        do {
            if isAsking {
                try confirm(ready, screen)
                if !includesHeld { try ready.checkNoneHeld() }
                begun = MonotonicClock.now
                screen.begin()
            }
            InterruptSignals.handle { count in
                guard count == 1 else { return notification.leave() }
                if !isJSON { screen.note("Giving up: hosts that were being changed roll back. Ctrl-C again leaves at once.") }
                deploy.cancel()
            }
            // A confirmed deploy continues even if the terminal goes away.
            csys_ignore_hangup(true)
            let kind = plan.isRepair ? .repair : kind
            commit = try deploy.commit(root: ready.root, kind, cluster: workspace.cluster, store: workspace.store)
            if !isRehearsal { notification.begin(ready, kind, commit) }
            InterruptSignals.leaveWith { notification.leave() }
        } catch {
            deploy.abort()
            _ = await running
            screen.end()
            throw (error as? StoreError).map(CommandError.init) ?? error
        }
        let results = await running
        screen.end()
        let took = MonotonicClock.now - begun
        let next: SummaryText.Next = replans(results.map(\.result), ready) ? .newPlan : .nothing
        output.write(
            summaryJSON(commit: commit, exit: Self.status(results.map(\.result)), took: took),
            or: SummaryText(style: Terminal.style).render(results, took: took, next: next))
        if case .nothing = next {
            let status = Self.status(results.map(\.result))
            await onOwnThread { notification.send(exit: status) }
        }
        // The deploy is over, and nothing depends on this.
        try? workspace.store.repack()
        return results.map(\.result)
    }

    /// Whether another operator has deployed, and this one can review a new plan.
    private func replans(_ results: [HostResult], _ ready: PreparedPlan) -> Bool {
        asks && ready.canBeRemade && results.contains { if case .stale = $0 { true } else { false } }
    }

    /// Returns once the operator confirms.
    private func confirm(_ ready: PreparedPlan, _ screen: ProgressScreen) throws {
        let (plan, workspace) = (ready.plan, ready.workspace)
        let hosts = "\(plan.hosts.count) host\(plan.hosts.count == 1 ? "" : "s")"
        while true {
            let answer = InterruptSignals.handled(by: Self.leaveUnchanged) {
                screen.ask("Apply to \(hosts) in cluster '\(visible(workspace.cluster))'? [y/N/d] ")
            }
            guard let answer else {
                throw CommandError("no answer, so nothing was changed", "Without a terminal, `--no-confirm` deploys without asking.")
            }
            switch answer.lowercased() {
            case "y", "yes": return
            case "d", "diff": try reporting { try workspace.store.showDiff(plan.changedFiles, contents: ready.contents) }
            default:
                Terminal.write("Nothing was changed.\n")
                throw ExitCode(1)
            }
        }
    }

    /// Ctrl-C at the question. Ends by the signal itself, as a shell's loop over clusters would go on after an exit.
    private static func leaveUnchanged(_: Int) {
        Terminal.write("\nNothing was changed.\n")
        Terminal.flush(atMost: 100)
        csys_end_by_interrupt()
    }

    private static func status(_ results: [HostResult]) -> Int32 {
        let codes: [Int32] = results.map { result in
            switch result {
            case .deployed, .checked: 0
            case .failed, .stale: 1
            case .rolledBack, .lockedOut: 3
            case .unknown: 5
            case .broken: 4
            }
        }
        // From the most urgent for a person to the least.
        return [4, 5, 3, 1].first { codes.contains($0) } ?? 0
    }
}

extension HostEvent {
    /// Of the upload's progress, report only the beginning and the end.
    fileprivate var isWorthAnObject: Bool {
        if case .staging(let bytes, let total) = self { bytes == 0 || bytes == total } else { true }
    }
}
