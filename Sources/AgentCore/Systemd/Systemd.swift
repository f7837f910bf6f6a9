import CSystem
import Model
import Wire

/// systemd as the agent uses it: `systemctl` and its siblings with fixed arguments. The agent parses the output of
/// `systemctl show`, whose format is stable (systemctl(1), "Parsable Output"), and the first words of a few lists.
final class Systemd {
    let command: Command
    /// Receives reports of the units that the agent waits for.
    private let audience: (any Supervisor)?
    /// The start time, by the host's clock, in nanoseconds since the epoch.
    private let begun = csys_realtime_ns()

    init(command: Command, audience: (any Supervisor)?) {
        self.command = command
        self.audience = audience
    }

    /// A unit for systemd to act on, and the time that this may take.
    final class Job {
        let unit: UnitName
        let limit: Duration

        init(unit: UnitName, limit: Duration) {
            self.unit = unit
            self.limit = limit
        }
    }

    func report(_ waiting: Waiting) { audience?.report(.waiting(waiting)) }

    /// Whether the host is so early in its boot that systemd cannot start services yet (systemctl(1), is-system-running).
    var isInitializing: Bool {
        guard let result = try? command.run(["systemctl", "is-system-running"]) else { return false }
        return begins(result.text, "initializing")
    }

    /// Makes a boot in progress start the units that are enabled now. It began with those that were enabled then.
    func continueBoot() throws(AgentError) {
        let job = try command.run(["systemctl", "show", "--property=Job", "--value", "default.target"])
        // A boot may also have another target, such as a rescue shell.
        guard let first = job.output.first, first > UInt8(ascii: "0"), first <= UInt8(ascii: "9") else { return }
        try succeed(["systemctl", "--no-block", "start", "default.target"])
    }

    func daemonReload() throws(AgentError) { try succeed(["systemctl", "daemon-reload"]) }
    // Without files, these two programs would process all files of the host.

    func sysusers(_ files: [String]) throws(AgentError) { if !files.isEmpty { try succeed(["systemd-sysusers"] + files) } }

    /// systemd-tmpfiles exits with 65 or 73 if it could not apply a line. The operator should see that.
    func tmpfiles(_ files: [String]) throws(AgentError) { if !files.isEmpty { try succeed(["systemd-tmpfiles", "--create"] + files) } }

    /// Enables without the reload of `systemctl enable`: the plan has its own.
    func enable(_ units: [UnitName]) throws(AgentError) {
        try succeed(systemctl("--no-reload", "enable", units))
    }

    func disable(_ units: [UnitName]) throws(AgentError) {
        try succeed(systemctl("--no-reload", "disable", units))
    }

    /// Whether someone has disabled a unit, according to the files on disk; `show` may report an older state. A
    /// `static` or `generated` unit, for example, cannot be enabled.
    func isDisabled(_ unit: UnitName) -> Bool {
        // For a System V script, messages about it come first.
        pieces(output(["systemctl", "is-enabled", unit.text])[...], at: 10).contains { line in
            ["disabled", "linked", "masked"].contains { begins(line, $0) }
        }
    }

    func stop(_ jobs: [Job]) throws(AgentError) {
        let result = try run("stop", jobs, until: .stopped)
        guard result.status == 0 else {
            throw failure(arguments("stop", jobs), result)
        }
    }

    /// Resets failures, so that the start limit does not interfere. Units that did not fail are no error.
    func resetFailed(_ units: [UnitName]) {
        output(["systemctl", "reset-failed"] + units.map { $0.text })
    }

    /// The limit for a unit that has none in the plan: the time that systemd itself allows by default for a stop and
    /// then a start.
    static let usualLimit = Duration.seconds(180)

    /// Starts units that are down, restarts units that are up, and waits until systemd has finished. A check decides whether the
    /// units are healthy, so this returns a nonzero status instead of throwing.
    ///
    /// It does not restart units that are down: systemd would restart their dependents, and refuse if `RefuseManualStop` is set.
    func bringUp(start: [Job], restart: [Job]) throws(AgentError) -> Command.Result {
        let stopped = try releaseSockets(start + restart)
        // A socket comes before its service, because it cannot start while the service is up.
        var (sockets, starting, restarting): ([Job], [Job], [Job]) = ([], [], [])
        for job in start { if job.unit.isSocket { sockets.append(job) } else { starting.append(job) } }
        for job in restart {
            if !stopped.contains(job.unit) {
                restarting.append(job)
            } else if job.unit.isSocket {
                sockets.append(job)
            } else {
                starting.append(job)
            }
        }
        starting = sockets + starting
        if restarting.isEmpty { return try run("start", starting, until: .ready) }
        if starting.isEmpty { return try run("restart", restarting, until: .ready) }
        // Both at once, so that systemd can put them in the required order.
        let queued = try command.run(systemctl("--no-block", "start", starting.map { $0.unit }))
        let restarted = try run("restart", restarting, until: .ready)
        var rest: [Job] = []
        let statuses = try show(starting.map { $0.unit })
        for index in starting.indices where statuses[index].job != nil { rest.append(starting[index]) }
        let started = rest.isEmpty ? queued : try run("start", rest, until: .ready)
        return queued.status != 0 ? queued : restarted.status != 0 ? restarted : started
    }

