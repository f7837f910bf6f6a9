import ArgumentParser
import Deployment

struct LimitOption: ParsableArguments {
    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp("Limit to these hosts: names, comma-separated lists, patterns such as 'web*'.", valueName: "hosts"),
        completion: Complete.hosts)
    var limit: [String] = []

    var filter: HostFilter { HostFilter(limit) }
}
