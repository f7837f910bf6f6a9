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
    func access(_ screen: ProgressScreen, asks: Bool = true) -> Access {
        // A connection takes three to six of them, and a thousand hosts are one deploy. macOS has no more than these.
        csys_allow_descriptors(10240)
        var access = Access(sshConfiguration: sshConfig, transport: transport, parallel: parallel)
        if verbose {
            access.explain = { host, reason in
                screen.remark("\(host.text): over the system's ssh: \(visible(reason.phrase))")
            }
        }
        guard Terminal.isInput && Terminal.isOutput else { return access }
        let passphrases = Passphrases(screen), passwords = SudoPasswords(screen)
        access.questions = Questions(
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

private let thatWasWrong = "That was not it. "

/// Passphrases of key files: each is asked for once, for all hosts, and again when it was wrong.
private final class Passphrases: Sendable {
    private let known = Monitor<[String: Secret]>([:])
    private let screen: ProgressScreen

    init(_ screen: ProgressScreen) { self.screen = screen }

    /// The others wait while one asks, and then get the same answer.
    func answer(_ path: String, wrong: Secret?) -> Secret? {
        known.update { known in
            if let answer = known[path], answer !== wrong { return answer }
            let answer = screen.interlude {
                Terminal.askSecret("\n\(wrong == nil ? "" : thatWasWrong)Passphrase of \(visible(path)): ")
            }
            known[path] = answer
            return answer
        }
    }
}

/// Passwords for sudo. A host learns the password that it gets, so none gets one that was typed for another before the operator
/// said yes to that.
private final class SudoPasswords: Sendable {
    private struct Known {
        /// What each host got.
        var given: [Hostname: Secret] = [:]
        /// The first password of each user, and the host it was typed for.
        var first: [String: (host: Hostname, password: Secret)] = [:]
        /// Whether the others get the same, once that was asked.
        var isShared: [String: Bool] = [:]
    }

    private let known = Monitor(Known())
    private let screen: ProgressScreen

    init(_ screen: ProgressScreen) { self.screen = screen }

    /// The others wait while one asks.
    func answer(_ host: Hostname, _ user: String, wrong: Secret?) -> Secret? {
        known.update { known in
            if wrong == nil, let password = known.given[host] ?? shared(&known, host, user) {
                known.given[host] = password
                return password
            }
            let password = screen.interlude {
                Terminal.askSecret("\n\(wrong == nil ? "" : thatWasWrong)Password of \(visible(user)) for sudo on \(host.text): ")
            }
            known.given[host] = password
            if let password, known.first[user].map({ $0.host == host }) ?? true { known.first[user] = (host, password) }
            return password
        }
    }

    /// The first password, if the operator wants it sent to this host and all others, which is asked once.
    private func shared(_ known: inout Known, _ host: Hostname, _ user: String) -> Secret? {
        guard let first = known.first[user] else { return nil }
        let isShared =
            known.isShared[user]
            ?? screen.interlude {
                let answer = Terminal.ask(
                    "\n\(host.text) asks for it, too. Send the password for \(first.host.text) to all hosts that ask? [y/N] ")
                return ["y", "yes"].contains(answer?.lowercased())
            }
        known.isShared[user] = isShared
        return isShared ? first.password : nil
    }
}
