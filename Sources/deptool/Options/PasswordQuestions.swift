import ArgumentParser
import CSystem
import Deployment
import Display
import Model
import SSH

let thatWasWrong = "That was not it. "

/// Passphrases of key files: each is asked for once, for all hosts, and again when it was wrong.
final class Passphrases: Sendable {
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
final class SudoPasswords: Sendable {
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
