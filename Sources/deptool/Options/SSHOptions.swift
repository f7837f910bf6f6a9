import ArgumentParser
import CSystem
import Deployment
import Display
import Model
import SSH

struct SSHOptions: ParsableArguments {
    @Option(
        name: .long, help: ArgumentHelp("Use this ssh configuration instead of your own.", valueName: "file"),
        completion: .file())
    var sshConfig: String?
    @Option(name: .long, help: "Log in to at most this many hosts at once.")
    var parallel = 32
    @Option(
        help: ArgumentHelp(
            "How to connect: 'libssh2', the system's 'openssh', or 'auto', which is libssh2 where it can.",
            valueName: "how"))
    var transport = Access.Transport.auto
    @Flag(name: .long, help: "Print how each host is reached.")
    var verbose = false

    func validate() throws {
        guard (1...1000).contains(parallel) else { throw ValidationError("'--parallel' takes a number from 1 to 1000.") }
    }

    var hostKeys: HostKeys { HostKeys(configuration: sshConfig) }

    /// Prompts on the terminal, if there is one and `asks` allows it, below the lines of `screen`.
    func access(_ screen: ProgressScreen, asks: Bool = true) -> Access {
        // A connection takes three to six descriptors, and a deploy may have a thousand hosts. macOS allows no more
        // than these.
        csys_allow_descriptors(10240)
        var access = Access(sshConfiguration: sshConfig, transport: transport, parallel: parallel)
        if verbose {
            access.explain = { host, reason in
                screen.remark("\(host.text): over the system's ssh: \(visible(reason.phrase))")
            }
        }
        guard asks, Terminal.isInput && Terminal.isOutput else { return access }
        let passphrases = Passphrases(screen), passwords = SudoPasswords(screen)
        access.prompts = Prompts(
            confirm: { question in Self.confirm(question, screen) },
            passphrase: { path, wrong in passphrases.answer(path, wrong: wrong) },
            secret: { host, question in
                screen.interlude { Terminal.askSecret("\n\(host.text) asks: \(visible(question))") }
            },
            sudoPassword: { host, user, wrong in passwords.answer(host, user, wrong: wrong) },
            notice: { host, text in screen.remark("\(host.text): \(visible(text))") })
        return access
    }

    private static func confirm(_ question: HostKeyQuestion, _ screen: ProgressScreen) -> HostKeyAnswer {
        screen.interlude {
            Terminal.write(
                "\nThe host '\(visible(question.host))' has a key that is not known yet:\n"
                    + "    \(visible(question.type)) \(visible(question.fingerprint))\n")
            let answer = Terminal.ask("Is it the right one? [y/N] ")?.lowercased()
            return answer == "y" || answer == "yes" ? .accept : .refuse
        }
    }
}

extension Access.Transport: ExpressibleByArgument {}
