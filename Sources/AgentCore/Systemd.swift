import CSystem
import Model
import Wire

/// systemd as the agent uses it: `systemctl` and its siblings with fixed arguments. `systemctl show` is the only thing
/// whose output is read, since its format is meant to be (systemctl(1), "Parsable Output").
struct Systemd {
    private let command: Command
    /// Who is told what is waited for.
    private let audience: (any Supervisor)?
    /// By the host's clock, in nanoseconds since the epoch.
    private let begun = csys_realtime_ns()

    init(command: Command, audience: (any Supervisor)?) {
        self.command = command
        self.audience = audience
    }

    /// Something that systemd is to do with a unit, and how long it may take.
    struct Job {
        var unit: UnitName
        var limit: Duration
    }

    func report(_ waiting: Waiting) { audience?.report(.waiting(waiting)) }

    /// Whether the host is so early in its boot that no service can be started yet (systemctl(1), is-system-running).
    var isInitializing: Bool {
        guard let result = try? command.run(["systemctl", "is-system-running"]) else { return false }
        return result.text.utf8.starts(with: "initializing".utf8)
    }

    /// Has a boot that is under way start what is enabled now: it began with what was enabled then.
    func continueBoot() throws(Failure) {
        let job = try command.run(["systemctl", "show", "--property=Job", "--value", "default.target"])
        // A boot may also lead elsewhere, to a rescue shell say.
        guard let first = job.output.first, first > UInt8(ascii: "0"), first <= UInt8(ascii: "9") else { return }
        try succeed(["systemctl", "--no-block", "--no-ask-password", "start", "default.target"])
    }

    func daemonReload() throws(Failure) { try succeed(["systemctl", "daemon-reload"]) }
    func sysusers() throws(Failure) { try succeed(["systemd-sysusers"]) }

    /// systemd-tmpfiles says 65 and 73 when some line could not be applied, which is for the operator to know.
    func tmpfiles() throws(Failure) { try succeed(["systemd-tmpfiles", "--create"]) }

    /// Enables without the reload that `systemctl enable` would do: the plan has its own.
    func enable(_ units: [UnitName]) throws(Failure) {
        try succeed(["systemctl", "--no-reload", "--no-ask-password", "enable"] + units.map { $0.text })
    }

    func disable(_ units: [UnitName]) throws(Failure) {
        try succeed(["systemctl", "--no-reload", "--no-ask-password", "disable"] + units.map { $0.text })
    }

    /// Whether somebody has disabled a unit, by what is on disk now; `show` may know an older state. A unit that is `static` or
    /// `generated`, say, cannot be enabled.
    func isDisabled(_ unit: UnitName) -> Bool {
        guard let output = try? command.run(["systemctl", "is-enabled", unit.text]).output else { return false }
        // Of a System V script, lines about that come first.
        return output.split(separator: 10).contains { line in
            ["disabled", "linked", "masked"].contains { line.starts(with: $0.utf8) }
        }
    }

    func stop(_ jobs: [Job]) throws(Failure) {
        let result = try run("stop", jobs, until: .stopped)
        guard result.status == 0 else {
            throw Failure(.command(arguments: arguments("stop", jobs), status: result.status, output: lastLines(result.text)))
        }
    }

    /// Forgets failures, so that the limit on starts does not stand in the way. Units that did not fail are no error.
    func resetFailed(_ units: [UnitName]) {
        _ = try? command.run(["systemctl", "reset-failed"] + units.map { $0.text })
    }

    /// Starts units, anew if they run, and waits until systemd is done with that. Whether they are well is for a check to
    /// say, so a status that is not zero is returned, not thrown.
    func restart(_ jobs: [Job]) throws(Failure) -> Command.Result { try run("restart", jobs, until: .ready) }

    func arguments(_ verb: String, _ jobs: [Job]) -> [String] {
        ["systemctl", "--no-ask-password", verb] + jobs.map { $0.unit.text }
    }

