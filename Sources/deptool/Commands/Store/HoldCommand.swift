import ArgumentParser
import Deployment
import Display
import Model
import Planning
import Platform

struct HoldCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Exclude hosts from deploys for a while, or list held hosts.",
        discussion: """
            Plans and deploys leave out a held host and show the reason. A hold is kept in the store, and ends by itself. Nothing \
            changes on the host. Without arguments, hold lists the held hosts. Mistakes in the config tree do not matter.

            Example: `deptool hold db1 --for 8h --because 'new disk'`
            """)

    @Argument(help: "The hosts: names, comma-separated lists, patterns such as 'web*'.", completion: Complete.hosts)
    var hosts: [String] = []
    @Option(name: .customLong("for"), help: ArgumentHelp("How long: a number with m, h, d or w, up to a year.", valueName: "time"))
    var period: HoldPeriod?
    @Option(help: ArgumentHelp("The reason, shown in plans.", valueName: "text"))
    var because: String?
    @Flag(help: "End the holds of the hosts.")
    var release = false
    @OptionGroup var output: OutputOption

    func validate() throws {
        if release {
            guard !hosts.isEmpty else { throw ValidationError("Name the hosts to release.") }
            guard period == nil, because == nil else { throw ValidationError("'--release' cannot be used with '--for' and '--because'.") }
        } else if hosts.isEmpty {
            guard period == nil, because == nil else { throw ValidationError("Name the hosts to hold.") }
        } else {
            guard period != nil, let because else {
                throw ValidationError(period != nil ? "A hold needs a reason: '--because'." : "A hold needs '--for' and '--because'.")
            }
            guard because.contains(where: { !$0.isWhitespace }) else { throw ValidationError("'--because' needs a text.") }
            guard because.utf8.count <= 500 else { throw ValidationError("'--because' takes at most 500 bytes.") }
            guard !because.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
                throw ValidationError("'--because' takes one line of text.")
            }
        }
    }

    func run() throws {
        let filter = HostFilter(hosts)
        let text = HoldText(time: localTime)
        guard !hosts.isEmpty else {
            let held = try Holds(store: Workspace.storeOnly()).current()
            return output.write(holdsJSON(held), or: held.isEmpty ? "No host is held.\n" : text.list(held))
        }
        if release {
            let holds = Holds(store: try Workspace.storeOnly())
            let held = try holds.current().map(\.host)
            if let missing = hosts.first(where: { name in !held.contains(where: HostFilter([name]).includes) }) {
                throw CommandError(
                    "no held host matches '\(visible(missing))'",
                    held.isEmpty ? "No host is held." : "The held hosts are: \(held.map(\.text).joined(separator: ", "))")
            }
            let released = held.filter(filter.includes)
            try holds.release(released)
            return try output.write(
                holdsJSON(holds.current()), or: released.map { "\($0.text) is no longer held.\n" }.joined())
        }
        guard let period, let because else { return }
        let workspace = try Workspace(directory: nil)
        let names = try workspace.knownHosts(filter)
        let until = WallClock.seconds + period.seconds
        let author = workspace.store.author().name
        let new = names.map { Hold(host: $0, until: until, author: author, reason: because) }
        let holds = Holds(store: workspace.store)
        try holds.add(new)
        try output.write(holdsJSON(holds.current()), or: text.list(new))
    }
}

/// A time such as `90m`, `8h`, `3d` or `2w`.
struct HoldPeriod: ExpressibleByArgument {
    let seconds: Int64

    init?(argument: String) {
        let units: [Character: Int64] = ["m": 60, "h": 3600, "d": 86400, "w": 604_800]
        guard let unit = argument.last.flatMap({ units[$0] }), argument.dropLast().allSatisfy({ $0.isASCII && $0.isNumber }),
            let number = Int64(argument.dropLast()), (1...525_600).contains(number), number * unit <= 365 * 86400
        else { return nil }
        seconds = number * unit
    }
}
