import ArgumentParser
import Deployment
import Display
import Model
import Platform
import SSH

let thatWasWrong = "Wrong, try again. "

/// Passphrases of key files. Prompts once for all hosts, and again after a wrong one.
final class Passphrases: Sendable {
    private let known = Monitor<[String: Secret]>([:])
    private let screen: ProgressScreen

    init(_ screen: ProgressScreen) { self.screen = screen }

    /// Other threads wait during a prompt, then get the same answer.
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

/// Passwords for sudo. A host learns the password that it receives, so no host receives one typed for another unless
/// the operator agrees.
final class SudoPasswords: Sendable {
    private struct Known {
        /// The password sent to each host.
        var given: [Hostname: Secret] = [:]
        /// The first password of each user, and the host for which it was typed.
        var first: [String: (host: Hostname, password: Secret)] = [:]
        /// Whether other hosts receive the same one, once the operator has answered.
        var isShared: [String: Bool] = [:]
    }

    private let known = Monitor(Known())
    private let screen: ProgressScreen

    init(_ screen: ProgressScreen) { self.screen = screen }

    /// Other threads wait during a prompt.
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

    /// The first password, if the operator agrees to send it to this host and all others; asked once.
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
