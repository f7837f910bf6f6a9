import ArgumentParser
import CSystem
import Deployment
import Display
import Model

struct ForgetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget", abstract: "Forget a host that is no longer in the config tree.",
        discussion: "Nothing changes on the host. Example: `deptool forget web3`")

    @Argument(help: "The host's name.", completion: Complete.hosts)
    var host: String

    func run() throws {
        let store = try Workspace.storeOnly()
        guard let name = Hostname(host) else { throw CommandError("'\(visible(host))' is no name for a host") }
        try complaining {
            guard let commit = try store.deployedCommit(name) else {
                let known = try store.deployedCommits().map(\.host.text)
                throw CommandError(
                    "nothing is known to be deployed on a host '\(name.text)'",
                    near(name.text, among: known).map { "Did you mean '\($0)'?" })
            }
            try store.setDeployed(name, nil, reason: "forgotten")
            try store.note([.forgotten(time: csys_realtime_ns() / 1_000_000_000, name, commit: commit)])
        }
        Terminal.write("Forgot what is deployed on \(name.text). The host is left as it is.\n")
    }
}
