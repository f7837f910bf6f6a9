import ArgumentParser
import Deployment

struct ClusterArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The cluster's directory.", discussion: "Default: the one that was named last."),
        completion: .directory)
    var dir: String?

    func workspace() throws -> Workspace { try Workspace(directory: dir) }
}
