import ArgumentParser
import CSystem
import Deployment
import Display
import Model
import SSH
import Synchronization

struct SSHOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Use this ssh configuration instead of your own.", valueName: "file"))
    var sshConfig: String?
    @Option(name: .long, help: "How many hosts to log in to at once.")
    var parallel = 32
    @Option(
        help: ArgumentHelp(
            "What carries the connections: 'libssh2', the system's 'openssh', or 'auto', which is libssh2 where it can.",
            valueName: "how"))
    var transport = Access.Transport.auto
    @Flag(name: .long, help: "Say how hosts are reached.")
    var verbose = false

    func validate() throws {
        guard (1...1000).contains(parallel) else { throw ValidationError("'--parallel' takes a number from 1 to 1000.") }
    }

    /// Questions that come up are asked on the terminal, if there is one, below the lines of `screen`.
    func access(_ screen: ProgressScreen) -> Access {
        // A connection takes three to six of them, and a thousand hosts are one deploy. macOS has no more than these.
        csys_allow_descriptors(10240)
        var access = Access(sshConfiguration: sshConfig, transport: transport, parallel: parallel)
        if verbose {
            access.explain = { host, reason in
                screen.remark("\(host.text): over the system's ssh: \(visible(reason.phrase))")
            }
        }
        guard Terminal.isInput && Terminal.isOutput else { return access }
        let passphrases = SharedSecrets(screen), passwords = SharedSecrets(screen)
        access.questions = Questions(
            confirm: { question in Self.confirm(question, screen) },
            passphrase: { path, wrong in passphrases.answer(path, "Passphrase of \(visible(path))", wrong: wrong) },
            secret: { host, question in
                screen.interlude { Terminal.askSecret("\n\(host.text) asks: \(visible(question))") }
            },
            sudoPassword: { host, user, wrong in
                passwords.answer(user, "Password of \(visible(user)) for sudo, on \(host.text) and others that ask", wrong: wrong)
            },
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

/// Secrets that are asked for once for all hosts, each by what it is for; anew when one was wrong.
private final class SharedSecrets: Sendable {
    private let known = Mutex<[String: [UInt8]]>([:])
    private let screen: ProgressScreen

    init(_ screen: ProgressScreen) { self.screen = screen }

    deinit {
        known.withLock { known in
            for purpose in known.keys {
                known[purpose]?.withUnsafeMutableBytes { csys_zero($0.baseAddress, $0.count) }
            }
        }
    }

    /// The others wait while one asks, and then get the same answer.
    func answer(_ purpose: String, _ question: String, wrong: [UInt8]?) -> [UInt8]? {
        known.withLock { known in
            if let answer = known[purpose], answer != wrong { return answer }
            let remark = wrong == nil ? "" : "That was not it. "
            let answer = screen.interlude { Terminal.askSecret("\n\(remark)\(question): ") }
            known[purpose] = answer
            return answer
        }
    }
}
