import ArgumentParser
import Deployment

struct ClusterArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The cluster's directory.", discussion: "If omitted, the last directory you used."),
        completion: .directory)
    var dir: String?

    func workspace() throws -> Workspace { try Workspace(directory: dir) }
}