    /// Waits until systemd has done the jobs, tells what for, and fails when one of them takes too long. Whatever ends the
    /// wait early, systemd gives up what it has not done.
    private func run(_ verb: String, _ jobs: [Job], until goal: Waiting.Goal) throws(Failure) -> Command.Result {
        // What is waited for is found out every second; if that does not end it, something is wrong with systemd.
        let longest = jobs.map { $0.limit }.max() ?? .zero
        do {
            return try command.run(arguments(verb, jobs), limit: longest + .seconds(30)) { seconds throws(Failure) in
                var isTold = false
                for (job, status) in zip(jobs, try show(jobs.map { $0.unit })) where status.job != nil {
                    let limit = job.limit.wholeSeconds
                    if seconds >= limit { throw tooSlow(job.unit, status, seconds: limit) }
                    if !isTold { report(Waiting(job.unit, goal, elapsed: seconds, limit: limit)) }
                    isTold = true
                }
            }
        } catch {
            cancel(jobs.map { $0.unit })
            throw error
        }
    }

    func tooSlow(_ unit: UnitName, _ status: UnitStatus, seconds: Int) -> Failure {
        let state = status.activeState + " (" + status.subState + ")"
        return Failure(.unit(unit, .tooSlow(state: state, seconds: seconds), journal: journal(unit)))
    }

    /// Lets systemd forget what it still has to do with the units. A job that is done meanwhile is no error.
    func cancel(_ units: [UnitName]) {
        let jobs = ((try? show(units, heeding: false)) ?? []).compactMap { $0.job }
        if !jobs.isEmpty { _ = try? command.run(["systemctl", "cancel"] + jobs, heeding: false) }
    }

    /// What systemd says of units, in the order asked for.
    func show(_ units: [UnitName], heeding interrupts: Bool = true) throws(Failure) -> [UnitStatus] {
        guard !units.isEmpty else { return [] }
        let arguments = ["systemctl", "show", "--property=" + UnitStatus.properties, "--"] + units.map { $0.text }
        let result = try command.run(arguments, heeding: interrupts)
        let statuses = UnitStatus.parse(result.text)
        guard result.status == 0, statuses.count == units.count else {
            throw Failure(.command(arguments: arguments, status: result.status, output: lastLines(result.text)))
        }
        return statuses
    }

    /// The last lines that a unit logged, or systemd about it, since this was made.
    func journal(_ unit: UnitName) -> String {
        let (seconds, rest) = begun.quotientAndRemainder(dividingBy: 1_000_000_000)
        // Six digits of a fraction, from the second on.
        let fraction = String(decoding: String(1_000_000 + rest / 1000).utf8.dropFirst(), as: UTF8.self)
        let result = try? command.run(
            [
                "journalctl", "--no-pager", "--quiet", "--output=cat", "--lines=12", "--unit=" + unit.text,
                "--since=@\(seconds)." + fraction,
            ],
            limit: .seconds(5), heeding: false)
        return result.map { lastLines($0.text) } ?? ""
    }

    /// What a program prints; nothing when it could not be run.
    func output(_ arguments: [String]) -> [UInt8] { (try? command.run(arguments, limit: .seconds(10)))?.output ?? [] }

    private func succeed(_ arguments: [String]) throws(Failure) {
        let result = try command.run(arguments)
        guard result.status == 0 else {
            throw Failure(.command(arguments: arguments, status: result.status, output: lastLines(result.text)))
        }
    }
}

/// The end of a program's output, as much as a person wants to read: at most 20 lines and 4 KiB.
func lastLines(_ text: String) -> String {
    var bytes = Array(text.utf8.suffix(4096))
    while let last = bytes.last, last == 10 || last == 32 { bytes.removeLast() }
    var lines = 0
    let start = bytes.lastIndex { byte in
        if byte == 10 { lines += 1 }
        return lines == 20
    }
    return String(decoding: bytes[(start.map { $0 + 1 } ?? 0)...], as: UTF8.self)
}
