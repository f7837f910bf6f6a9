import Git
import Model
import Planning
import SSH
import TestSupport
import Testing
import Wire

@testable import Deployment
@testable import Display

@Suite struct ResultTextTests {
    private func summary(_ results: [(String, HostResult)], style: Style = .plain) throws -> String {
        SummaryText(style: style).render(try results.map { (host: try hostname($0.0), result: $0.1) }, took: .milliseconds(1430))
    }

    private let refused = SSHError.refused(SSHEndpoint(address: "10.0.0.1", port: 22))
    private let commit = ObjectID.of(.commit, [])

    @Test func `a successful deploy takes one line`() throws {
        #expect(try summary([("a", .deployed)]) == "\nDeployed to 1 host in 1.43 s.\n")
        #expect(try summary([("a", .deployed), ("b", .deployed)]) == "\nDeployed to 2 hosts in 1.43 s.\n")
    }

    @Test func `hosts with the same explanation are named together`() throws {
        let failure = AgentError(step: 1, .unit(try unitName("x.service"), .failed(result: "exit-code", status: 1), journal: "bad zone"))
        #expect(
            try summary([("a", .rolledBack(failure)), ("b", .deployed), ("c", .rolledBack(failure))]) == """

                a, c: unit x.service failed (exit-code, status 1); its last journal lines:
                    | bad zone
                The previous state is back.

                Deployed to 1 host, rolled back 2 hosts, in 1.43 s.

                """)
    }

    @Test func `a rollback reports whether the previous state passes its probes`() throws {
        let failure = AgentError(step: 1, .cancelled)
        let up = try Manifest(parsing: Array(#"{"health": [{"tcp": "127.0.0.1:80"}, {"http": "http://127.0.0.1:8080/up"}]}"#.utf8)).probes
        func told(_ answers: ProbeAnswer...) throws -> String {
            let results = try zip(up, answers).map { ProbeResult(app: try #require(AppName("shop")), probe: $0, answer: $1) }
            return try summary([("a", .rolledBack(failure, answers: results))])
        }
        #expect(try told(.passed).contains("\nThe previous state is back and passes its probe.\n"))
        #expect(try told(.passed, .passed).contains("\nThe previous state is back and passes its probes.\n"))
        #expect(
            try told(.passed, .status(503)).contains(
                """

                The previous state is back, but it does not pass all of its probes:
                    shop: http://127.0.0.1:8080/up gave the wrong answer: 503


                """))
    }

    @Test func `a stale plan asks for another run, unless the new plan follows`() throws {
        let results = [(host: try hostname("a"), result: HostResult.stale(commit))]
        let text = SummaryText(style: .plain)
        #expect(
            text.render(results, took: .zero) == """

                a: It runs \(commit.short), which is not in the store. Run `deptool deploy` again for the new plan.

                Nothing was changed.

                """)
        #expect(
            text.render(results, took: .zero, next: .newPlan) == """

                a: It runs \(commit.short), which is not in the store.

                Nothing was changed.

                """)
    }

    @Test func `every kind of result is counted`() throws {
        let failure = AgentError(.cancelled)
        let undoing = [AgentError(.system(operation: "rename", path: "/x", code: 5))]
        let text = try summary([
            ("a", .deployed), ("b", .rolledBack(failure)), ("c", .broken(failure, undoing: undoing, .files)),
            ("d", .unknown(.ssh(refused))),
            ("e", .failed(.cancelled)), ("f", .failed(.otherHostNotReady)), ("g", .stale(commit)), ("h", .stale(nil)),
        ])
        #expect(
            text == """

                b: cancelled by the operator
                The previous state is back.

                c: cancelled by the operator
                Rolling back failed:
                cannot rename /x: input/output error
                The host is in neither its old nor its new state. Remove the obstacle there; when Deptool next connects \
                (`deptool deploy`, `sync` or `ping`), it tries again to undo this.

                d: 10.0.0.1:22 refuses connections. Either sshd does not run on d, or it listens on another port: give d a Port in ~/.ssh/config.
                The host rolls back by itself unless the deploy was complete. `deptool deploy` finds out which it was.

                g: It runs \(commit.short), which is not in the store. Run `deptool deploy` again for the new plan.

                h: Nothing is deployed on it any more: it has been wiped or reinstalled. Run `deptool deploy` again for the new plan.

                Deployed to 1 host, rolled back 1 host, 1 host left broken, lost the connection to 1 host, 4 hosts not changed, in 1.43 s.

                """)
    }

    @Test func `a failed new login has a reason`() throws {
        #expect(
            try summary([("a", .lockedOut(.ssh(refused)))]) == """

                a: no new login to the host worked, so this would have locked you out:
                    | 10.0.0.1:22 refuses connections. Either sshd does not run on a, or it listens on another port: give a a Port in ~/.ssh/config.
                The previous state is back.

                Rolled back 1 host, in 1.43 s.

                """)
    }

    @Test func `a deploy that changed nothing is reported as such`() throws {
        #expect(
            try summary([("a", .failed(.noAgents)), ("b", .failed(.otherHostNotReady))]) == """

                a: It was built by a plain `swift build`. `make build` makes one that contains them.

                Nothing was changed.

                """)
        let isDown = HostResult.failed(.ssh(.timedOut(.connecting)))
        #expect(
            try summary([("a", isDown), ("b", .failed(.otherHostNotReady))]).hasSuffix(
                "\nNothing was changed. `--skip-unreachable` goes on without such hosts.\n"))
        for results in [[("a", isDown)], [("a", isDown), ("b", .failed(.noAgents)), ("c", .failed(.otherHostNotReady))]] {
            #expect(try summary(results).hasSuffix("\nNothing was changed.\n"))
        }
        #expect(try summary([("a", .rolledBack(AgentError(.cancelled)))]).hasSuffix("\nRolled back 1 host, in 1.43 s.\n"))
    }

    @Test func `colour adds nothing but colour`() throws {
        let results: [(String, HostResult)] = [
            ("a", .broken(AgentError(.cancelled), undoing: [], .units)), ("b", .rolledBack(AgentError(.cancelled))),
        ]
        #expect(try withoutColor(summary(results, style: .color)) == summary(results))
        #expect(try summary(results, style: .color).contains("\u{1b}[1;31m1 host left broken\u{1b}[0m"))
    }

    @Test func `every result has a phrase`() throws {
        let failure = AgentError(.cancelled)
        #expect(
            [
                HostResult.deployed, .rolledBack(failure), .lockedOut(.ssh(refused)), .broken(failure, undoing: [], .units),
                .failed(.cancelled),
                .stale(nil), .stale(.of(.blob, [])), .unknown(.ssh(refused)), .unknown(.malformed(.unknownCase)),
            ].map(\.phrase) == [
                "done", "rolled back: cancelled by the operator",
                "rolled back: no new login to the host worked (connection refused), so this would have locked you out",
                "BROKEN: cancelled by the operator, and rolling back failed",
                "not changed: you cancelled", "has been wiped or reinstalled", "somebody else deployed to it since",
                "connection lost (connection refused); unknown whether it was deployed",
                "sent an invalid message: it holds a value that this version does not support; unknown whether it was deployed",
            ])
    }

    @Test(
        arguments: [
            (HostError.noAgents, "this build of deptool contains no agents"),
            (.ssh(.interrupted), "interrupted"),
            (.unknownCPU("Linux\u{1b} riscv64", carried: []), "no agent for Linux^[ riscv64"),
            (.bootstrap(stage: "hash", printed: []), "cannot install the agent (hash)"),
            (.noAgentSpoke(nil, printed: []), "the agent did not start"),
            (.wrongHostname(expected: "a", found: "b\nc"), "is another host: its name is 'b^Jc'"),
            (.noSystemd(UnitName("x.service")!), "has no systemd to run x.service"),
            (.broken(AgentError(.agentDied), undoing: [], .units), "an earlier deploy could not be undone: the agent was killed"),
            (.refused(AgentError(.agentDied)), "the agent was killed"),
            (.malformed(.truncated), "sent an invalid message: it ends too early"),
            (.unexpected, "sent an unexpected message"),
            (.store(.notAStore(path: "/x")), "/x is not a store"),
            (.inconsistentRecord, "its record contradicts itself"),
            (.unreadable("web1/a\u{1b}: x"), "what is deployed there cannot be read: web1/a^[: x"),
            (.busy(LockHolder(name: "Ada", since: 0)), "locked by Ada"),
            (.otherHostNotReady, "not changed, since another host is not ready"),
            (.cancelled, "not changed: you cancelled"),
        ] as [(HostError, String)])
    func `every error of a host has a phrase`(error: HostError, phrase: String) {
        #expect(error.phrase == phrase)
    }

    @Test(
        arguments: [
            (HostError.unknownCPU("Linux riscv64", carried: ["x86_64", "aarch64"]), "Deptool has agents for Linux on x86_64 and aarch64."),
            (
                .bootstrap(stage: "mkdir", printed: Array("mkdir: no\n".utf8)),
                "Creating its directory below /var/lib/deptool failed. Output of the host:\n    | mkdir: no"
            ),
            (
                .bootstrap(stage: "write", printed: []),
                "Writing it to /var/lib/deptool failed, or the connection was cut: is the disk full?"
            ),
            (.bootstrap(stage: "hash", printed: []), "The agent was damaged on its way to the host."),
            (.bootstrap(stage: "mv", printed: []), "Putting it into place in /var/lib/deptool failed."),
            (
                .noAgentSpoke(.code(1), printed: Array("sudo: a password is required\r\n".utf8)),
                "The login worked, but instead of the agent a command ended with status 1; Deptool needs a login as root, or sudo without a password. Output:\n    | sudo: a password is required"
            ),
            (.noAgentSpoke(.signal("KILL"), printed: []), "The login worked, but instead of the agent a command was killed by SIGKILL."),
            (
                .noAgentSpoke(nil, printed: Array("hi".utf8)),
                "The login worked, but instead of the agent something else answered. Output:\n    | hi"
            ),
            (
                .wrongHostname(expected: "a", found: "b"),
                "The login leads to a host whose /etc/hostname says 'b', not 'a'.\nIf it is the right host, say so in its host.json: {\"hostname\": \"b\"}"
            ),
            (
                .broken(AgentError(.agentDied), undoing: [AgentError(.cancelled)], .units),
                "the agent was killed\ncancelled by the operator\n"
                    + "All files on the host are as they were before, but not all units. Deptool does not retry that: log in and repair them, "
                    + "or deploy a fix."
            ),
            (.unexpected, "The agent on the host may have been tampered with, or something else answers there."),
            (.inconsistentRecord, "The host's record of what is deployed cannot be verified. The host was left alone."),
            (.unreadable("x"), "The next `deptool deploy` of a change deploys it as a whole."),
            (.busy(LockHolder(name: "Ada", since: 0)), "Ada is deploying to it. Wait until that is done, then run `deptool deploy` again."),
            (.otherHostNotReady, nil), (.cancelled, nil),
        ] as [(HostError, String?)])
    func `an error explains what to do`(error: HostError, explanation: String?) throws {
        #expect(error.explanation(try hostname("a")) == explanation)
    }

    @Test func `only the end of a long output is shown`() throws {
        let printed = Array((1...100).map { "line \($0)\r\n" }.joined().utf8)
        let text = try #require(HostError.noAgentSpoke(nil, printed: printed).explanation(try hostname("a")))
        #expect(text.hasSuffix("\n    | line 99\n    | line 100"))
        #expect(text.split(separator: "\n").count == 13)
    }

    @Test func `a sync has a line for each host`() throws {
        let host = try hostname("web1")
        let (one, two) = (ObjectID.of(.commit, [1]), ObjectID.of(.commit, [2]))
        let results: [Result<SyncResult, HostError>] = [
            .success(.unchanged(one)), .success(.unchanged(nil)), .success(.updated(from: one, to: nil)),
            .success(.updated(from: nil, to: two)),
            .success(.updated(from: one, to: two)), .failure(.ssh(refused)),
        ]
        #expect(
            results.map { SyncText(style: .plain).line(host, $0) } == [
                "  web1: runs \(one.short), as known\n", "  web1: nothing is deployed, as known\n",
                "  web1: nothing is deployed any more, it was \(one.short)\n",
                "  web1: runs \(two.short), which the store had no record of\n",
                "  web1: runs \(two.short), not \(one.short) as was known\n", "  web1: connection refused\n",
            ])
    }

    @Test func `a sync ends with a count`() throws {
        let (a, b) = (try hostname("a"), try hostname("b"))
        #expect(SyncText(style: .plain).summary([(a, .success(.unchanged(nil)))]) == "\nThe store is up to date for 1 host.\n")
        #expect(
            SyncText(style: .plain).summary([(a, .failure(.noAgents)), (b, .success(.unchanged(nil)))]) == """

                a: It was built by a plain `swift build`. `make build` makes one that contains them.

                The store is up to date for 1 host; 1 host could not be reached.

                """)
    }

    @Test func `round trips are shown in columns`() throws {
        func trips(_ microseconds: [Int]) -> RoundTrips {
            var trips = RoundTrips()
            for time in microseconds { trips.add(.microseconds(time)) }
            return trips
        }
        #expect(
            PingText().lines([
                (try hostname("a"), nil), (try hostname("long"), .failure(.ssh(refused))),
                (try hostname("b"), .success(trips([5_940, 6_010, 120_000]))),
                (try hostname("c"), .success(trips([12_345_678]))), (try hostname("d"), .success(trips([]))),
                (try hostname("e"), .success(trips([40]))),
            ]) == [
                "  a:    connecting",
                "  long: connection refused",
                "  b:       5.9 ms |    6.0 ms |  120.0 ms  (min/p50/p95 rtt, n=3)",
                "  c:    12345.7 ms | 12345.7 ms | 12345.7 ms  (min/p50/p95 rtt, n=1)",
                "  d:     |  |   (min/p50/p95 rtt, n=0)",
                "  e:       0.0 ms |    0.0 ms |    0.0 ms  (min/p50/p95 rtt, n=1)",
            ])
    }
}
