import ArgumentParser
import CSystem
import Deployment
import Display
import Model
import Platform
import SSH

struct Deptool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deptool",
        abstract: "Deploy configuration to servers: plan, confirm, apply, roll back.",
        discussion: """
            A config tree has one directory per host and, inside it, one per app, with fully rendered files. Deptool \
            compares the tree with what each host runs, shows the exact changes, and applies them over SSH. If anything \
            fails, the host rolls back.

            Exit status: 0 done or nothing to do, 1 error or a host that was not changed, 2 something to do (with \
            `--exit-code`), 3 rolled back, 4 a host is left broken, 5 connection lost before the outcome was known, 130 \
            after Ctrl-C.

            Example: `deptool init prod && deptool plan && deptool deploy`
            """,
        version: versionText,
        subcommands: [
            InitCommand.self, ImportCommand.self, PlanCommand.self, DiffCommand.self, CheckCommand.self, DeployCommand.self,
            EditCommand.self, UndoCommand.self,
            StatusCommand.self,
            VerifyCommand.self, LogCommand.self, LogsCommand.self, SyncCommand.self, PingCommand.self,
            HoldCommand.self, ForgetCommand.self, SecretCommand.self, DoctorCommand.self, SelfCheckCommand.self,
        ])
}

@main
enum Main {
    /// Ends the program without the handlers of exit(3): a thread that cannot be joined, such as one waiting for a
    /// resolver, would use data that OpenSSL's handler frees. All output has been written by then.
    static func main() {
        csys_prepare_standard_descriptors()
        csys_end_by_signals()
        // An ssh started by this program runs it again for each prompt.
        if let socket = environment(Askpass.variable), CommandLine.arguments.count == 2 {
            csys_exit(Askpass.relay(CommandLine.arguments[1], to: socket))
        }
        let (status, isDeploy) = run(Array(CommandLine.arguments.dropFirst()))
        guard let problem = Terminal.finish() else { csys_exit(status) }
        Terminal.writeError("Error: \(problem)\n")
        Terminal.flush()
        // A deploy's status does not depend on its output being read.
        csys_exit(isDeploy || status != 0 && status != 2 ? status : 1)
    }

    /// Runs the command. Returns the exit status, and whether the command changes hosts.
    private static func run(_ arguments: [String]) -> (status: Int32, isDeploy: Bool) {
        let isJSON = arguments.contains("--json")
        var isDeploy = false
        do {
            try checkCommand(arguments)
            var command = try Deptool.parseAsRoot(arguments)
            isDeploy = command is DeployCommand || command is EditCommand || command is UndoCommand
            if let command = command as? any AsyncParsableCommand { try wait(for: command) } else { try command.run() }
            return (0, isDeploy)
        } catch let error as CommandError {
            if isJSON {
                Terminal.write(errorJSON(error.phrase, help: error.explanation, exit: 1).text + "\n")
            } else {
                Terminal.writeError("Error: \(error)\n")
            }
            return (1, isDeploy)
        } catch {
            // An invalid command line is an error like any other.
            let code = Deptool.exitCode(for: error)
            let status = code == .validationFailure ? 1 : code.rawValue
            if isJSON, code == .validationFailure {
                Terminal.write(errorJSON(Deptool.message(for: error), help: nil, exit: 1).text + "\n")
            } else {
                let text = Deptool.fullMessage(for: error)
                if !text.isEmpty { Terminal.write(text + "\n", to: status == 0 ? 1 : 2) }
            }
            return (status, isDeploy)
        }
    }

    /// Runs a command on Swift's pool of threads. Starting them takes a tenth of the time of a small plan, which needs none.
    private static func wait(for command: any AsyncParsableCommand) throws {
        let result = Monitor<Result<Void, any Error>?>(nil)
        // Only the task has it from now on.
        nonisolated(unsafe) var command = command
        Task.detached {
            do {
                try unsafe await command.run()
                result.update { $0 = .success(()) }
            } catch {
                result.update { $0 = .failure(error) }
            }
        }
        try result.wait { $0 }.get()
    }

    /// Words of other tools.
    private static let meantCommands = ["apply": "deploy", "rollback": "undo", "revert": "undo", "version": "--version"]
    private static let meantOptions = [
        "--yes": noQuestion, "-y": noQuestion, "--force": noQuestion, "--dry-run": "`--plan-only` shows the plan and stops.",
    ]
    private static let noQuestion = "`--no-confirm` skips the question."

    /// The parser itself would report a misspelt command as an unexpected argument.
    private static func checkCommand(_ arguments: [String]) throws(CommandError) {
        let commands = Deptool.configuration.subcommands.compactMap { $0.configuration.commandName }
        guard let word = arguments.first(where: { $0 != "help" }), !word.hasPrefix("-") else { return }
        if ["deploy", "edit", "undo"].contains(word), let option = arguments.first(where: { meantOptions[$0] != nil }) {
            throw CommandError("Unknown option '\(option)'", meantOptions[option])
        }
        guard !commands.contains(word) else { return }
        throw CommandError(
            "there is no command '\(visible(word))'",
            ((meantCommands[word] ?? near(word, among: commands)).map { "Did you mean '\($0)'? " } ?? "")
                + "`deptool --help` lists the commands.")
    }
}
