import ArgumentParser
import Deployment

/// Limits what changes to hosts, or to apps on them.
struct LimitOption: ParsableArguments {
    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Limit to these hosts, or apps of hosts such as 'web1/nginx': names, comma-separated lists, patterns such as 'web*'.",
            valueName: "hosts"),
        completion: Complete.placeLists)
    var limit: [String] = []

    var filter: HostFilter { HostFilter(places: limit) }
}

/// Limits a command to hosts.
struct HostLimitOption: ParsableArguments {
    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp("Limit to these hosts: names, comma-separated lists, patterns such as 'web*'.", valueName: "hosts"),
        completion: Complete.hosts)
    var limit: [String] = []

    var filter: HostFilter { HostFilter(limit) }
}
