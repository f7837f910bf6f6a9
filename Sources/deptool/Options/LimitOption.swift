import ArgumentParser
import Deployment

struct LimitOption: ParsableArguments {
    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp("Only these hosts: names, lists with commas, patterns such as 'web*'.", valueName: "hosts"),
        completion: Complete.hosts)
    var limit: [String] = []

    var filter: HostFilter { HostFilter(limit) }
}
