import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Connections that break, stall or crawl leave the host in the old or the new state, and the tool reports which.
    @Suite struct NetworkTests {
        private let states: TwoStates
        private let proxy: Proxy

        init() throws {
            states = try TwoStates()
            proxy = try Proxy(to: states.host.address)
            try states.cluster.write(
                outside: "ssh_config",
                """
                Host web1
                  HostName 127.0.0.1
                  Port \(proxy.port)
                  HostKeyAlias \(states.host.address)
                  ConnectTimeout 2
                Include \(states.site.lab)/ssh_config

                """)
            states.cluster.sshConfiguration = "\(states.cluster.directory)/ssh_config"
        }

        /// A deploy over a disturbed connection; true when the host took the new state.
        private func round(_ disturbance: Proxy.Disturbance, _ what: String) throws -> Bool {
            proxy.disturb(disturbance)
            let output = try states.start().finish(within: .seconds(150))
            let word =
                switch output.code {
                case 0: "Deployed to 1 host"
                case 1: "\n\nNothing was changed.\n"
                case 3: "\nThe previous state is back.\n"
                default: "`deptool deploy` finds out which it was.\n"
                }
            #expect(output.text.contains(word), "\(what)\n\(output)")
            proxy.hangUp()
            let ended = try states.settle(after: output.code, "\(what)\n\(output)")
            return ended == states.side
        }

        /// Offsets around the ends of pieces, and any others.
        private func offsets(_ direction: Proxy.Direction, count: Int, _ random: inout Seeded) -> [Int] {
            let boundaries = proxy.boundaries(direction)
            return (0..<count).map { index in
                guard index % 3 > 0, let end = boundaries.randomElement(using: &random) else {
                    return Int.random(in: 0...(boundaries.last ?? 0), using: &random)
                }
                return max(0, end + Int.random(in: -1...1, using: &random))
            }
        }

        /// One after the other, on one host.
        @Test func `after any disturbance of a connection, the host is in the old or the new state`() throws {
            var random = Seeded()
            #expect(try round(.none, "undisturbed"))
            try cut(&random)
            try cutWhileTheAgentIsBrought(&random)
            try states.host.run("rm \(bin)/*")
            #expect(try round(.drip, "byte by byte"))
            try fallSilent(&random)
        }

        private func cut(_ random: inout Seeded) throws {
            var (old, new) = (0, 0)
            let both = Proxy.Direction.allCases.map { ($0, offsets($0, count: Torture.isWhole ? 60 : 1, &random)) }
            for (direction, offsets) in both {
                for offset in offsets {
                    let what = "seed \(random.seed): cut after \(offset) bytes \(direction)"
                    if try round(.cut(direction, after: offset), what) { new += 1 } else { old += 1 }
                }
            }
            print("connections cut, seed \(random.seed): \(old) times old, \(new) times new")
        }

        private let bin = "/var/lib/deptool/bin"

        /// Under an agent's name there is a whole one or nothing.
        private func cutWhileTheAgentIsBrought(_ random: inout Seeded) throws {
            try states.host.run("rm \(bin)/*")
            #expect(try round(.none, "undisturbed, with the agent"))
            let offsets = offsets(.up, count: Torture.isWhole ? 40 : 1, &random)
            for offset in offsets {
                let what = "seed \(random.seed): cut after \(offset) bytes with the agent"
                try states.host.run("rm \(bin)/*")
                proxy.disturb(.cut(.up, after: offset))
                let output = try states.start().finish()
                let damaged = """
                    cd \(bin); for file in deptool-agent-*; do
                        [ ! -e $file ] || case $file in *-$(sha256sum <$file | head -c 10)) ;; *) echo $file ;; esac
                    done
                    """
                #expect(try states.host.run(damaged) == "", "\(what)\n\(output)")
                _ = try states.settle(after: output.code, "\(what)\n\(output)")
                #expect(try states.host.run("ls \(bin) | wc -l") == "1\n", "\(what)")
            }
            print("cut while the agent is brought: \(offsets.count) times")
        }

        private func fallSilent(_ random: inout Seeded) throws {
            // During the key exchange, the tool waits for ConnectTimeout.
            #expect(try !round(.stall(.down, after: 100), "silent from the beginning on"))
            guard Torture.isWhole else { return }
            #expect(try round(.none, "undisturbed"))
            for direction in Proxy.Direction.allCases {
                for offset in offsets(direction, count: 6, &random) {
                    _ = try round(.stall(direction, after: offset), "seed \(random.seed): silent after \(offset) bytes \(direction)")
                }
            }
        }
    }
}
