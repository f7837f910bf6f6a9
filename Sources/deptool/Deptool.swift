import ArgumentParser
import CSystem
import Deployment
import SSH

/// An ssh that this program has started starts it again for each of its questions.
@main
enum Main {
    static func main() async {
        if let socket = environment(Askpass.variable), CommandLine.arguments.count == 2 {
            csys_exit(Askpass.relay(CommandLine.arguments[1], to: socket))
        }
        await Deptool.main()
    }
}

struct Deptool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deptool",
        abstract: "Deploy configuration to servers: plan, confirm, apply, roll back.",
        discussion: """
            A config tree has a directory per host and in it one per app, with every file already rendered. Deptool \
            compares it with what each host runs, shows exactly what would change, and makes it so over SSH. When \
            anything fails, the host is back in its old state.
            """,
        version: toolVersion,
        subcommands: [Init.self, PlanCommand.self, Diff.self, DeployCommand.self, Status.self, Sync.self, Ping.self, Forget.self])

    /// As ArgumentParser's own, but that a wrong command line is an error like any other: exit code 1.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            Terminal.complain(fullMessage(for: error) + "\n")
            csys_exit(1)
        }
    }
}
