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

    func validate() throws {
        guard (1...1000).contains(parallel) else { throw ValidationError("'--parallel' takes a number from 1 to 1000.") }
    }

    /// Questions that come up are asked on the terminal, if there is one, below the lines of `screen`.
    func access(_ screen: ProgressScreen) -> Access {
        // A connection takes three to six of them, and a thousand hosts are one deploy. macOS has no more than these.
        csys_allow_descriptors(10240)
        guard Terminal.isInput && Terminal.isOutput else {
            return Access(sshConfiguration: sshConfig, parallel: parallel)
        }
        let passphrases = Passphrases(screen)
        let questions = Questions(
            confirm: { question in Self.confirm(question, screen) },
            passphrase: { path in passphrases.answer(path) })
        return Access(sshConfiguration: sshConfig, questions: questions, parallel: parallel)
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

/// Passphrases of key files, each asked for once for all hosts. One that is asked for again was wrong.
private final class Passphrases: Sendable {
    private struct State {
        var known: [String: [UInt8]] = [:]
        /// How often the threads were given each of them: a thread that comes back got a wrong one.
        var given: [String: Set<UInt64>] = [:]
    }

    private let state = Mutex(State())
    private let screen: ProgressScreen

    init(_ screen: ProgressScreen) { self.screen = screen }

    deinit {
        state.withLock { state in
            for path in state.known.keys {
                state.known[path]?.withUnsafeMutableBytes { csys_zero($0.baseAddress, $0.count) }
            }
        }
    }

    func answer(_ path: String) -> [UInt8]? {
        let thread = csys_thread_id()
        return state.withLock { state in
            if let known = state.known[path], state.given[path, default: []].insert(thread).inserted { return known }
            let wrong = state.known[path] == nil ? "" : "That was not it. "
            let answer = screen.interlude { Terminal.askSecret("\n\(wrong)Passphrase of \(visible(path)): ") }
            state.known[path] = answer
            state.given[path] = [thread]
            return answer
        }
    }
}
