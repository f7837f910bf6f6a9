import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Processes and hosts that die at a random moment of a deploy leave the host in the old or in the new state.
    @Suite struct KillTests {
        private enum Victim: String, CaseIterable {
            /// All processes of the agent.
            case agent
            /// The one that runs the steps.
            case steps
            /// All processes of the login.
            case login
            case client
            /// The host loses power, and boots again.
            case host
        }

        /// In turn, so that few rounds try each of them.
        @Test(arguments: [Site.Flavour.separateVar] + (Torture.isWhole ? [.debian12, .debian13, .separateVar13] : []))
        func `after a kill of any party at any moment, the host is in the old or the new state`(flavour: Site.Flavour) throws {
            var random = Seeded()
            let states = try TwoStates(flavour, checks: true)
            var counts: [String: Int] = [:]
            let rounds = Torture.isWhole ? 60 : 5
            for round in 0..<rounds {
                let victim = Victim.allCases[round % Victim.allCases.count]
                let moment = states.duration * Double.random(in: 0...1.1, using: &random)
                let what = "seed \(random.seed), round \(round): \(victim) killed after \(moment)"
                let deploy = try states.start()
                usleep(UInt32(moment / .microseconds(1)))
                try kill(victim, states, deploy)
                let output = try deploy.finish()
                let ended = try states.settle(after: output.code, "\(what)\n\(output)", isBooted: victim == .host)
                // It has gone to the opposite state by now.
                let result = ended == states.side ? "new" : "old"
                counts["\(victim): \(result)", default: 0] += 1
            }
            let text = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            print("killed at random moments on \(flavour.rawValue), seed \(random.seed), \(rounds) rounds: \(text)")
        }

        private func kill(_ victim: Victim, _ states: TwoStates, _ deploy: Program) throws {
            let agents = "pgrep -f ^/var/lib/deptool/bin/"
            switch victim {
            case .agent: _ = try states.host.attempt("kill -KILL $(\(agents))")
            case .steps: _ = try states.host.attempt("kill -KILL $(\(agents) | tail -n 1)")
            case .login:
                _ = try states.host.attempt(
                    "systemctl kill --signal=KILL $(systemctl list-units --plain --no-legend 'session-*.scope' | cut -d ' ' -f 1)")
            case .client: deploy.signal(SIGKILL)
            case .host:
                try states.site.kill(states.host)
                // It would wait for half a minute.
                deploy.signal(SIGKILL)
                try states.site.start(states.host)
            }
        }
    }
}
