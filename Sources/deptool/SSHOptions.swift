import ArgumentParser
import Deployment
import Display
import SSH

struct SSHOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Use this ssh configuration instead of your own.", valueName: "file"))
    var sshConfig: String?
    @Option(name: .long, help: "How many hosts to log in to at once.")
    var parallel = 32

    func validate() throws {
        guard (1...1000).contains(parallel) else { throw ValidationError("'--parallel' takes a number from 1 to 1000.") }
    }

    /// Questions that come up are asked on the terminal, if there is one, below the lines of `screen`.
    func access(_ screen: ProgressScreen) -> Access {
        Access(
            sshConfiguration: sshConfig,
            questions: Terminal.isInput && Terminal.isOutput ? Self.questions(screen) : .none, parallel: parallel)
    }

    private static func questions(_ screen: ProgressScreen) -> Questions {
        Questions(confirm: { question in
            screen.interlude {
                Terminal.write(
                    "\nThe host '\(visible(question.host))' has a key that is not known yet:\n"
                        + "    \(visible(question.type)) \(visible(question.fingerprint))\n")
                let answer = Terminal.ask("Is it the right one? [y/N] ")?.lowercased()
                return answer == "y" || answer == "yes" ? .accept : .refuse
            }
        }, passphrase: nil)
    }
}