    /// The same, but throws the problem of one of the units.
    func bringUp(start: [Job], restart: [Job], _ journal: Journal) throws(AgentError) {
        let units = (start + restart).map { $0.unit }
        guard !units.isEmpty else { return }
        var result = try bringUp(start: start, restart: restart)
        guard result.status != 0 else { return }
        var statuses = try show(units)
        // systemd counts these starts too, but several deploys in a short time are no reason to fail.
        if statuses.contains(where: { ends($0.result, "-limit-hit") }) {
            resetFailed(units)
            result = try bringUp(start: start, restart: restart)
            guard result.status != 0 else { return }
            statuses = try show(units)
        }
        // Report the unit that failed, with its own log.
        for index in units.indices {
            if case .unwell(let problem) = statuses[index].verdict(before: journal.invocation(of: units[index])) {
                throw failure(units[index], problem)
            }
        }
        // No unit looks failed: one failed and is to start again, for example through its socket, or is failing again.
        for index in units.indices where statuses[index].job != nil || statuses[index].isDeactivating {
            throw failure(units[index], .restarting(times: statuses[index].restarts))
        }
        let arguments = arguments(restart.isEmpty ? "start" : "restart", restart.isEmpty ? start : restart)
        throw failure(arguments, result)
    }

    /// Has units read their files again, and waits until systemd has finished. Returns their invocations.
    @discardableResult
    func reload(_ jobs: [Job]) throws(AgentError) -> [String] {
        let units = jobs.map { $0.unit }
        let before = try show(units)
        let result = try run("reload", jobs, until: .reloaded)
        let after = try show(units)
        for index in units.indices {
            let (unit, was, status) = (units[index], before[index], after[index])
            if case .unwell(let problem) = status.verdict(before: was.invocation) {
                throw failure(unit, problem)
            }
            if !isSameText(status.invocation, was.invocation) || status.restarts != was.restarts {
                throw failure(unit, .replaced)
            }
            if status.hasFailedReload { throw failure(unit, .reloadFailed(result: status.reloadResult)) }
        }
        guard result.status == 0 else {
            throw failure(arguments("reload", jobs), result)
        }
        return before.map { $0.invocation }
    }

    /// Ends a reload that hangs, so that the unit can restart. Harmless if no reload hangs.
    func endReload(_ unit: UnitName) {
        output(["systemctl", "kill", "--kill-who=control", "--signal=KILL", unit.text])
    }

    /// A socket cannot start while its service is up. Stops both, the socket first, so that no connection starts the
    /// service again. Returns the stopped units.
    private func releaseSockets(_ jobs: [Job]) throws(AgentError) -> [UnitName] {
        let sockets = jobs.filter { $0.unit.isSocket }
        var stopping: [Job] = []
        var services: [Job] = []
        let statuses = try show(sockets.map { $0.unit }, .dependencies)
        for index in sockets.indices where !statuses[index].acceptsConnections {
            let up = try those(statuses[index].triggers) { $0.isUp }
            if !up.isEmpty { stopping.append(sockets[index]) }
            for unit in up { services.append(Job(unit: unit, limit: sockets[index].limit)) }
        }
        guard !services.isEmpty else { return [] }
        try stop(stopping + services)
        return (stopping + services).map { $0.unit }
    }

    /// Whether systemd did not start a unit because its conditions do not hold. If nothing refers to the unit, systemd
    /// forgets that, and every other result.
    func isSkipped(_ unit: UnitName) -> Bool {
        let analysis = try? command.run(["systemd-analyze", "condition", "--unit=" + unit.text])
        if let analysis, analysis.status != 0, pieces(analysis.output[...], at: 10).contains(where: { begins($0, "Conditions failed") }) {
            return true
        }
        // The result of ExecCondition= is only in the journal: whether the unit was last skipped, ended well or failed
        // (systemd's sd-messages.h).
        let skipped = "0e4284a0caca4bfc81c0bb6786972673"
        let ends = [skipped, "7ad2d189f7e94e70a38c781354912448", "d9b373ed55a64feb8242e02dbe79a49c"].map { "MESSAGE_ID=" + $0 }
        let last = output(
            ["journalctl", "--quiet", "--boot", "--lines=1", "--output=cat", "--output-fields=MESSAGE_ID", "UNIT=" + unit.text] + ends)
        return begins(last[...], skipped)
    }

    /// Judges a unit as `UnitStatus.verdict` does, and recovers a result that systemd has forgotten.
    func verdict(_ unit: UnitName, _ status: UnitStatus, before: String?) -> UnitVerdict {
        let verdict = status.verdict(before: before)
        guard case .forgotten(let problem) = verdict else { return verdict }
        return isSkipped(unit) ? .healthy : .unwell(problem)
    }

    /// Queues a restart of units and does not wait.
    func restartLater(_ units: [UnitName]) {
        output(systemctl("--no-block", "restart", units))
    }

