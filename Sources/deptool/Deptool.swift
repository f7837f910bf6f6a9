import ArgumentParser
import CSystem
import Deployment
import Display
import SSH

struct Deptool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deptool",
        abstract: "Deploy configuration to servers: plan, confirm, apply, roll back.",
        discussion: """
            A config tree has a directory per host and in it one per app, with every file already rendered. Deptool \
            compares it with what each host runs, shows exactly what would change, and makes it so over SSH. When \
            anything fails, the host is back in its old state.

            Exit status: 0 done or nothing to do, 1 error or a host that was not changed, 2 something to do (with \
            `--exit-code`), 3 rolled back, 4 a host is left broken, 5 the connection to a host was lost before it said how it \
            ended, 64 wrong command line, 130 left by Ctrl-C.

            Example: `deptool init prod && deptool plan && deptool deploy`
            """,
        version: toolVersion,
        subcommands: [
            Init.self, PlanCommand.self, Diff.self, DeployCommand.self, Undo.self, Status.self, Log.self, Sync.self, Ping.self,
            Forget.self,
        ])
}

@main
enum Main {
    static func main() async {
        // An ssh that this program has started starts it again for each of its questions.
        if let socket = environment(Askpass.variable), CommandLine.arguments.count == 2 {
            csys_exit(Askpass.relay(CommandLine.arguments[1], to: socket))
        }
        let arguments = Array(CommandLine.arguments.dropFirst())
        let isJSON = arguments.contains("--json")
        do {
            try checkCommand(arguments)
            var command = try Deptool.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
        } catch let complaint as Complaint {
            if isJSON {
                let help = complaint.explanation
                Terminal.write(errorJSON(complaint.phrase, help: help, exit: complaint.status).text + "\n")
            } else {
                Terminal.complain("Error: \(complaint)\n")
            }
            Deptool.exit(withError: ExitCode(complaint.status))
        } catch {
            let code = Deptool.exitCode(for: error)
            if isJSON, code.rawValue != 0, !(error is ExitCode) {
                Terminal.write(errorJSON(Deptool.message(for: error), help: nil, exit: code.rawValue).text + "\n")
                Deptool.exit(withError: code)
            }
            Deptool.exit(withError: error)
        }
    }

    /// The parser by itself calls a misspelt command a superfluous argument.
    private static func checkCommand(_ arguments: [String]) throws(Complaint) {
        let commands = Deptool.configuration.subcommands.map { $0._commandName }
        guard let word = arguments.first(where: { $0 != "help" }), !word.hasPrefix("-"), !commands.contains(word) else { return }
        throw Complaint(
            "there is no command '\(visible(word))'",
            (near(word, among: commands).map { "Did you mean '\($0)'? " } ?? "") + "`deptool --help` lists the commands.",
            status: ExitCode.validationFailure.rawValue)
    }
}
