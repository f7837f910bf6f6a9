import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// The sweep of `FaultTests` where there is systemd, with units, users and directories among the steps.
    @Suite struct OperationTests {
        /// The fault at an operation: the agent's end, or EIO.
        private static let faults = Torture.isWhole ? ["kill", "5"] : ["kill"]

        // `FaultTests` sweeps over all operations where `/etc` and `/var` are one mount, without systemd.
        @Test(arguments: [Site.Flavour.separateVar] + (Torture.isWhole ? [.debian12, .debian13] : []))
        func `after a failure or an end at any operation, the host is in the old or the new state`(flavour: Site.Flavour) throws {
            let states = try TwoStates(flavour)
            let agent = try FaultyAgent(states.host)
            // Each takes seconds: another run tries others.
            let share = Torture.isWhole ? 4 : 100
            for fault in Self.faults {
                var (old, new) = (0, 0)
                // To the other state and back; until both have no operation left.
                var open: Set<TwoStates.Side> = [.one, .other]
                var number = Int.random(in: 1...share)
                while !open.isEmpty {
                    for _ in 0..<2 {
                        let side = states.side
                        guard open.contains(side) else {
                            try states.settle(after: states.start().finish().code, "in between")
                            continue
                        }
                        try agent.take(number, fault)
                        let output = try states.start().finish()
                        let isHit = try agent.leave()
                        let ended = try states.settle(after: output.code, "\(fault) at operation \(number) from \(side)\n\(output)")
                        if !isHit { open.remove(side) } else if ended == side { old += 1 } else { new += 1 }
                    }
                    number += share
                }
                #expect(old > 0)
                print("operations with systemd, \"\(fault)\": \(old + new) points hit, \(old) times undone, \(new) times done")
            }
        }
    }
}

/// An agent that meets a fault (`agent-under-test`), in the place of a host's own.
private struct FaultyAgent {
    private let host: Host
    private let place: String
    private static let directory = "/var/tmp/under-test"

    init(_ host: Host) throws {
        self.host = host
        place = "/var/lib/deptool/bin/" + (try host.run("ls /var/lib/deptool/bin").trimmingCharacters(in: .newlines))
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = URL(filePath: tests).deletingLastPathComponent().path + "/agent-under-test"
        // With this machine's libraries: hosts have no Swift, and perhaps another libc.
        let environment = ProcessInfo.processInfo.environment
        let needed = try Program(["ldd", program], environment: environment).finish().require(0).text
        let libraries = needed.matches(of: /\/\S+/).map { String($0.output) }
        try host.run("mkdir \(Self.directory) && cp \(place) \(Self.directory)/own")
        for path in [program] + libraries { try host.copy(path, to: Self.directory + "/" + URL(filePath: path).lastPathComponent) }
        let loader = try #require(libraries.first { $0.contains("/ld-linux") })
        let name = URL(filePath: place).lastPathComponent
        try host.write(
            Self.directory + "/faulty",
            """
            #!/bin/sh
            cd \(Self.directory)
            export DEPTOOL_AGENT_NAME=\(name) DEPTOOL_HIT=\(Self.directory)/hit
            exec ./\(URL(filePath: loader).lastPathComponent) --library-path . ./agent-under-test "" inline $(cat fault)

            """)
        try deceive()
    }

    /// The tool runs an agent only if its hash is right. While the file `on` exists, this host reports the expected hash for every file.
    private func deceive() throws {
        try host.run(
            """
            cd /usr/bin && mv sha256sum sha256sum.real && cat >sha256sum.new <<'END' && chmod 755 sha256sum.new && mv sha256sum.new sha256sum
            #!/bin/sh
            { [ $# = 0 ] && [ -e \(Self.directory)/on ]; } || exec sha256sum.real "$@"
            exec sha256sum.real <\(Self.directory)/own
            END
            """)
    }

    /// Takes the place of the host's agent.
    func take(_ number: Int, _ fault: String) throws {
        try host.run(
            "cd \(Self.directory) && touch on && rm -f hit && echo \(number) \(fault) >fault && install -m 755 faulty new && mv new \(place)"
        )
    }

    /// Gives its place back. Whether it came to the fault.
    func leave() throws -> Bool {
        try host.run("cd \(Self.directory) && rm -f on && cp own new && mv new \(place) && { [ ! -e hit ] || echo hit; }") == "hit\n"
    }
}
