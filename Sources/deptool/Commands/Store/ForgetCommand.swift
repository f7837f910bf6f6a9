import ArgumentParser
import Deployment
import Display
import Model
import Platform

struct ForgetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget", abstract: "Forget a host that is no longer in the config tree.",
        discussion: "Nothing changes on the host. Example: `deptool forget web3`")

    @Argument(help: "The host's name.", completion: Complete.hosts)
    var host: String

    func run() throws {
        let store = try Workspace.storeOnly()
        guard let name = Hostname(host) else { throw CommandError("'\(visible(host))' is no name for a host") }
        try reporting {
            guard let commit = try store.deployedCommit(name) else {
                let known = try store.deployedCommits().map(\.host.text)
                throw CommandError(
                    "the store has no deploy to a host '\(name.text)'",
                    near(name.text, among: known).map { "Did you mean '\($0)'?" })
            }
            try store.setDeployed(name, nil, reason: "forgotten")
            try store.note([.forgotten(time: WallClock.seconds, name, commit: commit)])
        }
        Terminal.write("Forgot what is deployed on \(name.text). The host is left as it is.\n")
    }
}