    @inline(never) private func systemctl(_ option: String, _ verb: String, _ units: [UnitName]) -> [String] {
        ["systemctl", option, verb] + units.map { $0.text }
    }

    func arguments(_ verb: String, _ jobs: [Job]) -> [String] {
        ["systemctl", verb] + jobs.map { $0.unit.text }
    }

    /// Waits until systemd has finished the jobs, reports the wait, and fails if one takes too long. If the wait ends
    /// early for any reason, cancels the unfinished jobs.
    private func run(_ verb: String, _ jobs: [Job], until goal: Waiting.Goal) throws(AgentError) -> Command.Result {
        // The closure checks the limits every second. If that does not end the wait, something is wrong with systemd.
        let longest = jobs.map { $0.limit }.max() ?? .zero
        do {
            return try command.run(arguments(verb, jobs), limit: longest + .seconds(30)) { [self] seconds throws(AgentError) in
                var isTold = false
                let statuses = try show(jobs.map { $0.unit })
                for index in jobs.indices where statuses[index].job != nil {
                    let job = jobs[index], limit = job.limit.wholeSeconds
                    if seconds >= limit { throw tooSlow(job.unit, statuses[index], seconds: limit) }
                    if !isTold { report(Waiting(job.unit, goal, elapsed: seconds, limit: limit)) }
                    isTold = true
                }
            }
        } catch {
            cancel(jobs.map { $0.unit })
            throw error
        }
    }

    func tooSlow(_ unit: UnitName, _ status: UnitStatus, seconds: Int) -> AgentError {
        let state = status.activeState + " (" + status.subState + ")"
        return failure(unit, .tooSlow(state: state, seconds: seconds))
    }

    /// Cancels systemd's pending jobs for the units. A job that finishes meanwhile is no error.
    func cancel(_ units: [UnitName]) {
        let jobs = ((try? show(units, .state, heeding: false)) ?? []).compactMap { $0.job }
        if !jobs.isEmpty { output(["systemctl", "cancel"] + jobs) }
    }

    /// The units whose status is as wanted.
    func those(_ units: [UnitName], _ isWanted: (UnitStatus) -> Bool) throws(AgentError) -> [UnitName] {
        let statuses = try show(units)
        var wanted: [UnitName] = []
        for index in units.indices where isWanted(statuses[index]) { wanted.append(units[index]) }
        return wanted
    }

    /// systemd's status of units, in the given order.
    func show(
        _ units: [UnitName], _ properties: UnitStatus.Properties = .state, heeding interrupts: Bool = true
    ) throws(AgentError) -> [UnitStatus] {
        guard !units.isEmpty else { return [] }
        let arguments = ["systemctl", "show", "--property=" + properties.rawValue, "--"] + units.map { $0.text }
        let result = try command.run(arguments, heeding: interrupts)
        let statuses = UnitStatus.parse(result.text)
        guard result.status == 0, statuses.count == units.count else {
            throw failure(arguments, result)
        }
        return statuses
    }

    /// The failure of a unit, with its own log.
    @inline(never) func failure(_ unit: UnitName, _ problem: UnitProblem) -> AgentError {
        AgentError(.unit(unit, problem, journal: journal(unit)))
    }

    /// The failure of a program of systemd.
    @inline(never) func failure(_ arguments: [String], _ result: Command.Result) -> AgentError {
        AgentError(.command(arguments: arguments, status: result.status, output: lastLines(result.text)))
    }

    /// The last lines logged by a unit, or by systemd about it, since this instance was created.
    func journal(_ unit: UnitName) -> String {
        let (seconds, rest) = begun.quotientAndRemainder(dividingBy: 1_000_000_000)
        // Six digits of a fraction, without the leading 1.
        let fraction = text(String(1_000_000 + rest / 1000).bytes.dropFirst())
        return lastLines(
            text(
                output([
                    "journalctl", "--quiet", "--output=cat", "--lines=12", "--unit=" + unit.text,
                    "--since=@" + String(seconds) + "." + fraction,
                ])[...]))
    }

    /// The output of a program that may fail, in 30 seconds at most; empty if it could not run.
    @discardableResult
    @inline(never) func output(_ arguments: [String]) -> [UInt8] {
        (try? command.run(arguments, limit: .seconds(30), heeding: false))?.output ?? []
    }

    private func succeed(_ arguments: [String]) throws(AgentError) {
        let result = try command.run(arguments)
        guard result.status == 0 else {
            throw failure(arguments, result)
        }
    }
}

/// The end of a program's output, short enough to read: at most 20 lines and 4 KiB.
func lastLines(_ text: String) -> String {
    var bytes = Array(text.bytes.suffix(4096))
    while let last = bytes.last, last == 10 || last == 32 { bytes.removeLast() }
    var lines = 0
    let start = bytes.lastIndex { byte in
        if byte == 10 { lines += 1 }
        return lines == 20
    }
    return String(decoding: bytes[(start.map { $0 + 1 } ?? 0)...], as: UTF8.self)
}
