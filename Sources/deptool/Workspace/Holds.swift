import Deployment
import Display
import Git
import Model
import Planning
import Platform

/// The holds of a store: of all its clusters, since their hosts differ.
///
/// They are a setting, a line for each host: its name, the end in seconds since the epoch, the author and the reason,
/// with tabs between them.
struct Holds {
    private static let key = "deptool.holds"

    let store: Store

    /// Those that have not ended, ordered by host.
    func current() throws -> [Hold] {
        let now = WallClock.seconds
        return try reporting { try store.configuration(Self.key) ?? "" }.split(separator: "\n").map(parse).filter { $0.until > now }
            .sorted { $0.host < $1.host }
    }

    private func parse(_ line: Substring) throws -> Hold {
        let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, let host = Hostname(parts[0]), let until = Int64(parts[1]) else {
            throw CommandError(
                "cannot understand which hosts are held: '\(visible(String(line)))'",
                "It is a line of `\(Self.key)` in \(store.path)/config. Remove it there, then hold the host again.")
        }
        return Hold(host: host, until: until, author: parts[2], reason: parts[3])
    }

    /// Adds holds, in place of earlier ones of the same hosts.
    func add(_ holds: [Hold]) throws {
        try change { current in current.filter { old in !holds.contains { $0.host == old.host } } + holds }
    }

    /// Ends the holds of these hosts.
    func release(_ hosts: [Hostname]) throws {
        try change { $0.filter { !hosts.contains($0.host) } }
    }

    private func change(_ body: ([Hold]) -> [Hold]) throws {
        // Two operators at once must not lose each other's.
        let result: Result<Void, any Error> = try reporting {
            try store.exclusively { () throws(StoreError) in
                Result {
                    let holds = body(try current()).sorted { $0.host < $1.host }
                    let lines = holds.map { "\($0.host.text)\t\($0.until)\t\(Self.plain($0.author))\t\($0.reason)" }
                    try store.setConfiguration(Self.key, lines.isEmpty ? nil : lines.joined(separator: "\n"))
                }
            }
        }
        try reporting { try result.get() }
    }

    /// Without what would end a line or a part of it.
    private static func plain(_ text: String) -> String { String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 }) }
}

extension PreparedPlan {
    /// The plan without held hosts. Named ones are an error, and so are those of a plan file, which is carried out
    /// unchanged or not at all.
    func leavingOutHeld(_ limit: LimitOption) throws -> PreparedPlan {
        let holds = try Holds(store: workspace.store).current()
        var ready = self
        ready.plan = plan.leavingOut(holds)
        if let hold = ready.plan.held.first(where: {
            limit.filter.names($0.host) || !canBeRemade || plan.hosts.contains(where: \.isRemoval)
        }) {
            throw Self.isHeld(hold)
        }
        return ready
    }

    /// Somebody may have held a host while the operator read the plan.
    func checkNoneHeld() throws {
        let holds = try Holds(store: workspace.store).current()
        if let hold = holds.first(where: { hold in plan.hosts.contains { $0.host == hold.host } }) { throw Self.isHeld(hold) }
    }

    static var allHeld: CommandError {
        CommandError(
            "nothing was changed: every host with something to do is held",
            "`--held` includes them, and `deptool hold --release HOST` ends a hold.")
    }

    private static func isHeld(_ hold: Hold) -> CommandError {
        CommandError(
            "\(hold.host.text) is \(HoldText(time: localTime).phrase(hold))",
            "`--held` includes it, and `deptool hold --release \(hold.host.text)` ends it.")
    }
}
